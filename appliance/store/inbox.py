"""The inbox: items that arrive part by part. Owns what makes each of them arrive once.

A part, what makes it known (its envelope's id, its place in the item) and the completion of its item are
written in one transaction, before the envelope is acknowledged anywhere. A deleted item leaves a tombstone
for as long as a copy of its envelopes can still live at some relay.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final, Literal, NamedTuple

from appliance.errors import Refusal
from appliance.protocol.envelope import EnvelopeId
from appliance.protocol.item import Header, ItemKind, Part
from appliance.store.engine import Table, Transaction
from appliance.store.schema import (
    INBOX,
    INBOX_FORGET,
    INBOX_PARTS,
    INBOX_PROGRESS,
    INBOX_RECLAIM,
    INBOX_SEEN,
    INBOX_TOMBS,
    META,
    prefix_end,
)
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

_VERSION: Final = 1
_SEEN: Final = 1
_OCTETS: Final = b"inbox"
_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")
_MEMORIES: Final[tuple[Table, ...]] = (INBOX_SEEN, INBOX_TOMBS)

PROGRESS: Final = struct.Struct(">BBIIQQ")
"""version, flags (1 seen), parts, parts here, octets here, second of the first part."""


class InboxItem(Record, frozen=True):
    """What arrived from whom. Until part 0 is here, `header` is None. `id` is ours, `item` the sender's."""

    id: bytes
    sender: bytes
    item: bytes
    header: Header | None = None


class Arrival(NamedTuple):
    """How much of an item is here."""

    parts: int
    parts_here: int
    octets: int
    received: int
    seen: bool

    @property
    def complete(self) -> bool:
        """Whether every part is here."""
        return self.parts_here == self.parts


class Accepted(NamedTuple):
    """What became of a part: `new`, `again` (known already) or `wrong` (it contradicts the item).

    `complete` tells whether the item is whole; with `new` it just became so. `kind` is that of the header.
    """

    id: bytes
    state: Literal["new", "again", "wrong"]
    complete: bool = False
    kind: ItemKind | None = None


_TABLE: Final = SealedTable(INBOX, InboxItem)


def item_id(sender: bytes, item: bytes) -> bytes:
    """Our 16-octet id of a sender's item: no sender can touch the items of another."""
    return hashlib.blake2b(sender + item, digest_size=16).digest()


def is_known(txn: Transaction, envelope: EnvelopeId) -> bool:
    """Whether an envelope with this id was taken in before; needs no key."""
    return txn.get(INBOX_SEEN, envelope) is not None


def remember(txn: Transaction, envelope: EnvelopeId, until_hour: int) -> None:
    """Know this envelope until an hour: for receipts, and for what could not be opened."""
    _remember(txn, INBOX_SEEN, envelope, until_hour)


def accept(
    txn: Transaction,
    sealer: Sealer,
    *,
    sender: bytes,
    envelope: EnvelopeId,
    part: Part,
    now: int,
    until_hour: int,
    octets_limit: int,
) -> Accepted:
    """Take in one part of a note or file; envelopes and tombstones are remembered until `until_hour`.

    Refusal mailbox_full when all content here would exceed `octets_limit`: then do not acknowledge.
    """
    item = item_id(sender, part.item)
    if txn.get(INBOX_TOMBS, item) is not None:
        remember(txn, envelope, until_hour)
        return Accepted(item, "again", True)
    arrival = find_arrival(txn, item)
    key = item + _U32.pack(part.index)
    if arrival is not None and (part.count != arrival.parts or txn.get(INBOX_PARTS, key) is not None):
        remember(txn, envelope, until_hour)
        return Accepted(item, "wrong" if part.count != arrival.parts else "again", arrival.complete)
    octets = _octets(txn)
    if octets + len(part.data) > octets_limit:
        raise Refusal("mailbox_full")
    if arrival is None:
        arrival = Arrival(part.count, 0, 0, now, False)
        _TABLE.put(txn, sealer, item, InboxItem(item, sender, part.item, part.header))
    elif part.header is not None:
        _TABLE.put(txn, sealer, item, InboxItem(item, sender, part.item, part.header))
    txn.put(INBOX_PARTS, key, sealer.seal(INBOX_PARTS, key, part.data))
    arrival = arrival._replace(parts_here=arrival.parts_here + 1, octets=arrival.octets + len(part.data))
    _put_arrival(txn, item, arrival)
    txn.put(META, _OCTETS, _U64.pack(octets + len(part.data)))
    remember(txn, envelope, until_hour)
    header = part.header or (find(txn, sealer, item).header if arrival.complete else None)
    return Accepted(item, "new", arrival.complete, header.kind if header else None)


def find(txn: Transaction, sealer: Sealer, item: bytes) -> InboxItem:
    """The item; Refusal no_item."""
    found = _TABLE.get(txn, sealer, item)
    if found is None:
        raise Refusal("no_item")
    return found


def find_arrival(txn: Transaction, item: bytes) -> Arrival | None:
    """How much of an item is here, or None; needs no key."""
    value = txn.get(INBOX_PROGRESS, item)
    if value is None:
        return None
    _, flags, parts, here, octets, received = PROGRESS.unpack(value)
    return Arrival(parts, here, octets, received, bool(flags & _SEEN))


def list_all(txn: Transaction, sealer: Sealer) -> list[tuple[InboxItem, Arrival]]:
    """Every item with its arrival, newest first; parts are not read."""
    rows = [
        (item, arrival)
        for item in _TABLE.list_all(txn, sealer)
        if (arrival := find_arrival(txn, item.id)) is not None
    ]
    return sorted(rows, key=lambda row: (row[1].received, row[0].id), reverse=True)


def count_unseen(txn: Transaction) -> int:
    """Complete items that the owner has not opened; needs no key."""
    rows = (PROGRESS.unpack(value) for _, value in txn.range(INBOX_PROGRESS))
    return sum(not flags & _SEEN and here == parts for _, flags, parts, here, _, _ in rows)


def used_octets(txn: Transaction) -> int:
    """Octets of all content that is here."""
    return _octets(txn)


def read_parts(txn: Transaction, sealer: Sealer, item: bytes, first: int, limit: int) -> list[bytes]:
    """The content of up to `limit` parts from `first` on, in order; for `Store.read_cold`."""
    rows = txn.range(INBOX_PARTS, item + _U32.pack(first), prefix_end(item), limit=limit)
    return [sealer.open(INBOX_PARTS, key, value) for key, value in rows]


def mark_seen(txn: Transaction, item: bytes) -> None:
    """The owner has opened the item; Refusal no_item."""
    arrival = find_arrival(txn, item)
    if arrival is None:
        raise Refusal("no_item")
    _put_arrival(txn, item, arrival._replace(seen=True))


def remove(txn: Transaction, item: bytes, until_hour: int) -> None:
    """Delete an item; it does not come again until this hour. The sweep takes its parts. Refusal no_item."""
    arrival = find_arrival(txn, item)
    if arrival is None:
        raise Refusal("no_item")
    txn.delete(INBOX, item)
    txn.delete(INBOX_PROGRESS, item)
    txn.put(INBOX_RECLAIM, item, b"")
    txn.put(META, _OCTETS, _U64.pack(_octets(txn) - arrival.octets))
    _remember(txn, INBOX_TOMBS, item, until_hour)


def sweep(txn: Transaction, now_hour: int, limit: int) -> int:
    """Delete parts of deleted items and memories whose hour has passed, about `limit` rows; how many."""
    done = 0
    for item in list(txn.keys(INBOX_RECLAIM, limit=limit)):
        for key in list(txn.keys(INBOX_PARTS, item, prefix_end(item), limit - done)):
            txn.delete(INBOX_PARTS, key)
            done += 1
        if done >= limit:
            return done
        txn.delete(INBOX_RECLAIM, item)
        done += 1
    for key in list(txn.keys(INBOX_FORGET, stop=_U32.pack(now_hour), limit=max(0, limit - done))):
        table, memory = _MEMORIES[key[4]], key[5:]
        txn.delete(INBOX_FORGET, key)
        if txn.get(table, memory) == key[:4]:  # it was not made to last longer meanwhile
            txn.delete(table, memory)
        done += 1
    return done


def _remember(txn: Transaction, table: Table, key: bytes, until_hour: int) -> None:
    hour = _U32.pack(until_hour)
    before = txn.get(table, key)
    if before is None or before < hour:
        txn.put(table, key, hour)
        txn.put(INBOX_FORGET, hour + bytes((_MEMORIES.index(table),)) + key, b"")


def _octets(txn: Transaction) -> int:
    value = txn.get(META, _OCTETS)
    return 0 if value is None else int(_U64.unpack(value)[0])


def _put_arrival(txn: Transaction, item: bytes, arrival: Arrival) -> None:
    parts, here, octets, received, seen = arrival
    value = PROGRESS.pack(_VERSION, _SEEN if seen else 0, parts, here, octets, received)
    txn.put(INBOX_PROGRESS, item, value)
