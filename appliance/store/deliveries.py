"""Deliveries: where each part of an item lies, which parts are still to be placed, and when to look again.

A part is pending until it is direct (the contact's own box took it) or live at as many relays as wanted.
When the time of relays runs out before the contact was there, `revive` makes parts pending again.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple, NewType

from appliance.protocol.item import ItemId
from appliance.store import outbox
from appliance.store.engine import Transaction
from appliance.store.outbox import Progress
from appliance.store.schema import OUTBOX_HELD, OUTBOX_NEXT, OUTBOX_PARTS, OUTBOX_PENDING, prefix_end

RouteKey = NewType("RouteKey", bytes)
"""8 octets that stand for a route in the table of held parts."""

_DIRECT: Final = b"\1"
_HELD: Final = b"\0"
_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")
_HOLDER: Final = struct.Struct(">8sI")


class Pending(NamedTuple):
    """A part to be placed, and the routes that hold it already with the hour until which they do."""

    part: int
    envelope: bytes
    held: dict[RouteKey, int]


def route_key(onion: bytes, mailbox: bytes) -> RouteKey:
    """What stands for a mailbox at an onion."""
    return RouteKey(hashlib.blake2b(onion + mailbox, digest_size=8).digest())


def due(txn: Transaction, now: int, limit: int) -> list[ItemId]:
    """Items whose time has come, the most overdue first; needs no key."""
    return [ItemId(key[8:]) for key in txn.keys(OUTBOX_NEXT, stop=_U64.pack(now + 1), limit=limit)]


def next_due(txn: Transaction) -> int | None:
    """The unix second at which the next item is due, or None."""
    for key in txn.keys(OUTBOX_NEXT, limit=1):
        return int(_U64.unpack(key[:8])[0])
    return None


def pending(txn: Transaction, item: bytes, limit: int, after: int = -1) -> list[Pending]:
    """Parts with an index above `after` that are to be placed, in order."""
    rows = []
    for key in txn.keys(OUTBOX_PENDING, item + _U32.pack(after + 1), prefix_end(item), limit):
        envelope = txn.get(OUTBOX_PARTS, key)
        if envelope is not None:
            rows.append(Pending(_U32.unpack(key[16:])[0], envelope, _holders(txn.get(OUTBOX_HELD, key))))
    return rows


def place_direct(txn: Transaction, item: bytes, indexes: Iterable[int]) -> Progress:
    """The contact's own box took these parts. Again is alike; Refusal no_item."""
    progress = outbox.progress_of(txn, item)
    if progress.state != "sending":
        return progress
    direct, held = progress.direct, progress.held
    for index in indexes:
        key = item + _U32.pack(index)
        value = txn.get(OUTBOX_HELD, key)
        if index >= progress.sealed or (value is not None and value[:1] == _DIRECT):
            continue
        direct += 1
        if not txn.delete(OUTBOX_PENDING, key):
            held -= 1
        txn.put(OUTBOX_HELD, key, _DIRECT + (value or b"")[1:])
    return _keep(txn, item, progress._replace(direct=direct, held=held))


def place_at(
    txn: Transaction,
    item: bytes,
    indexes: Iterable[int],
    route: RouteKey,
    expires_hour: int,
    wanted: int,
    now_hour: int,
) -> Progress:
    """A relay holds these parts until `expires_hour`; with `wanted` such relays a part is placed.

    Again is alike; Refusal no_item.
    """
    progress = outbox.progress_of(txn, item)
    if progress.state != "sending":
        return progress
    held, first = progress.held, progress.expires_hour
    for index in indexes:
        key = item + _U32.pack(index)
        value = txn.get(OUTBOX_HELD, key)
        if index >= progress.sealed or (value is not None and value[:1] == _DIRECT):
            continue
        holders = _live(value, now_hour)
        holders[route] = expires_hour
        txn.put(OUTBOX_HELD, key, _HELD + b"".join(_HOLDER.pack(*holder) for holder in holders.items()))
        if len(holders) >= wanted and txn.delete(OUTBOX_PENDING, key):
            held += 1
        first = min(first or expires_hour, *holders.values())
    return _keep(txn, item, progress._replace(held=held, expires_hour=first))


def revive(
    txn: Transaction, item: bytes, wanted: int, now_hour: int, limit: int, after: int = -1
) -> int | None:
    """Make parts pending again that fewer than `wanted` relays still hold; `limit` parts from `after` on.

    The index to go on after, or None at the end. Then `expires_hour` is right again. Refusal no_item.
    """
    progress = outbox.progress_of(txn, item)
    if progress.state != "sending":
        return None
    first = 0 if after < 0 else progress.expires_hour
    held, last = progress.held, None
    rows = list(txn.range(OUTBOX_HELD, item + _U32.pack(after + 1), prefix_end(item), limit=limit))
    for key, value in rows:
        if value[:1] == _DIRECT:
            continue
        holders = _live(value, now_hour)
        if len(holders) < wanted and txn.get(OUTBOX_PENDING, key) is None:
            txn.put(OUTBOX_PENDING, key, b"")
            held -= 1
        if holders:
            first = min([first or 0xFFFFFFFF, *holders.values()])
    if len(rows) == limit:
        last = int(_U32.unpack(rows[-1][0][16:])[0])
    _keep(txn, item, progress._replace(held=held, expires_hour=first))
    return last


def postpone(txn: Transaction, item: bytes, when: int, reason: str = "", *, tried: bool = True) -> Progress:
    """Look at a sending item again at this unix second; `reason` is a short word. Refusal no_item."""
    progress = outbox.progress_of(txn, item)
    if progress.state != "sending":
        return progress
    tries = progress.tries + 1 if tried else progress.tries
    return outbox.schedule(txn, item, progress._replace(tries=tries, reason=reason), when)


def hasten(txn: Transaction, item: bytes, now: int) -> Progress:
    """Try a sending item now and count tries anew (the owner asked, or the contact was seen)."""
    progress = outbox.progress_of(txn, item)
    if progress.state != "sending":
        return progress
    return outbox.schedule(txn, item, progress._replace(tries=0), now)


def _holders(value: bytes | None) -> dict[RouteKey, int]:
    return {} if value is None else {RouteKey(route): hour for route, hour in _HOLDER.iter_unpack(value[1:])}


def _live(value: bytes | None, now_hour: int) -> dict[RouteKey, int]:
    return {route: hour for route, hour in _holders(value).items() if hour > now_hour}


def _keep(txn: Transaction, item: bytes, progress: Progress) -> Progress:
    outbox.put_progress(txn, item, progress)
    return progress
