"""Dispatches: what members' devices hand to their box, and how it stands with each destination.

A dispatch is a head (sealed: handles and states) and, while something is on its way, its envelopes and the
legs to be gone (`legs`). A dispatch that is done keeps its head for a day, so that its id is known again.
One whose every leg ended on this box in its own commit is never here: the mailboxes know its envelopes.
Every step can be taken again.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from appliance.protocol import codec
from appliance.protocol.post import DispatchState, Leg
from appliance.store import legs
from appliance.store.engine import Transaction
from appliance.store.legs import DispatchKey, LegKey, Progress, Target
from appliance.store.schema import (
    DISPATCH_ENDS,
    DISPATCH_ENVELOPES,
    DISPATCH_LOAD,
    DISPATCHES,
    prefix_end,
)
from appliance.store.sealed import Record
from appliance.store.storekey import Sealer

MOST_DONE: Final = 10_000
"""Dispatches of an account that are remembered once they are done; beyond that they are forgotten at once."""
LOAD: Final = struct.Struct(">IQIQ")
"""Envelopes and octets that wait; dispatches that are done and remembered; dispatches so far."""
_U16: Final = struct.Struct(">H")
_U64: Final = struct.Struct(">Q")


class Head(Record, frozen=True):
    """What is remembered of a device's dispatch; `ended`: the second when nothing was left to do, or 0."""

    created: int
    horizon: int
    legs: list[Leg]
    device: bytes
    octets: int = 0
    envelopes: int = 0
    ended: int = 0


class Bounds(NamedTuple):
    """What one account may have waiting."""

    envelopes: int
    octets: int


class Underway(NamedTuple):
    """A new leg that is not done at once: of its `total` envelopes these are missing."""

    target: Target
    missing: Sequence[int]
    total: int


class Load(NamedTuple):
    """What one account has waiting, and how many done dispatches are remembered for it.

    `order` counts its dispatches, so that they are carried in the order in which they were handed over.
    """

    envelopes: int
    octets: int
    done: int
    order: int = 0


def key_of(account: bytes, id: bytes) -> DispatchKey:
    """The key of a dispatch."""
    return DispatchKey(account + id)


def find(txn: Transaction, sealer: Sealer, dispatch: DispatchKey) -> Head | None:
    """The head, or None."""
    value = txn.get(DISPATCHES, dispatch)
    return None if value is None else codec.read_own(sealer.open(DISPATCHES, dispatch, value), Head)


def state(dispatch: DispatchKey, head: Head) -> DispatchState:
    """How it stands, as the device hears it."""
    return DispatchState(dispatch[16:], head.legs)


def list_all(txn: Transaction, sealer: Sealer, account: bytes, limit: int) -> list[DispatchState]:
    """The account's dispatches, those under way first, then the ones done last; at most `limit`."""
    found = []
    for key, value in txn.range(DISPATCHES, account, prefix_end(account)):
        found.append((DispatchKey(key), codec.read_own(sealer.open(DISPATCHES, key, value), Head)))
    found.sort(key=lambda row: (row[1].ended > 0, -row[1].ended, -row[1].created, row[0]))
    return [state(key, head) for key, head in found[:limit]]


def load(txn: Transaction, account: bytes) -> Load:
    """What waits for an account."""
    value = txn.get(DISPATCH_LOAD, account)
    return Load(0, 0, 0) if value is None else Load._make(LOAD.unpack(value))


def has_room(txn: Transaction, account: bytes, envelopes: int, octets: int, bounds: Bounds) -> bool:
    """Whether so much more may wait."""
    waits = load(txn, account)
    return waits.envelopes + envelopes <= bounds.envelopes and waits.octets + octets <= bounds.octets


def add(
    txn: Transaction,
    sealer: Sealer,
    dispatch: DispatchKey,
    head: Head,
    envelopes: Sequence[bytes],
    targets: dict[int, Underway],
    now: int,
) -> Head:
    """Keep a new dispatch; `targets` has each leg that is under way."""
    if not targets:
        return _end(txn, sealer, dispatch, head, now)
    wanted = sorted({index for leg in targets.values() for index in leg.missing})
    octets = 0
    for index in wanted:
        txn.put(DISPATCH_ENVELOPES, dispatch + _U16.pack(index), envelopes[index])
        octets += len(envelopes[index])
    waits = load(txn, dispatch[:16])
    order = waits.order + 1
    for number, leg in targets.items():
        at = legs.key_of(dispatch, number)
        target = replace(leg.target, order=order)
        legs.add(txn, sealer, at, target, leg.missing, leg.total, head.horizon, now)
    head = replace(head, envelopes=len(wanted), octets=octets)
    _put_load(
        txn,
        dispatch[:16],
        Load(waits.envelopes + len(wanted), waits.octets + octets, waits.done, order),
    )
    return _put(txn, sealer, dispatch, head)


def note(
    txn: Transaction, sealer: Sealer, leg: LegKey, progress: Progress, now: int, *, done: bool
) -> Head | None:
    """Write down how a leg stands; a leg that is done leaves, and the last one ends the dispatch.

    The head if it changed, else None (also for a dispatch that is gone).
    """
    dispatch = DispatchKey(leg[:32])
    head = find(txn, sealer, dispatch)
    if head is None:
        return None
    number = legs.number_of(leg)
    before = head.legs[number]
    after = Leg(
        before.handle,
        legs.state_of(progress),
        progress.expires_hour or None,
        progress.relays,
        progress.reason or None,
    )
    if done:
        legs.remove(txn, leg)
    if after == before and not done:
        return None
    rows = [after if at == number else row for at, row in enumerate(head.legs)]
    head = replace(head, legs=rows)
    if done and not legs.has_any(txn, dispatch):
        return _end(txn, sealer, dispatch, head, now)
    return _put(txn, sealer, dispatch, head)


def remove(txn: Transaction, sealer: Sealer, dispatch: DispatchKey) -> bool:
    """Forget a dispatch, done or not; False when it is gone already."""
    head = find(txn, sealer, dispatch)
    if head is None:
        return False
    for leg in legs.list_all(txn, dispatch):
        legs.remove(txn, leg)
    _drop_envelopes(txn, dispatch, head)
    if head.ended:
        _forget_end(txn, dispatch, head.ended)
    txn.delete(DISPATCHES, dispatch)
    return True


def is_over(txn: Transaction, ended_before: int) -> bool:
    """Whether a dispatch was done before this second."""
    return next(txn.keys(DISPATCH_ENDS, stop=_U64.pack(ended_before), limit=1), None) is not None


def sweep(txn: Transaction, ended_before: int, limit: int) -> int:
    """Forget dispatches that were done before this second; needs no key."""
    keys = list(txn.keys(DISPATCH_ENDS, stop=_U64.pack(ended_before), limit=limit))
    for key in keys:
        _forget_end(txn, DispatchKey(key[8:]), int(_U64.unpack(key[:8])[0]))
        txn.delete(DISPATCHES, key[8:])
    return len(keys)


def remove_some(txn: Transaction, sealer: Sealer, account: bytes, limit: int) -> int:
    """Remove some dispatches of an account; 0 when none is left."""
    keys = list(txn.keys(DISPATCHES, account, prefix_end(account), limit))
    for key in keys:
        remove(txn, sealer, DispatchKey(key))
    return len(keys)


def _end(txn: Transaction, sealer: Sealer, dispatch: DispatchKey, head: Head, now: int) -> Head:
    _drop_envelopes(txn, dispatch, head)
    head = replace(head, ended=now, envelopes=0, octets=0)
    account = dispatch[:16]
    waits = load(txn, account)
    if waits.done >= MOST_DONE:
        txn.delete(DISPATCHES, dispatch)
        return head
    txn.put(DISPATCH_ENDS, _U64.pack(now) + dispatch, b"")
    _put_load(txn, account, waits._replace(done=waits.done + 1))
    return _put(txn, sealer, dispatch, head)


def _forget_end(txn: Transaction, dispatch: DispatchKey, ended: int) -> None:
    if txn.delete(DISPATCH_ENDS, _U64.pack(ended) + dispatch):
        waits = load(txn, dispatch[:16])
        _put_load(txn, dispatch[:16], waits._replace(done=max(0, waits.done - 1)))


def _drop_envelopes(txn: Transaction, dispatch: DispatchKey, head: Head) -> None:
    if not head.envelopes:
        return
    for key in list(txn.keys(DISPATCH_ENVELOPES, dispatch, prefix_end(dispatch))):
        txn.delete(DISPATCH_ENVELOPES, key)
    waits = load(txn, dispatch[:16])
    _put_load(
        txn,
        dispatch[:16],
        waits._replace(envelopes=waits.envelopes - head.envelopes, octets=waits.octets - head.octets),
    )


def _put(txn: Transaction, sealer: Sealer, dispatch: DispatchKey, head: Head) -> Head:
    txn.put(DISPATCHES, dispatch, sealer.seal(DISPATCHES, dispatch, codec.encode(head)))
    return head


def _put_load(txn: Transaction, account: bytes, waits: Load) -> None:
    if any(waits[:3]):
        txn.put(DISPATCH_LOAD, account, LOAD.pack(*waits))
    else:
        txn.delete(DISPATCH_LOAD, account)
