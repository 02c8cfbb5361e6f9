"""The queue of a device: what waits in all its mailboxes here, in the order of arrival, until it is settled.

One table has a row for each that waits, by device and number, so a page costs what it holds however many
mailboxes the device has; `mailboxes` keeps it in step. An envelope's number is its arrival number at this
box, so it stays the same until it is settled. What was
settled is remembered under its mailbox for `SEEN_HOURS`: a copy that comes by another way, through a relay
or from a sender who did not hear our answer, is not shown twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol.envelope import envelope_id
from appliance.store import device_mailboxes, mailboxes
from appliance.store.engine import Transaction
from appliance.store.mailboxes import BODY_HEAD, U32, U64
from appliance.store.schema import (
    ARRIVAL_HOURS,
    BODIES,
    INDEX,
    META,
    QUEUE,
    QUEUE_FORGET,
    QUEUE_SEEN,
    prefix_end,
)

DAY_HOURS: Final = 24
SEEN_HOURS: Final = 36 * DAY_HOURS
"""Longer than any relay keeps an envelope."""
_ARRIVALS: Final = b"arrivals"
_LARGEST: Final = (1 << 64) - 1


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
    found: list[Waiting] = []
    left = octets
    for one in _waiting(txn, device, after, now_hour):
        if len(found) == limit or (found and len(one.envelope) > left):
            return found, True
        left -= len(one.envelope)
        found.append(one)
    return found, False


def news(
    txn: Transaction, device: bytes, after: int, now_hour: int, limit: int, largest: int
) -> tuple[int, list[Waiting] | None]:
    """The last number for a device, and what came after `after` if that is at most `limit` small ones.

    In all its mailboxes: a device takes what has a lower number than it has read for read, too.
    """
    last = after
    for key, _ in txn.range(QUEUE, _above(device, after), prefix_end(device), reverse=True, limit=1):
        last = U64.unpack(key[32:])[0]
    fresh: list[Waiting] = []
    for one in _waiting(txn, device, after, now_hour):
        if len(fresh) == limit or len(one.envelope) > largest:
            return last, None
        fresh.append(one)
    return last, fresh


def _waiting(txn: Transaction, device: bytes, after: int, now_hour: int) -> Iterator[Waiting]:
    """What waits for a device with numbers above `after`, in order."""
    for key in txn.keys(QUEUE, _above(device, after), prefix_end(device)):
        body = txn.get(BODIES, key[32:])
        if body is None:
            raise Refusal("damaged_store")
        owner = device_mailboxes.owner_of(txn, body[:20])
        # What has expired, or belongs to a mailbox that was given up, waits for the sweep only.
        if owner is None or U32.unpack_from(body, 20)[0] < now_hour:
            continue
        number = U64.unpack(key[32:])[0]
        yield Waiting(number, owner.handle, hour_of(txn, number, now_hour), body[BODY_HEAD:])


def _above(device: bytes, after: int) -> bytes:
    return device + U64.pack(min(max(after, 0) + 1, _LARGEST))


def find(txn: Transaction, device: bytes, number: int) -> tuple[bytes, bytes] | None:
    """Index key and envelope of what waits for this device under a number; None when it does not."""
    if not 0 < number < 1 << 64 or txn.get(QUEUE, device + U64.pack(number)) is None:
        return None
    body = txn.get(BODIES, U64.pack(number))
    if body is None:
        raise Refusal("damaged_store")
    mailbox, envelope = body[:20], body[BODY_HEAD:]
    if device_mailboxes.owner_of(txn, mailbox) is None:
        return None  # it was given up; what it held waits for the sweep
    return mailbox + envelope_id(envelope), envelope


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


def last_came(txn: Transaction, mailbox: bytes, now_hour: int) -> int:
    """About when something came into a mailbox last (unix hour): 0 when neither it nor its memory holds
    anything."""
    if next(txn.keys(INDEX, mailbox, prefix_end(mailbox), limit=1), None) is not None:
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
    value = txn.get(META, _ARRIVALS) or b""
    number = mailboxes.ARRIVALS.unpack(value)[0] if value else 1
    txn.put(ARRIVAL_HOURS, U64.pack(number), U32.pack(now_hour))
    return True


def hour_of(txn: Transaction, number: int, now_hour: int) -> int:
    """The hour in which a number came; `now_hour` where nobody knows."""
    for _, value in txn.range(ARRIVAL_HOURS, stop=U64.pack(number + 1), reverse=True, limit=1):
        return int(U32.unpack(value)[0])
    return now_hour
