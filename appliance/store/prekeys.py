"""One-time prekeys of the devices: handed out once, the oldest first, and gone from then on.

A stock remembers the highest id it ever had, so that no prekey can come back after it was given away, and
counts what was taken in this hour and day. Owner: the store's writer; durable before anybody gets one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from appliance.protocol.directory import MAX_ONE_TIME, OneTimePrekey
from appliance.store.schema import PREKEY_STOCKS, PREKEYS, prefix_end
from appliance.store.transaction import Transaction

PREKEY: Final = struct.Struct(">32s1184s64s")
"""Key, KEM key, signature."""
STOCK: Final = struct.Struct(">HIIIII")
"""Left, highest id ever, hour of the last taking, taken in it, its day, taken in that."""
DAY_HOURS: Final = 24


class Stock(NamedTuple):
    """What a device has, and how much of it went lately."""

    left: int = 0
    highest: int = 0
    hour: int = 0
    in_hour: int = 0
    day: int = 0
    in_day: int = 0

    def at(self, hour: int) -> Stock:
        """The same in this hour: counters of past ones begin anew."""
        day = hour // DAY_HOURS
        stock = self if self.hour == hour else self._replace(hour=hour, in_hour=0)
        return stock if stock.day == day else stock._replace(day=day, in_day=0)


def find_stock(txn: Transaction, account: bytes, device: bytes) -> Stock:
    """A device's stock; an empty one where there is none."""
    value = txn.get(PREKEY_STOCKS, account + device)
    return Stock() if value is None else Stock(*STOCK.unpack(value))


def add(
    txn: Transaction, account: bytes, device: bytes, prekeys: Sequence[OneTimePrekey], *, replace: bool
) -> Stock:
    """Add prekeys (after dropping those there are, with `replace`) up to `MAX_ONE_TIME`; the new stock.

    Ids that are not above the highest there ever was are passed over, so that adding the same ones again
    does nothing and no prekey is given away twice.
    """
    stock = find_stock(txn, account, device)
    if replace:
        _clear(txn, account, device)
        stock = stock._replace(left=0)
    for prekey in sorted(prekeys, key=lambda one: one.id):
        if prekey.id > stock.highest and stock.left < MAX_ONE_TIME:
            value = PREKEY.pack(prekey.key, prekey.kem, prekey.signature)
            txn.put(PREKEYS, _at(account, device, prekey.id), value)
            stock = stock._replace(left=stock.left + 1, highest=prekey.id)
    _save(txn, account, device, stock)
    return stock


def take(txn: Transaction, account: bytes, device: bytes, hour: int) -> OneTimePrekey | None:
    """Take the oldest prekey out of the stock, or None when it is empty."""
    start = _at(account, device, 0)
    found = next(iter(txn.range(PREKEYS, start, prefix_end(account + device), limit=1)), None)
    if found is None:
        return None
    at, value = found
    txn.delete(PREKEYS, at)
    stock = find_stock(txn, account, device).at(hour)
    stock = stock._replace(left=stock.left - 1, in_hour=stock.in_hour + 1, in_day=stock.in_day + 1)
    _save(txn, account, device, stock)
    return OneTimePrekey(int.from_bytes(at[-4:], "big"), *PREKEY.unpack(value))


def drop(txn: Transaction, account: bytes, device: bytes) -> None:
    """Forget a device's stock and all that is in it."""
    _clear(txn, account, device)
    txn.delete(PREKEY_STOCKS, account + device)


def _clear(txn: Transaction, account: bytes, device: bytes) -> None:
    for at in list(txn.keys(PREKEYS, account + device, prefix_end(account + device))):
        txn.delete(PREKEYS, at)


def _save(txn: Transaction, account: bytes, device: bytes, stock: Stock) -> None:
    txn.put(PREKEY_STOCKS, account + device, STOCK.pack(*stock))


def _at(account: bytes, device: bytes, id: int) -> bytes:
    return account + device + id.to_bytes(4, "big")
