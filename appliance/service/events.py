"""Events: who hears what. Tickets, feeds by sign-in, and the mailboxes and logs somebody here wants news of.

Events say what the store holds already, so a lost one costs latency and nothing else. Owner: the event loop.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import trio

from appliance.errors import Refusal
from appliance.protocol.log import LogNews
from appliance.protocol.mailbox import MailboxId
from appliance.protocol.post import DispatchState, Event, EventKind, Events, Listening, Queued, Ticket
from appliance.service.caller import Caller
from appliance.service.feed import Feed, Reader, Shared
from appliance.service.ports import Clock, hour_of
from appliance.service.queue import queued
from appliance.service.rights import Level, reaches
from appliance.store import counters, device_mailboxes, queue
from appliance.store.device_mailboxes import Owner
from appliance.store.engine import Store
from appliance.store.transaction import Transaction

TICKET_SECONDS: Final = 30
MOST_TICKETS: Final = 4096
MOST_FEEDS: Final = 8192
INLINE: Final = 2
INLINE_OCTETS: Final = 4032
POLL_SECONDS: Final = 25.0
IDLE_SECONDS: Final = 90.0
"""A feed that nobody reads for so long is let go."""
LEFT_SECONDS: Final = 5.0
"""So long after its last socket a device counts as listening: a cut line is mended by then."""
POLLED_SECONDS: Final = POLL_SECONDS + 15.0
"""The same after the beginning of a long poll."""
BOUND_SECONDS: Final = 30.0
"""The same after a sign-in began to speak for it: its first socket is on the way."""
SOCKETS: Final = 8
"""Sockets of one sign-in."""


_NO_FEEDS: Final[frozenset[Feed]] = frozenset()


class EventBook:
    """All feeds, the tickets for sockets, and which mailboxes belong to devices that are here."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._tickets: dict[str, tuple[float, Caller]] = {}
        self._feeds: dict[bytes, Feed] = {}
        self._devices: defaultdict[bytes, set[Feed]] = defaultdict(set)
        self._accounts: defaultdict[bytes, set[Feed]] = defaultdict(set)
        self._watchers: defaultdict[bytes, set[Feed]] = defaultdict(set)
        """Feeds by the logs that they asked to hear of."""
        self.mailboxes: dict[MailboxId, Owner] = {}
        """Mailboxes of devices that are here."""
        self._own: dict[bytes, set[MailboxId]] = {}
        """The same by device (account ‖ device)."""
        self._told: dict[bytes, int] = {}
        """The last number each device (account ‖ device) was told of."""
        self._polls: set[trio.CancelScope] = set()
        self._began = trio.current_time()
        self._expected: dict[bytes, float] = {}
        """Devices (account ‖ device) that count as listening until then, also without a socket."""
        self.on_presence: Callable[[], None] = _nothing
        """A feed came, went or changed hands."""

    # Readers

    def ticket(self, caller: Caller) -> Ticket:
        """A single-use ticket that opens one socket; Refusals: no_device, busy."""
        caller.require_device()
        self._drop_tickets()
        own = [text for text, (_, whose) in self._tickets.items() if whose.session == caller.session]
        if len(own) >= SOCKETS:
            del self._tickets[own[0]]
        if len(self._tickets) >= MOST_TICKETS:
            raise Refusal("busy")
        text = secrets.token_urlsafe(24)
        self._tickets[text] = (self._clock() + TICKET_SECONDS, caller)
        return Ticket(text)

    def redeem(self, text: str) -> Caller:
        """Use a ticket up; Refusal session_ended when it is unknown, used or too old."""
        self._drop_tickets()
        found = self._tickets.pop(text, None)
        if found is None:
            raise Refusal("session_ended")
        return found[1]

    def open(self, caller: Caller) -> Feed:
        """The feed of a sign-in, made on first use. Refusals: no_device, busy."""
        device = caller.account + caller.require_device()
        feed = self._feeds.get(caller.session)
        if feed is not None and feed.device == device:
            feed.used = trio.current_time()
            return feed
        if feed is not None:
            self._close(feed)  # the sign-in speaks for another device now
        self._close_idle()
        if len(self._feeds) >= MOST_FEEDS:
            raise Refusal("busy")
        feed = self._feeds[caller.session] = Feed(caller, device)
        if device not in self._devices:
            self._watch(device)
        self._devices[device].add(feed)
        self._accounts[caller.account].add(feed)
        self.on_presence()
        return feed

    def watch(self, caller: Caller, logs: Iterable[bytes]) -> None:
        """From now on a sign-in hears of these logs, and no others. Refusals: no_device, busy."""
        feed = self.open(caller)
        self._unwatch_logs(feed)
        feed.watched = frozenset(logs)
        for log in feed.watched:
            self._watchers[log].add(feed)

    def enter(self, feed: Feed, reader: Reader) -> None:
        """One more socket reads a feed; where there are too many the oldest, long dead perhaps, must go."""
        if feed.readers >= SOCKETS:
            feed.sockets.pop(0).evict()
        feed.sockets.append(reader)
        self.on_presence()

    def leave(self, feed: Feed, reader: Reader) -> None:
        """A socket is gone."""
        if reader in feed.sockets:
            feed.sockets.remove(reader)
        feed.used = trio.current_time()
        self.expect(feed.device, LEFT_SECONDS)
        self.on_presence()

    async def wait(self, caller: Caller, stream: bytes, after: int) -> Events:
        """Events after a number; waits for the first. With another stream's name all begins anew."""
        feed = self.open(caller)
        self.expect(feed.device, POLLED_SECONDS)
        if stream != feed.stream:
            hello = Event(feed.last, "reset" if stream else "hello")
            feed.after(0)
            return Events(feed.stream, [hello])
        with trio.move_on_after(POLL_SECONDS) as waiting:
            self._polls.add(waiting)
            try:
                await feed.wait(after)
            finally:
                self._polls.discard(waiting)
        feed.used = trio.current_time()
        return Events(feed.stream, [entry.event for entry in feed.after(after)])

    def release(self) -> None:
        """Answer every long poll now: the box stops."""
        for waiting in tuple(self._polls):
            waiting.cancel()

    def end_session(self, session: bytes) -> None:
        """A sign-in has ended: its tickets are void, its readers are told and go."""
        for text, (_, caller) in list(self._tickets.items()):
            if caller.session == session:
                del self._tickets[text]
        feed = self._feeds.get(session)
        if feed is not None:
            feed.end()
            self._close(feed)

    def live(self) -> list[Feed]:
        """Feeds that somebody reads."""
        now = trio.current_time()
        return [feed for feed in self._feeds.values() if feed.readers or now - feed.used < IDLE_SECONDS]

    def expect(self, device: bytes, seconds: float = BOUND_SECONDS) -> None:
        """Count a device (account ‖ device) as listening for so long, whether or not it is heard of."""
        until = trio.current_time() + seconds
        self._expected[device] = max(until, self._expected.get(device, until))

    def listening(self, caller: Caller) -> Listening:
        """Which devices of the caller's account hear what happens."""
        self._drop_expected()
        account = caller.account
        reading = {device for device, feeds in self._devices.items() if any(feed.readers for feed in feeds)}
        devices = [device[16:] for device in reading | self._expected.keys() if device[:16] == account]
        return Listening(sorted(devices), int(trio.current_time() - self._began))

    def is_here(self, device: bytes) -> bool:
        """Whether a device (account ‖ device) has a feed."""
        return device in self._devices

    # Writers

    def tell(self, device: bytes, kind: EventKind, **fields: Any) -> None:
        """An event for one device (account ‖ device)."""
        for feed in self._devices.get(device, ()):
            feed.add(kind, **fields)

    def tell_account(
        self, account: bytes, kind: EventKind, but_device: bytes | None = None, **fields: Any
    ) -> None:
        """An event for every device of an account, but one."""
        for feed in self._accounts.get(account, ()):
            if feed.device[16:] != but_device:
                feed.add(kind, **fields)

    def tell_level(self, level: Level, kind: EventKind, **fields: Any) -> None:
        """An event for whoever is here and has at least this role."""
        for feed in self._feeds.values():
            if reaches(feed.caller.role, level):
                feed.add(kind, **fields)

    def tell_all(self, kind: EventKind, **fields: Any) -> None:
        """An event for everybody who is here."""
        for feed in self._feeds.values():
            feed.add(kind, **fields)

    def is_heard(self, log: bytes, accounts: Iterable[bytes] = ()) -> bool:
        """Whether anybody here would hear of a log."""
        return log in self._watchers or any(account in self._accounts for account in accounts)

    def tell_log(self, news: LogNews, accounts: Iterable[bytes] | None, watched: bool = True) -> None:
        """News of a log for these accounts (None: for all) and, if so, whoever watches it; written once."""
        shared = Shared(news)
        watching = self._watchers.get(news.log, _NO_FEEDS) if watched else _NO_FEEDS
        for feed in tuple(watching):
            feed.add_log(shared)
        if accounts is None:
            members: Iterable[Feed] = tuple(self._feeds.values())
        else:
            members = [feed for one in accounts for feed in self._accounts.get(one, _NO_FEEDS)]
        for feed in members:
            if feed not in watching:
                feed.add_log(shared)

    def tell_dispatch(self, device: bytes, state: DispatchState) -> None:
        """One of a device's dispatches changed."""
        self.tell(device, "dispatch", dispatch=state)

    def tell_routes(self, owner: Owner) -> None:
        """A handle's routes changed."""
        self.tell(owner.account + owner.device, "routes", handle=owner.handle)

    def arrived(self, mailbox: MailboxId) -> None:
        """Something came into a mailbox of a device that is here: small news travels with the event.

        Depositors that shared a commit call this in any order; all of the device's news is told at the first.
        """
        owner = self.mailboxes.get(mailbox)
        device = b"" if owner is None else owner.account + owner.device
        feeds = self._devices.get(device)
        if not feeds:
            return
        hour, after = hour_of(self._clock()), self._told.get(device, 0)
        last, fresh = self._store.read(
            lambda txn: queue.news(txn, device, after, hour, INLINE, INLINE_OCTETS)
        )
        self._told[device] = last
        news: Sequence[Queued] | None = None if fresh is None else [queued(one) for one in fresh]
        for feed in feeds:
            if news is None or (news and feed.is_slow):
                feed.add("mail")
            elif news:
                feed.add("mail", queued=news)

    def made(self, owner: Owner, mailbox: bytes) -> None:
        """A mailbox was made for a device."""
        own = self._own.get(owner.account + owner.device)
        if own is not None:
            own.add(MailboxId(mailbox))
            self.mailboxes[MailboxId(mailbox)] = owner

    async def run(self) -> None:
        """Let go of feeds that nobody reads, for ever."""
        while True:
            await trio.sleep(IDLE_SECONDS / 3)
            self._close_idle()
            self._drop_expected()

    def _watch(self, device: bytes) -> None:
        """From now on news of this device's mailboxes is wanted; what is there already its reader fetches."""

        def job(txn: Transaction) -> tuple[list[tuple[Owner, MailboxId]], int]:
            return device_mailboxes.list_here(txn, device), counters.read(txn).number - 1

        rows, last = self._store.read(job)
        self._told[device] = last
        self._own[device] = {mailbox for _, mailbox in rows}
        for owner, mailbox in rows:
            self.mailboxes[mailbox] = owner

    def _close_idle(self) -> None:
        now = trio.current_time()
        for feed in list(self._feeds.values()):
            if not feed.readers and now - feed.used > IDLE_SECONDS:
                self._close(feed)

    def _close(self, feed: Feed) -> None:
        feed.ended = True
        feed.wake()
        if self._feeds.get(feed.caller.session) is feed:
            del self._feeds[feed.caller.session]
        self._unwatch_logs(feed)
        feeds = self._accounts[feed.caller.account]
        feeds.discard(feed)
        if not feeds:
            del self._accounts[feed.caller.account]
        feeds = self._devices[feed.device]
        feeds.discard(feed)
        if not feeds:
            del self._devices[feed.device]
            self._told.pop(feed.device, None)
            for mailbox in self._own.pop(feed.device):
                del self.mailboxes[mailbox]
        self.on_presence()

    def _unwatch_logs(self, feed: Feed) -> None:
        for log in feed.watched:
            self._watchers[log].discard(feed)
            if not self._watchers[log]:
                del self._watchers[log]
        feed.watched = frozenset()

    def _drop_expected(self) -> None:
        now = trio.current_time()
        for device, until in list(self._expected.items()):
            if until <= now:
                del self._expected[device]

    def _drop_tickets(self) -> None:
        now = self._clock()
        while self._tickets:
            oldest = next(iter(self._tickets))
            if self._tickets[oldest][0] > now:
                return
            del self._tickets[oldest]


def _nothing() -> None:
    return None
