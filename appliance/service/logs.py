"""Logs: appending, reading, removing and retention, and the news of them; the same for all of their users.

A user (the boards, the channels, the audit log) registers its kind of log once, when it is made, with what
must happen beside: who hears of a log, and which indexes follow when entries go. Owner: the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol.log import (
    MAX_INLINE_OCTETS,
    MAX_PAGE,
    MAX_PAGE_OCTETS,
    LogEntry,
    LogNews,
    LogPage,
    Removed,
    WatchLogs,
)
from appliance.service.caller import Caller
from appliance.service.events import EventBook
from appliance.service.ports import Clock, hour_of
from appliance.store import logs
from appliance.store.engine import Store
from appliance.store.logs import Appended, Draft, Entry, Head
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

BOARD: Final = 1
CHANNEL: Final = 2
AUDIT: Final = 3
SWEPT_LOGS: Final = 64
"""Logs looked at in one step of the sweep."""
MOST_TOLD: Final = 32
"""New entries that one event carries."""

Gone = Callable[[Transaction, bytes, Sequence[Entry]], None]


def _nobody(log: bytes) -> Iterable[bytes]:
    return ()


def _always(log: bytes) -> bool:
    return True


def _nothing(txn: Transaction, log: bytes, gone: Sequence[Entry]) -> None:
    return None


@dataclass(frozen=True)
class LogUser:
    """What one kind of log needs."""

    open: bool = False
    """Whether any member may read and watch such a log."""
    live: Callable[[bytes], bool] = _always
    """(log): whether those who watch it hear of it at once."""
    hidden: frozenset[int] = frozenset()
    """Kinds of entries that are told without their bodies: not everybody who hears may read them."""
    members: Callable[[bytes], Iterable[bytes]] = _nobody
    """(log): accounts that hear of it without watching; called on the event loop, quick."""
    gone: Gone = _nothing
    """(transaction, log, entries): these were dropped in this transaction; may run more than once."""


class Logs:
    """All logs of the box. Its users' services are made after it and `register` their kinds."""

    def __init__(self, store: Store, ring: KeyRing, config: Config, clock: Clock, events: EventBook) -> None:
        self._store = store
        self._ring = ring
        self._config = config
        self._clock = clock
        self._events = events
        self._users: dict[int, LogUser] = {}
        self._told: dict[bytes, int] = {}
        """The last number of each log that was told."""
        self._swept = b""

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def register(self, kind: int, user: LogUser) -> None:
        """Say what a kind of log needs; once each."""
        if kind in self._users:
            raise ValueError("this kind of log has a user")
        self._users[kind] = user

    def may_hear(self, log: bytes, kind: int, account: bytes) -> bool:
        """Whether an account may know what is in a log: it is open, or it is one of those who hear of it."""
        user = self._user(kind)
        return user.open or account in user.members(log)

    def check_read(self, log: bytes, kind: int, account: bytes, entry: int) -> None:
        """Refusal no_log when an account may not know what is in it, no_item of an entry of a hidden kind."""
        if not self.may_hear(log, kind, account):
            raise Refusal("no_log")
        if entry in self._user(kind).hidden:
            raise Refusal("no_item")

    def author(self, log: bytes, account: bytes) -> bytes:
        """What an entry keeps of its author. Refusal locked."""
        return logs.author_of(self._ring.require(), log, account)

    # Writing

    async def create(self, log: bytes, kind: int, *, sealed: bool, hours: int = 0, entries: int = 0) -> None:
        """Make a log that keeps `hours` and `entries` (0: all); one that is there stays."""
        await self._store.write(
            lambda txn: logs.create(txn, log, kind, sealed=sealed, hours=hours, entries=entries)
        )

    async def append(
        self,
        log: bytes,
        draft: Draft,
        check: Callable[[Transaction, Head], None] | None = None,
        also: Callable[[Transaction, Entry], None] | None = None,
    ) -> Appended:
        """Append an entry durably and tell whoever hears of the log; the same id again is answered alike.

        `check` may refuse a fresh entry, `also` writes what goes with it; both run in its transaction, maybe
        more than once. Refusals: no_log, locked, too_large, and those of `check`.
        """
        sealer, hour = self._ring.sealer, hour_of(self._clock())

        def job(txn: Transaction) -> Appended:
            head = logs.require(txn, log)
            known = logs.number_of(txn, log, draft.id)
            if known is not None:
                return Appended(known, False)
            if check is not None:
                check(txn, head)
            done = logs.append(txn, sealer, log, draft, hour)
            if also is not None:
                also(txn, _drafted(draft, done.number, hour))
            return done

        self.begin(log)
        done = await self._store.write(job)
        if done.fresh:
            self.tell(log)
        return done

    async def remove(self, log: bytes, number: int, by: Removed) -> bool:
        """Take one entry's body from the disk and tell it; False when there is nothing to remove."""
        done = await self._store.write(lambda txn: logs.remove(txn, log, number, by), freeing=True)
        if done:
            self.tell_changed(log, [number])
        return done

    # Reading

    async def page(
        self, log: bytes, *, after: int = 0, before: int | None = None, limit: int = 64
    ) -> LogPage:
        """Entries after a number, or the last ones before one; whoever calls checks who may read.

        Refusals: no_log, locked, malformed.
        """
        if not 0 < limit <= MAX_PAGE:
            raise Refusal("malformed", field="limit")
        sealer = self._ring.sealer
        span = await self._store.read_cold(
            lambda txn: logs.read(
                txn, sealer, log, after=after, before=before, limit=limit, octets=MAX_PAGE_OCTETS
            )
        )
        entries = [self.shown(entry) for entry in span.entries if not self._is_over(entry)]
        return LogPage(log, span.head.first, span.head.last, entries, span.more)

    @staticmethod
    def shown(entry: Entry) -> LogEntry:
        """An entry as it goes over the wire."""
        until = entry.until or None
        return LogEntry(entry.number, entry.id, entry.kind, entry.hour, entry.body, entry.removed, until)

    # News

    def watch(self, caller: Caller, wanted: WatchLogs) -> None:
        """This sign-in hears of these logs from now on, as far as it may. Refusals: no_device, busy."""

        def job(txn: Transaction) -> list[bytes]:
            heads = [(log, logs.find(txn, log)) for log in wanted.logs]
            return [log for log, head in heads if head is not None and self._user(head.kind).open]

        self._events.watch(caller, self._store.read(job))

    def begin(self, log: bytes) -> None:
        """Call before a transaction that appends by itself (`store.logs.append`), and `tell` after it."""
        if log not in self._told:
            head = self._store.read(lambda txn: logs.find(txn, log))
            self._told[log] = 0 if head is None else head.last

    def tell(self, log: bytes) -> None:
        """Tell what was appended since the last time; what shared a commit is told once, in order."""

        sealer = self._ring.sealer

        def look(txn: Transaction) -> tuple[Head, list[Entry]] | None:
            head = logs.find(txn, log)
            if head is None or head.last <= self._told[log]:
                return None
            if not self._events.is_heard(log, self._user(head.kind).members(log)):
                return head, []
            span = logs.read(
                txn, sealer, log, after=self._told[log], limit=MOST_TOLD + 1, octets=MAX_INLINE_OCTETS
            )
            return head, [] if span.more else span.entries

        self.begin(log)
        found = self._store.read(look)
        if found is not None:
            head, entries = found
            self._told[log] = head.last
            self._send(log, head, entries)

    def tell_changed(self, log: bytes, numbers: Sequence[int]) -> None:
        """Tell that entries have changed (removed, replaced); a few, the caller's word for it."""

        def look(txn: Transaction) -> tuple[Head, list[Entry]]:
            found = [logs.get(txn, self._ring.sealer, log, number) for number in sorted(numbers)]
            return logs.require(txn, log), [entry for entry in found if entry is not None]

        head, entries = self._store.read(look)
        self._send(log, head, entries)

    def announce(self, log: bytes, last: int, accounts: Iterable[bytes] | None) -> None:
        """Tell these (None: everybody here) that there is something to read, or that they cannot any more."""
        self._events.tell_log(LogNews(log, last), accounts)

    def _send(self, log: bytes, head: Head, entries: Sequence[Entry]) -> None:
        small = sum(len(entry.body or b"") for entry in entries) <= MAX_INLINE_OCTETS
        hidden = self._user(head.kind).hidden
        entries = [entry._replace(body=None) if entry.kind in hidden else entry for entry in entries]
        told = [self.shown(entry) for entry in entries] if small and len(entries) <= MOST_TOLD else []
        user = self._user(head.kind)
        self._events.tell_log(LogNews(log, head.last, told or None), user.members(log), user.live(log))

    # Retention

    async def run(self) -> None:
        """Sweep for ever: batch after batch while there is work, then pause. The box must be unlocked."""
        while True:
            if not await self.sweep():
                await trio.sleep(self._config.log_sweep_seconds)

    async def sweep(self) -> int:
        """One bounded step: entries past their own end or their log's retention; how many went."""
        batch, hour = self._config.sweep_batch, hour_of(self._clock())
        rows = self._store.read(lambda txn: logs.list_all(txn, self._swept, SWEPT_LOGS))
        following = rows[-1][0] if len(rows) == SWEPT_LOGS else b""

        def is_idle(txn: Transaction) -> bool:
            return not logs.has_overdue(txn, hour) and not any(
                head.doomed or logs.overdue(txn, log, head, hour, 1) for log, head in rows
            )

        def job(txn: Transaction) -> int:
            done = 0
            for log, kind, entry in logs.expire(txn, hour, batch):
                self._user(kind).gone(txn, log, [entry])
                done += 1
            for log, head in rows:
                if done >= batch:
                    break
                gone = logs.trim(txn, log, hour, batch - done)
                if gone:
                    self._user(head.kind).gone(txn, log, gone)
                done += len(gone) + (head.doomed and len(gone) == head.held)
            return done

        if await self._store.read_cold(is_idle):
            done = 0
        else:
            done = await self._store.write(job, freeing=True)
        self._swept = self._swept if done else following
        return done or len(following)

    def _user(self, kind: int) -> LogUser:
        return self._users.get(kind, _DEFAULT)

    def _is_over(self, entry: Entry) -> bool:
        return 0 < entry.until <= hour_of(self._clock())


_DEFAULT: Final = LogUser()


def _drafted(draft: Draft, number: int, hour: int) -> Entry:
    return Entry(number, draft.id, draft.kind, hour, draft.author, draft.until, None, draft.body)
