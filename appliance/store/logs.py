"""Logs: append-only lists of entries, numbered from 1, with ids that make appending again harmless.

The last number of a log never goes back, also when its entries are gone. A removed entry keeps its row
without body (`remove`); a dropped one leaves nothing (`drop`, `trim`, `expire`). Whoever keeps indexes over
a log's entries changes them in the same transaction: the last three tell what went.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol.log import MAX_BODY, REMOVED, Removed
from appliance.store.engine import Transaction
from appliance.store.schema import LOG_ENTRIES, LOG_EXPIRY, LOG_IDS, LOGS, prefix_end
from appliance.store.storekey import Sealer

HEAD: Final = struct.Struct(">BBBQQQQII")
"""Version, kind, flags, last, first, entries, octets, retention in hours, retention in entries."""
ENTRY: Final = struct.Struct(">BBBI8s16sI")
"""Version, kind, who removed it (1 + place in REMOVED; 0: nobody), hour, author, id, hour of its end."""
AUTHOR_SIZE: Final = 8
ENTRY_COST: Final = 160
"""Octets counted for an entry's rows beside its body."""

_VERSION: Final = 1
_SEALED: Final = 1
_DOOMED: Final = 2
_U64: Final = struct.Struct(">Q")
_EXPIRY: Final = struct.Struct(">I16sQ")
_NOBODY: Final = bytes(AUTHOR_SIZE)


class Head(NamedTuple):
    """A log as a whole: `first` and `last` number, what it holds, and how long (0: for ever)."""

    kind: int
    sealed: bool
    doomed: bool
    last: int
    first: int
    held: int
    octets: int
    hours: int
    entries: int

    def pack(self) -> bytes:
        """The stored form."""
        flags = _SEALED * self.sealed | _DOOMED * self.doomed
        return HEAD.pack(_VERSION, self.kind, flags, *self[3:])


class Draft(NamedTuple):
    """An entry to be appended. `author` is what `author_of` gives; `until` the hour of its end (0: none)."""

    id: bytes
    kind: int
    body: bytes
    author: bytes = _NOBODY
    until: int = 0

    def __repr__(self) -> str:
        return "<Draft>"


class Entry(NamedTuple):
    """A stored entry; `body` is None when it was removed, or when it was read without bodies."""

    number: int
    id: bytes
    kind: int
    hour: int
    author: bytes
    until: int
    removed: Removed | None
    body: bytes | None

    def __repr__(self) -> str:
        return f"<Entry {self.number}>"


class Appended(NamedTuple):
    """The number of an entry; not `fresh` when its id was there already."""

    number: int
    fresh: bool


class Span(NamedTuple):
    """Entries by rising number, and whether others lie beyond them in the direction of reading."""

    head: Head
    entries: list[Entry]
    more: bool


def author_of(sealer: Sealer, log: bytes, account: bytes) -> bytes:
    """Eight octets that stand for an account within one log; they tell nothing without the store key."""
    return sealer.blind(LOG_ENTRIES, log + account)[:AUTHOR_SIZE]


def create(
    txn: Transaction, log: bytes, kind: int, *, sealed: bool, hours: int = 0, entries: int = 0
) -> Head:
    """Make a log; one that is there stays as it is. `hours`, `entries`: what `trim` leaves (0: all)."""
    found = _read_head(txn, log)
    if found is not None:
        return found
    head = Head(kind, sealed, False, 0, 1, 0, 0, hours, entries)
    txn.put(LOGS, log, head.pack())
    return head


def find(txn: Transaction, log: bytes) -> Head | None:
    """The head of a log, or None; one that is being deleted is not there any more."""
    head = _read_head(txn, log)
    return None if head is None or head.doomed else head


def require(txn: Transaction, log: bytes) -> Head:
    """The head of a log; Refusal no_log."""
    head = find(txn, log)
    if head is None:
        raise Refusal("no_log")
    return head


def list_all(txn: Transaction, after: bytes = b"", limit: int | None = None) -> list[tuple[bytes, Head]]:
    """Logs by id, those being deleted too."""
    start = after + b"\0" if after else b""
    return [(log, _unpack(value)) for log, value in txn.range(LOGS, start, limit=limit)]


def is_known(txn: Transaction, log: bytes) -> bool:
    """Whether a log has this id, also one that is being deleted."""
    return txn.get(LOGS, log) is not None


def hour_of(txn: Transaction, log: bytes, number: int) -> int | None:
    """The hour of an entry, or None."""
    value = txn.get(LOG_ENTRIES, log + _U64.pack(number))
    return None if value is None else int(ENTRY.unpack_from(value)[3])


def retain(txn: Transaction, log: bytes, hours: int, entries: int) -> None:
    """Change how long a log keeps its entries; the sweep follows. Refusal no_log."""
    txn.put(LOGS, log, require(txn, log)._replace(hours=hours, entries=entries).pack())


def append(txn: Transaction, sealer: Sealer | None, log: bytes, draft: Draft, hour: int) -> Appended:
    """Give an entry the next number, or find the one its id has. Refusals: no_log, locked, too_large."""
    head = require(txn, log)
    if len(draft.body) > MAX_BODY:
        raise Refusal("too_large")
    known = number_of(txn, log, draft.id)
    if known is not None:
        return Appended(known, False)
    number = head.last + 1
    key = log + _U64.pack(number)
    row = ENTRY.pack(_VERSION, draft.kind, 0, hour, draft.author, draft.id, draft.until)
    txn.put(LOG_ENTRIES, key, row + _close(head, sealer, key, draft.body))
    txn.put(LOG_IDS, log + draft.id, _U64.pack(number))
    if draft.until:
        txn.put(LOG_EXPIRY, _EXPIRY.pack(draft.until, log, number), b"")
    first = head.first if head.held else number
    size = len(draft.body) + ENTRY_COST
    grown = head._replace(last=number, first=first, held=head.held + 1, octets=head.octets + size)
    txn.put(LOGS, log, grown.pack())
    return Appended(number, True)


def number_of(txn: Transaction, log: bytes, id: bytes) -> int | None:
    """The number of an entry by its id, or None."""
    value = txn.get(LOG_IDS, log + id)
    return None if value is None else int(_U64.unpack(value)[0])


def find_entry(txn: Transaction, log: bytes, id: bytes) -> Entry | None:
    """An entry by its id, without its body; or None."""
    number = number_of(txn, log, id)
    found = None if number is None else _bare(txn, log, number)
    return None if found is None else found[0]


def get(txn: Transaction, sealer: Sealer | None, log: bytes, number: int) -> Entry | None:
    """One entry, or None. Refusals: no_log, locked, damaged_store."""
    head = require(txn, log)
    key = log + _U64.pack(number)
    value = txn.get(LOG_ENTRIES, key)
    return None if value is None else _entry(head, sealer, key, value)


def read(
    txn: Transaction,
    sealer: Sealer | None,
    log: bytes,
    *,
    after: int = 0,
    before: int | None = None,
    limit: int,
    octets: int,
) -> Span:
    """Entries after a number, or the last ones before one, up to `octets` of bodies (but at least one).

    Refusals: no_log, locked, damaged_store.
    """
    head = require(txn, log)
    stop = prefix_end(log) if before is None else log + _U64.pack(max(before, 0))
    rows = txn.range(LOG_ENTRIES, log + _U64.pack(after + 1), stop, before is not None, limit + 1)
    found: list[Entry] = []
    more = False
    for key, value in rows:
        octets -= len(value) - ENTRY.size
        if len(found) == limit or (found and octets < 0):
            more = True
            break
        found.append(_entry(head, sealer, key, value))
    return Span(head, found[::-1] if before is not None else found, more)


def remove(txn: Transaction, log: bytes, number: int, by: Removed) -> bool:
    """Take an entry's body from the disk; its row says by whom. False when it is gone already."""
    found = _bare(txn, log, number)
    if found is None or found[0].removed is not None:
        return False
    entry, size = found
    row = ENTRY.pack(_VERSION, entry.kind, 1 + REMOVED.index(by), entry.hour, entry.author, entry.id, 0)
    txn.put(LOG_ENTRIES, log + _U64.pack(number), row)
    if entry.until:
        txn.delete(LOG_EXPIRY, _EXPIRY.pack(entry.until, log, number))
    head = require(txn, log)
    txn.put(LOGS, log, head._replace(octets=head.octets - size).pack())
    return True


def drop(txn: Transaction, log: bytes, number: int) -> Entry | None:
    """Take an entry away whole, with its id; what it was (without body), or None."""
    head = _read_head(txn, log)
    found = _bare(txn, log, number)
    if head is None or found is None:
        return None
    entry, size = found
    txn.delete(LOG_ENTRIES, log + _U64.pack(number))
    txn.delete(LOG_IDS, log + entry.id)
    if entry.until:
        txn.delete(LOG_EXPIRY, _EXPIRY.pack(entry.until, log, number))
    first = head.first
    if number == first:
        following = txn.keys(LOG_ENTRIES, log, prefix_end(log), 1)
        first = next((_number(key) for key in following), head.last + 1)
    left = head._replace(first=first, held=head.held - 1, octets=head.octets - size - ENTRY_COST)
    txn.put(LOGS, log, left.pack())
    return entry


def trim(txn: Transaction, log: bytes, now_hour: int, limit: int) -> list[Entry]:
    """Drop up to `limit` of the oldest entries that are past the log's retention; those that went.

    Of a log that is being deleted everything goes, and at the end its head.
    """
    head = _read_head(txn, log)
    if head is None:
        return []
    gone: list[Entry] = []
    for number in overdue(txn, log, head, now_hour, limit):
        entry = drop(txn, log, number)
        if entry is not None:
            gone.append(entry)
    if head.doomed and len(gone) == head.held:
        txn.delete(LOGS, log)
    return gone


def overdue(txn: Transaction, log: bytes, head: Head, now_hour: int, limit: int) -> list[int]:
    """Numbers of the oldest entries that are past the log's retention, at most `limit`."""
    excess = head.held if head.doomed else max(0, head.held - head.entries) if head.entries else 0
    found: list[int] = []
    for key, value in txn.range(LOG_ENTRIES, log, prefix_end(log), limit=limit):
        hour = ENTRY.unpack_from(value)[3]
        if len(found) >= excess and not (head.hours and hour + head.hours <= now_hour):
            break
        found.append(_number(key))
    return found


def expire(txn: Transaction, now_hour: int, limit: int) -> list[tuple[bytes, int, Entry]]:
    """Drop up to `limit` entries whose own end has come; log, its kind, and what each was."""
    gone: list[tuple[bytes, int, Entry]] = []
    for key in list(txn.keys(LOG_EXPIRY, stop=_EXPIRY.pack(now_hour + 1, bytes(16), 0), limit=limit)):
        _, log, number = _EXPIRY.unpack(key)
        head = _read_head(txn, log)
        entry = drop(txn, log, number)
        if head is not None and entry is not None:
            gone.append((log, head.kind, entry))
        else:
            txn.delete(LOG_EXPIRY, key)
    return gone


def doom(txn: Transaction, log: bytes) -> bool:
    """Delete a log: nobody finds it any more, and `trim` takes its entries away. False when not there."""
    head = find(txn, log)
    if head is None:
        return False
    txn.put(LOGS, log, head._replace(doomed=True).pack())
    return True


def has_overdue(txn: Transaction, now_hour: int) -> bool:
    """Whether any entry's own end has come."""
    return any(txn.keys(LOG_EXPIRY, stop=_EXPIRY.pack(now_hour + 1, bytes(16), 0), limit=1))


def scan(txn: Transaction, log: bytes) -> Iterator[Entry]:
    """Every entry by number, without bodies."""
    for key, value in txn.range(LOG_ENTRIES, log, prefix_end(log)):
        yield _fields(key, value, None)


def _read_head(txn: Transaction, log: bytes) -> Head | None:
    value = txn.get(LOGS, log)
    return None if value is None else _unpack(value)


def _unpack(value: bytes) -> Head:
    version, kind, flags, *rest = HEAD.unpack(value)
    if version != _VERSION:
        raise Refusal("damaged_store")
    return Head(kind, bool(flags & _SEALED), bool(flags & _DOOMED), *rest)


def _close(head: Head, sealer: Sealer | None, key: bytes, body: bytes) -> bytes:
    if not head.sealed:
        return body
    if sealer is None:
        raise Refusal("locked")
    return sealer.seal(LOG_ENTRIES, key, body)


def _entry(head: Head, sealer: Sealer | None, key: bytes, value: bytes) -> Entry:
    body = value[ENTRY.size :]
    if value[2]:  # removed
        return _fields(key, value, None)
    if head.sealed:
        if sealer is None:
            raise Refusal("locked")
        body = sealer.open(LOG_ENTRIES, key, body)
    return _fields(key, value, body)


def _bare(txn: Transaction, log: bytes, number: int) -> tuple[Entry, int] | None:
    """An entry without its body, and the octets that body was counted with."""
    key = log + _U64.pack(number)
    value = txn.get(LOG_ENTRIES, key)
    head = _read_head(txn, log)
    if value is None or head is None:
        return None
    size = max(0, len(value) - ENTRY.size - (Sealer.OVERHEAD if head.sealed else 0))
    return _fields(key, value, None), size


def _fields(key: bytes, value: bytes, body: bytes | None) -> Entry:
    version, kind, removed, hour, author, id, until = ENTRY.unpack_from(value)
    if version != _VERSION:
        raise Refusal("damaged_store")
    who = REMOVED[removed - 1] if removed else None
    return Entry(_number(key), id, kind, hour, author, until, who, body)


def _number(key: bytes) -> int:
    return int(_U64.unpack(key[-8:])[0])
