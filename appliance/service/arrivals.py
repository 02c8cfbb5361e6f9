"""Who wants to hear that a mailbox got something. A wake says only "look again"; the store is the truth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

import trio

from appliance.errors import Refusal
from appliance.protocol.mailbox import MailboxId

MAX_WATCHED: Final = 512


class Watcher:
    """One listener's set of mailboxes; wakes are joined, so that a slow listener costs no memory."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._watched: set[MailboxId] = set()
        self._pending: set[MailboxId] = set()
        self._wake = trio.Event()

    def watch(self, mailbox: MailboxId) -> None:
        """Add a mailbox; bounded by `MAX_WATCHED`."""
        if mailbox not in self._watched and len(self._watched) >= MAX_WATCHED:
            raise Refusal("too_many")
        self._watched.add(mailbox)
        self._arrivals._watchers.setdefault(mailbox, set()).add(self)

    async def next(self) -> set[MailboxId]:
        """Wait until at least one watched mailbox got something, and return all that did."""
        await self._wake.wait()
        self._wake = trio.Event()
        pending, self._pending = self._pending, set()
        return pending

    def close(self) -> None:
        """Stop listening."""
        for mailbox in self._watched:
            watchers = self._arrivals._watchers.get(mailbox)
            if watchers is not None:
                watchers.discard(self)
                if not watchers:
                    del self._arrivals._watchers[mailbox]
        self._watched.clear()

    def _notify(self, mailbox: MailboxId) -> None:
        self._pending.add(mailbox)
        self._wake.set()


class Arrivals:
    """All listeners by mailbox. Owner: the event loop."""

    def __init__(self) -> None:
        self._watchers: dict[MailboxId, set[Watcher]] = {}
        self.known: Collection[MailboxId] = ()
        self.on_known: Callable[[MailboxId], None] = _nothing
        """Told of arrivals in mailboxes that are among `known`: those of devices that are here now."""

    def watcher(self) -> Watcher:
        """A new listener; close it when done."""
        return Watcher(self)

    @property
    def watched(self) -> bool:
        """Whether anybody listens to anything."""
        return bool(self._watchers or self.known)

    def announce(self, mailboxes: Iterable[MailboxId]) -> None:
        """Called after the commit that put something there."""
        for mailbox in mailboxes:
            for watcher in self._watchers.get(mailbox, ()):
                watcher._notify(mailbox)
            if mailbox in self.known:
                self.on_known(mailbox)


def _nothing(_: MailboxId) -> None:
    return None
