"""The queue of a device: what waits in all its mailboxes here, in the order of arrival, until it is settled.

An envelope's number is its arrival number at this box, so it stays the same until it is settled. What was
settled is remembered under its mailbox for `SEEN_HOURS`: a copy that comes by another way, through a relay
or from a sender who did not hear our answer, is not shown twice.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol.envelope import envelope_id
from appliance.store import device_mailboxes, mailboxes
from appliance.store.engine import Transaction
from appliance.store.mailboxes import BODY_HEAD, INDEX_ENTRY, U32, U64
from appliance.store.schema import (
    ARRIVAL_HOURS,
    BODIES,
    INDEX,
    META,
    QUEUE_FORGET,
    QUEUE_SEEN,
    prefix_end,
)

SEEN_HOURS: Final = 36 * 24
"""Longer than any relay keeps an envelope."""
LOOKED_THROUGH: Final = 64
_ARRIVALS: Final = b"arrivals"
_KEY: Final = 36
_HEAD: Final = struct.Struct(">20sI")


class Waiting(NamedTuple):
    """An envelope that waits: its arrival number, the handle of its mailbox, the hour it came."""

    number: int
    handle: bytes
    hour: int
    envelope: bytes

    def __repr__(self) -> str:
        return f"<Waiting {self.number}>"


def read(
    txn: Transaction,
    device: bytes,
    after: int,
    limit: int,
    now_hour: int,
    octets: int = 3 * 1024 * 1024,
) -> tuple[list[Waiting], bool]:
    """What waits for a device (account ‖ device) with numbers above `after`, and whether more follows.

    At most `limit`, and at most `octets` in all (one always).
    """
    waiting: list[tuple[int, int, bytes]] = []
    unpack = INDEX_ENTRY.unpack
    for owner, mailbox in device_mailboxes.list_here(txn, device):
        for _, value in txn.range(INDEX, mailbox, prefix_end(mailbox)):
            number, until, size = unpack(value)
            if number > after and until >= now_hour:
                waiting.append((number, size, owner.handle))
    found: list[Waiting] = []
    left = octets
    for number, size, handle in heapq.nsmallest(limit, waiting):
        if found and size > left:
            break
        left -= size
        body = txn.get(BODIES, U64.pack(number))
        if body is None:
            raise Refusal("damaged_store")
        found.append(Waiting(number, handle, hour_of(txn, number, now_hour), body[BODY_HEAD:]))
    return found, len(found) < len(waiting)


def news(
    txn: Transaction, device: bytes, after: int, now_hour: int, limit: int, largest: int
) -> tuple[int, list[Waiting] | None]:
    """The last number for a device, and what came after `after` if that is at most `limit` small ones.

    In all its mailboxes: a device takes what has a lower number than it has read for read, too. One that has
    many mailboxes, or much in one of them, is not looked through: it has to read its queue in any case.
    """
    places = device_mailboxes.list_here(txn, device, LOOKED_THROUGH + 1)
    if len(places) > LOOKED_THROUGH:
        return after, None
    fresh: list[tuple[int, int, bytes]] = []
    for owner, mailbox in places:
        rows = list(txn.range(INDEX, mailbox, prefix_end(mailbox), limit=LOOKED_THROUGH + 1))
        if len(rows) > LOOKED_THROUGH:
            return after, None
        for number, until, size in (INDEX_ENTRY.unpack(value) for _, value in rows):
            if number > after and until >= now_hour:
                fresh.append((number, size, owner.handle))
    last = max((number for number, _, _ in fresh), default=after)
    if len(fresh) > limit or any(size > largest for _, size, _ in fresh):
        return last, None
    waiting = []
    for number, _, handle in sorted(fresh):
        body = txn.get(BODIES, U64.pack(number))
        if body is not None:
            waiting.append(Waiting(number, handle, hour_of(txn, number, now_hour), body[BODY_HEAD:]))
    return last, waiting


def find(txn: Transaction, device: bytes, number: int) -> tuple[bytes, bytes] | None:
    """Index key and envelope of what waits for this device under a number; None when it does not."""
    body = txn.get(BODIES, U64.pack(number)) if 0 < number < 1 << 64 else None
    if body is None:
        return None
    mailbox, envelope = body[:20], body[BODY_HEAD:]
    owner = device_mailboxes.owner_of(txn, mailbox)
    if owner is None or owner.account + owner.device != device:
        return None
    key = mailbox + envelope_id(envelope)
    entry = txn.get(INDEX, key)
    if entry is None or INDEX_ENTRY.unpack(entry)[0] != number:
        return None  # settled already; its body waits for the sweep
    return key, envelope


def settle(txn: Transaction, device: bytes, numbers: Iterable[int], now_hour: int) -> int:
    """Remove these and remember them; numbers that do not wait for this device are passed over."""
    by_mailbox: dict[bytes, list[bytes]] = {}
    for number in dict.fromkeys(numbers):
        found = find(txn, device, number)
        if found is not None:
            by_mailbox.setdefault(found[0][:20], []).append(found[0])
    settled = 0
    for mailbox, keys in by_mailbox.items():
        for key in keys:
            remember(txn, key, now_hour)
        settled += mailboxes.unlink(txn, mailbox, keys)
    return settled


def remember(txn: Transaction, key: bytes, now_hour: int) -> None:
    """A device has had an envelope: `key` is its mailbox and id."""
    until = U32.pack(now_hour + SEEN_HOURS)
    old = txn.get(QUEUE_SEEN, key)
    if old is not None:
        txn.delete(QUEUE_FORGET, old + key)
    txn.put(QUEUE_SEEN, key, until)
    txn.put(QUEUE_FORGET, until + key, b"")


def is_seen(txn: Transaction, mailbox: bytes, id: bytes) -> bool:
    """Whether a device has had an envelope already."""
    return txn.get(QUEUE_SEEN, mailbox + id) is not None


def is_over(txn: Transaction, now_hour: int) -> bool:
    """Whether a memory is over."""
    return next(txn.keys(QUEUE_FORGET, stop=U32.pack(now_hour), limit=1), None) is not None


def forget_old(txn: Transaction, now_hour: int, limit: int) -> int:
    """End memories that are over; how many, at most about `limit`."""
    keys = list(txn.keys(QUEUE_FORGET, stop=U32.pack(now_hour), limit=limit))
    for key in keys:
        txn.delete(QUEUE_FORGET, key)
        txn.delete(QUEUE_SEEN, key[4:])
    before = None
    for key, value in list(txn.range(ARRIVAL_HOURS, limit=limit)):
        # The last mark that is too old still tells of the numbers after it.
        if before is not None and U32.unpack(value)[0] < now_hour - SEEN_HOURS:
            txn.delete(ARRIVAL_HOURS, before)
        before = key
    return len(keys)


def mark_hour(txn: Transaction, now_hour: int) -> bool:
    """Numbers from the next one on come in this hour; False when that is known."""
    for _, value in txn.range(ARRIVAL_HOURS, reverse=True, limit=1):
        if U32.unpack(value)[0] == now_hour:
            return False
    value = txn.get(META, _ARRIVALS) or b""
    number = mailboxes.ARRIVALS.unpack(value)[0] if value else 1
    txn.put(ARRIVAL_HOURS, U64.pack(number), U32.pack(now_hour))
    return True


def hour_of(txn: Transaction, number: int, now_hour: int) -> int:
    """The hour in which a number came; `now_hour` where nobody knows."""
    for _, value in txn.range(ARRIVAL_HOURS, stop=U64.pack(number + 1), reverse=True, limit=1):
        return int(U32.unpack(value)[0])
    return now_hour
