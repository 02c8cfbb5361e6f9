"""The queue of a device: what waits in all its mailboxes here, in the order of arrival, until it is settled.

The indexes of its mailboxes are one range, which `mailboxes` keeps: a page of the queue is chosen by going
through all that waits. An envelope's number is its arrival number at this box, so it stays the same until
it is settled. What was settled is remembered under its mailbox for `SEEN_HOURS`: a copy that comes by another
way, through a relay or from a sender who did not hear our answer, is not shown twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol.envelope import envelope_id
from appliance.store import counters, device_mailboxes, mailboxes
from appliance.store.engine import Transaction
from appliance.store.mailboxes import BODY_HEAD, INDEX_ENTRY, U32, U64
from appliance.store.schema import (
    ARRIVAL_HOURS,
    BODIES,
    QUEUE,
    QUEUE_FORGET,
    QUEUE_SEEN,
    prefix_end,
)

DAY_HOURS: Final = 24
SEEN_HOURS: Final = 36 * DAY_HOURS
"""Longer than any relay keeps an envelope."""
_LARGEST: Final = (1 << 64) - 1
MOST_NEWS: Final = 1024
"""Envelopes that may wait where news is to say what came: the event loop itself goes through them."""


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
    rows = heapq.nsmallest(limit + 1, _list(txn, device, after, now_hour))
    found: list[Waiting] = []
    left = octets
    for entry, handle in rows[:limit]:
        number, _, size = INDEX_ENTRY.unpack(entry)
        if found and size > left:
            break
        left -= size
        found.append(_open(txn, number, handle, now_hour))
    return found, len(found) < len(rows)


def news(
    txn: Transaction, device: bytes, after: int, now_hour: int, limit: int, largest: int
) -> tuple[int, list[Waiting] | None]:
    """The last number so far, and what came for a device after `after` if that is at most `limit` small ones.

    In all its mailboxes: a device takes what has a lower number than it has read for read, too.
    """
    last = counters.read(txn).number - 1
    if next(islice(txn.keys(QUEUE, device, prefix_end(device)), MOST_NEWS, None), None) is not None:
        return last, None
    fresh: list[Waiting] = []
    for entry, handle in sorted(_list(txn, device, after, now_hour)):
        number, _, size = INDEX_ENTRY.unpack(entry)
        if len(fresh) == limit or size > largest:
            return last, None
        fresh.append(_open(txn, number, handle, now_hour))
    return last, fresh


def _list(txn: Transaction, device: bytes, after: int, now_hour: int) -> Iterator[tuple[bytes, bytes]]:
    """Entry and handle of what waits for a device with numbers above `after`; the entries sort by number.

    What has expired, or belongs to a mailbox that was given up, waits for the sweep only.
    """
    if after > _LARGEST:
        return
    read = U64.pack(max(after, 0)) + b"\xff" * (INDEX_ENTRY.size - U64.size)
    hour = U32.pack(now_hour)
    mailbox = handle = b""
    for key, entry in txn.range(QUEUE, device, prefix_end(device)):
        if entry <= read or entry[8:12] < hour:
            continue
        if key[32:52] != mailbox:
            mailbox = key[32:52]
            owner = device_mailboxes.owner_of(txn, mailbox)
            handle = b"" if owner is None else owner.handle
        if handle:
            yield entry, handle


def _open(txn: Transaction, number: int, handle: bytes, now_hour: int) -> Waiting:
    body = txn.get(BODIES, U64.pack(number))
    if body is None:
        raise Refusal("damaged_store")
    return Waiting(number, handle, hour_of(txn, number, now_hour), body[BODY_HEAD:])


def find(txn: Transaction, device: bytes, number: int) -> tuple[bytes, bytes] | None:
    """Mailbox ‖ id and envelope of what waits for this device under a number; None when it does not."""
    body = txn.get(BODIES, U64.pack(number)) if 0 < number < 1 << 64 else None
    if body is None:
        return None
    key, envelope = body[:20] + envelope_id(body[BODY_HEAD:]), body[BODY_HEAD:]
    entry = txn.get(QUEUE, device + key)
    if entry is None or INDEX_ENTRY.unpack(entry)[0] != number:
        return None  # settled, or another's
    if device_mailboxes.owner_of(txn, body[:20]) is None:
        return None  # it was given up; what it held waits for the sweep
    return key, envelope


def settle(txn: Transaction, device: bytes, numbers: Iterable[int], now_hour: int) -> int:
    """Remove these and remember them; numbers that do not wait for this device are passed over."""
    by_mailbox: dict[bytes, list[bytes]] = {}
    for number in dict.fromkeys(numbers):
        found = find(txn, device, number)
        if found is not None:
            by_mailbox.setdefault(found[0][:20], []).append(found[0][20:])
    settled = 0
    for mailbox, ids in by_mailbox.items():
        for id in ids:
            remember(txn, mailbox + id, now_hour)
        settled += mailboxes.unlink(txn, mailbox, ids)
    return settled


def last_came(txn: Transaction, mailbox: bytes, now_hour: int) -> int:
    """About when something came into a mailbox last (unix hour): 0 when neither it nor its memory holds
    anything."""
    if next(mailboxes.list_entries(txn, mailbox, 1), None) is not None:
        return now_hour
    until = (U32.unpack(value)[0] for _, value in txn.range(QUEUE_SEEN, mailbox, prefix_end(mailbox)))
    return max((hour - SEEN_HOURS for hour in until), default=0)


def remember(txn: Transaction, key: bytes, now_hour: int) -> None:
    """A device has had an envelope: `key` is its mailbox and id."""
    # To the end of a day, so that the row does not tell in which hour somebody read.
    until = U32.pack(-(-(now_hour + SEEN_HOURS) // DAY_HOURS) * DAY_HOURS)
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
    txn.put(ARRIVAL_HOURS, U64.pack(counters.read(txn).number), U32.pack(now_hour))
    return True


def hour_of(txn: Transaction, number: int, now_hour: int) -> int:
    """The hour in which a number came; `now_hour` where nobody knows."""
    for _, value in txn.range(ARRIVAL_HOURS, stop=U64.pack(number + 1), reverse=True, limit=1):
        return int(U32.unpack(value)[0])
    return now_hour
