"""The queue of a device: what waits in all its mailboxes here, in the order of arrival, until it is settled.

The indexes of its mailboxes are one range, which `mailboxes` keeps: pages of the queue are chosen by going
through all that waits, once for many pages. An envelope's number is its arrival number at this box, so it
stays the same until it is settled. What was settled is remembered under its mailbox for `SEEN_HOURS`: a copy
that comes by another way, through a relay or from a sender who did not hear our answer, is not shown twice.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice
from operator import itemgetter
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
AHEAD: Final = 1024
"""Entries that are found in one go through all that waits."""
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


class Ahead(NamedTuple):
    """How far what waits for a device was looked through: the first entries, with mailbox ‖ id, of numbers
    above `after`, in order; whether more follow."""

    after: int
    rows: list[tuple[bytes, bytes]]
    more: bool


class Page(NamedTuple):
    """Envelopes in order, whether more follow, and what makes the next page cheap."""

    envelopes: list[Waiting]
    more: bool
    ahead: Ahead


def read(
    txn: Transaction,
    device: bytes,
    after: int,
    limit: int,
    now_hour: int,
    octets: int = 3 * 1024 * 1024,
    ahead: Ahead | None = None,
) -> Page:
    """What waits for a device (account ‖ device) with numbers above `after`.

    At most `limit`, and at most `octets` in all (one always). `ahead` is what an earlier page gave.
    """
    is_whole = False  # whether nothing came since `ahead` was found
    if ahead is None or after < ahead.after:
        ahead, is_whole = _look(txn, device, after), True
    found: list[Waiting] = []
    left = octets
    while True:
        for entry, key in ahead.rows[_place(ahead, after) :]:
            one = _open(txn, device, entry, key, now_hour)
            if one is None:
                continue
            if len(found) == limit or (found and len(one.envelope) > left):
                return Page(found, True, ahead)
            left -= len(one.envelope)
            found.append(one)
        if is_whole and not ahead.more:
            return Page(found, False, ahead)
        last = INDEX_ENTRY.unpack(ahead.rows[-1][0])[0] if ahead.rows else 0
        ahead, is_whole = _look(txn, device, max(after, last)), True


def news(
    txn: Transaction, device: bytes, after: int, now_hour: int, limit: int, largest: int
) -> tuple[int, list[Waiting] | None]:
    """The last number so far, and what came for a device after `after` if that is at most `limit` small ones.

    In all its mailboxes: a device takes what has a lower number than it has read for read, too.
    """
    last = counters.read(txn).number - 1
    if next(islice(txn.keys(QUEUE, device, prefix_end(device)), MOST_NEWS, None), None) is not None:
        return last, None
    page = read(txn, device, after, limit, now_hour)
    if page.more or any(len(one.envelope) > largest for one in page.envelopes):
        return last, None
    return last, page.envelopes


def _look(txn: Transaction, device: bytes, after: int) -> Ahead:
    """Go through all that waits for a device for the next `AHEAD` entries."""
    rows = txn.range(QUEUE, device, prefix_end(device))
    bound = _bound(after)  # entries begin with their numbers, so they sort by them
    found = heapq.nsmallest(AHEAD + 1, ((entry, key[32:]) for key, entry in rows if entry > bound))
    return Ahead(after, found[:AHEAD], len(found) > AHEAD)


def _place(ahead: Ahead, after: int) -> int:
    return bisect_right(ahead.rows, _bound(after), key=itemgetter(0))


def _bound(after: int) -> bytes:
    """Where entries of numbers above `after` begin."""
    return U64.pack(min(max(after, 0), _LARGEST)) + b"\xff" * (INDEX_ENTRY.size - U64.size)


def _open(txn: Transaction, device: bytes, entry: bytes, key: bytes, now_hour: int) -> Waiting | None:
    """What waits under an entry; None when it was settled meanwhile, or waits for the sweep only: expired, or
    of a mailbox that was given up."""
    number, until, _ = INDEX_ENTRY.unpack(entry)
    if until < now_hour or txn.get(QUEUE, device + key) != entry:
        return None
    owner = device_mailboxes.owner_of(txn, key[:20])
    if owner is None:
        return None
    body = txn.get(BODIES, U64.pack(number))
    if body is None:
        raise Refusal("damaged_store")
    return Waiting(number, owner.handle, hour_of(txn, number, now_hour), body[BODY_HEAD:])


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
