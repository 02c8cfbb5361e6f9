"""The vaults of the accounts: records that clients sealed, changed in batches by compare-and-swap.

Every change raises the vault's revision by one, and its records move to that revision, so that reading from
a revision on is one walk over neighbours. A removed record stays as an empty one with its version (a tomb),
so that other devices learn of it and nobody takes its successor for it; tombs go after a time, oldest
first, and the floor tells who has been away for longer than that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol.vault import MAX_CHANGES, Change, SealedRecord
from appliance.store.schema import (
    VAULT,
    VAULT_DOOMED,
    VAULT_INDEX,
    VAULT_RECORDS,
    VAULT_TOMBS,
    prefix_end,
)
from appliance.store.transaction import Table, Transaction

HEAD: Final = struct.Struct(">QQQII")
"""Revision, floor (the latest revision of a forgotten tomb), octets counted, records, tombs."""
PLACE: Final = struct.Struct(">QQII")
"""Revision of the last change, version, octets of the data, hour of the removal (0: it is there)."""

RECORD_COST: Final = 64
"""Octets that every record counts beside its data."""
MAX_TOMBS: Final = 10_000
"""Removals an account's vault remembers; the oldest go first."""
CHANGE_OCTETS: Final = 3 * 1024 * 1024
"""Data in one change: what one transaction takes for one caller, and what a page grows by at most."""

_U64 = struct.Struct(">Q")
_U32 = struct.Struct(">I")
_REVISION = slice(16, 24)
_RECORD = slice(24, 40)


class Head(NamedTuple):
    """One vault's counters; revisions rise by one with each change."""

    revision: int = 0
    floor: int = 0
    octets: int = 0
    records: int = 0
    tombs: int = 0


class Page(NamedTuple):
    """Records in the order of their revisions, the vault as it was then, and whether others follow."""

    head: Head
    records: list[SealedRecord]
    more: bool


class _Place(NamedTuple):
    revision: int = 0
    version: int = 0
    octets: int = 0
    removed_hour: int = 0

    @property
    def there(self) -> bool:
        return self.version > 0 and not self.removed_hour


def find_head(txn: Transaction, account: bytes) -> Head:
    """The counters of a vault, an empty one's where none is; Refusal busy while an old one is removed."""
    if txn.get(VAULT_DOOMED, account) is not None:
        raise Refusal("busy")
    value = txn.get(VAULT, account)
    return Head() if value is None else Head(*HEAD.unpack(value))


def change(txn: Transaction, account: bytes, change: Change, limit: int, hour: int) -> int:
    """All of a change or nothing; the new revision. `limit` in octets.

    Refusals vault_conflict (with the ids whose version is another), vault_full (unless it gets smaller),
    malformed (an id twice), too_large. Whatever is refused was refused before anything was written.
    """
    _check_shape(change)
    head = find_head(txn, account)
    if not (change.put or change.remove):
        return head.revision
    present = {record: _find_place(txn, account, record) for record in _ids(change)}
    conflicts = [one.id for one in change.put if present[one.id].version != one.base]
    conflicts += [
        one.id for one in change.remove if not present[one.id].there or present[one.id].version != one.base
    ]
    if conflicts:
        raise Refusal("vault_conflict", ids=conflicts)
    before = sum(place.octets + RECORD_COST for place in present.values() if place.there)
    after = sum(len(put.data) + RECORD_COST for put in change.put)
    octets = head.octets - before + after
    if octets > limit and after > before:
        raise Refusal("vault_full", octets=head.octets, limit=limit)

    revision = head.revision + 1
    for record, place in present.items():
        _take_out(txn, account, record, place)
    for put in change.put:
        _put_in(txn, account, put.id, _Place(revision, put.base + 1, len(put.data)), put.data)
    for gone in change.remove:
        _put_in(txn, account, gone.id, _Place(revision, gone.base + 1, 0, hour), b"")
    there = sum(place.there for place in present.values())
    tombs = sum(place.removed_hour > 0 for place in present.values())
    head = Head(
        revision,
        head.floor,
        octets,
        head.records - there + len(change.put),
        head.tombs - tombs + len(change.remove),
    )
    _save_head(txn, account, _forget_tombs(txn, account, head, head.tombs - MAX_TOMBS))
    return revision


def changes(txn: Transaction, account: bytes, after: int, began: int, octets: int) -> Page:
    """Records whose revision is above `after`, about `octets` of them, never a part of one change.

    Who reads from the start tells the revision at which it `began`. Refusal vault_old when a removal since
    then is forgotten, or when the vault was set back behind `after`.
    """
    head = find_head(txn, account)
    if after > head.revision or (after and max(after, began) < head.floor):
        raise Refusal("vault_old", revision=head.revision)
    records: list[SealedRecord] = []
    taken = 0
    start, stop = account + _U64.pack(after + 1), prefix_end(account)
    for key, data in txn.range(VAULT_RECORDS, start, stop):
        revision = int.from_bytes(key[_REVISION], "big")
        if taken >= octets and records[-1].revision != revision:
            return Page(head, records, True)
        records.append(_record(txn, account, key[_RECORD], data))
        taken += len(data) + RECORD_COST
    return Page(head, records, False)


def read(txn: Transaction, account: bytes, ids: Sequence[bytes], octets: int) -> Page:
    """Records by id, each once, removed ones too, unknown ones not; about `octets` of them."""
    head = find_head(txn, account)
    records: list[SealedRecord] = []
    taken = 0
    for record in dict.fromkeys(ids):
        if taken >= octets:
            return Page(head, _in_order(records), True)
        place = _find_place(txn, account, record)
        if place.version:
            data = txn.get(VAULT_RECORDS, _at(account, place.revision, record)) or b""
            records.append(_record(txn, account, record, data))
            taken += len(data) + RECORD_COST
    return Page(head, _in_order(records), False)


def forget(txn: Transaction, account: bytes) -> None:
    """Doom the vault of a deleted account; its rows go with the sweep."""
    if txn.get(VAULT, account) is not None:
        txn.delete(VAULT, account)
        txn.put(VAULT_DOOMED, account, b"")


def figures(txn: Transaction, account: bytes) -> Head:
    """What a vault holds, for lists and exports; an empty one's counters while it is removed."""
    value = txn.get(VAULT, account)
    return Head() if value is None else Head(*HEAD.unpack(value))


def sweep_doomed(txn: Transaction, limit: int) -> int:
    """Remove up to `limit` rows of deleted accounts; how many went."""
    removed = 0
    for account in list(txn.keys(VAULT_DOOMED, limit=limit)):
        for table in (VAULT_INDEX, VAULT_RECORDS, VAULT_TOMBS):
            removed += _clear(txn, table, account, limit - removed)
        if removed >= limit:
            return removed
        txn.delete(VAULT_DOOMED, account)
        removed += 1
    return removed


def list_accounts(txn: Transaction, after: bytes, limit: int) -> list[bytes]:
    """Accounts with a vault in order, those after `after`."""
    return list(txn.keys(VAULT, after + b"\0", limit=limit))


def sweep_tombs(txn: Transaction, accounts: Iterable[bytes], hour: int, limit: int) -> int:
    """Forget up to `limit` removals of these accounts that are from before `hour`; how many went."""
    removed = 0
    for account in accounts:
        value = txn.get(VAULT, account)
        if value is None:
            continue
        old = _old_tombs(txn, account, hour, limit - removed)
        if old:
            _save_head(txn, account, _forget_tombs(txn, account, Head(*HEAD.unpack(value)), old))
            removed += old
    return removed


def has_doomed(txn: Transaction) -> bool:
    """Whether rows of a deleted account are still there."""
    return txn.count(VAULT_DOOMED) > 0


def count_old_tombs(txn: Transaction, accounts: Iterable[bytes], hour: int) -> int:
    """How many of these accounts have removals from before `hour`: to see on a snapshot what is to do."""
    return sum(_old_tombs(txn, account, hour, 1) for account in accounts)


def _check_shape(change: Change) -> None:
    ids = _ids(change)
    if len(set(ids)) != len(ids) or max(len(change.put), len(change.remove)) > MAX_CHANGES:
        raise Refusal("malformed", field="id")
    # A version has 64 bits in the file.
    bases = [one.base for one in change.put] + [one.base for one in change.remove]
    if not all(0 <= base < 1 << 53 for base in bases):
        raise Refusal("malformed", field="base")
    if sum(len(put.data) for put in change.put) > CHANGE_OCTETS:
        raise Refusal("too_large", limit=CHANGE_OCTETS)


def _ids(change: Change) -> list[bytes]:
    return [one.id for one in change.put] + [one.id for one in change.remove]


def _take_out(txn: Transaction, account: bytes, record: bytes, place: _Place) -> None:
    if not place.version:
        return
    at = _at(account, place.revision, record)
    txn.delete(VAULT_RECORDS, at)
    if place.removed_hour:
        txn.delete(VAULT_TOMBS, at)


def _put_in(txn: Transaction, account: bytes, record: bytes, place: _Place, data: bytes) -> None:
    at = _at(account, place.revision, record)
    txn.put(VAULT_RECORDS, at, data)
    txn.put(VAULT_INDEX, account + record, PLACE.pack(*place))
    if place.removed_hour:
        txn.put(VAULT_TOMBS, at, _U32.pack(place.removed_hour))


def _forget_tombs(txn: Transaction, account: bytes, head: Head, count: int) -> Head:
    """The head after the `count` oldest removals were forgotten."""
    if count <= 0:
        return head
    floor = head.floor
    gone = list(islice(txn.keys(VAULT_TOMBS, account, prefix_end(account)), count))
    for at in gone:
        floor = int.from_bytes(at[_REVISION], "big")
        txn.delete(VAULT_TOMBS, at)
        txn.delete(VAULT_RECORDS, at)
        txn.delete(VAULT_INDEX, account + at[_RECORD])
    return head._replace(floor=floor, tombs=head.tombs - len(gone))


def _old_tombs(txn: Transaction, account: bytes, hour: int, limit: int) -> int:
    count = 0
    for _, value in txn.range(VAULT_TOMBS, account, prefix_end(account), limit=limit):
        if _U32.unpack(value)[0] >= hour:
            break
        count += 1
    return count


def _clear(txn: Transaction, table: Table, prefix: bytes, limit: int) -> int:
    gone = list(txn.keys(table, prefix, prefix_end(prefix), limit=max(0, limit)))
    for key in gone:
        txn.delete(table, key)
    return len(gone)


def _record(txn: Transaction, account: bytes, record: bytes, data: bytes) -> SealedRecord:
    place = _find_place(txn, account, record)
    return SealedRecord(record, place.version, place.revision, None if place.removed_hour else data)


def _in_order(records: list[SealedRecord]) -> list[SealedRecord]:
    return sorted(records, key=lambda record: record.revision)


def _find_place(txn: Transaction, account: bytes, record: bytes) -> _Place:
    value = txn.get(VAULT_INDEX, account + record)
    return _Place() if value is None else _Place(*PLACE.unpack(value))


def _save_head(txn: Transaction, account: bytes, head: Head) -> None:
    txn.put(VAULT, account, HEAD.pack(*head))


def _at(account: bytes, revision: int, record: bytes) -> bytes:
    return account + _U64.pack(revision) + record
