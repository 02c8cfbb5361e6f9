"""Coarsening: times of what has been idle for a day are kept to the day, not to the hour.

Each function goes through one table from `start` on, at most `limit` rows, and tells where to go on (None at
the end) and how many rows it changed. What is idle for less keeps its hours: people look at them in lists.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from appliance.store import accounts, prekeys, sessions, vault
from appliance.store.engine import Table, Transaction
from appliance.store.mailboxes import MAILBOX
from appliance.store.schema import (
    ACCOUNT_DEVICES,
    ACCOUNTS,
    ARRIVAL_HOURS,
    MAILBOXES,
    PREKEY_STOCKS,
    SESSIONS,
    VAULT_INDEX,
    VAULT_TOMBS,
)
from appliance.store.storekey import Sealer

IDLE_HOURS: Final = 24
DAY: Final = 24
_DAY_SECONDS: Final = 24 * 3600
_TOTP_DAY: Final = _DAY_SECONDS // 30
_ARRIVAL_HOURS_KEPT: Final = 48
"""Envelopes that wait show the hour of their arrival for so long."""
_U32: Final = struct.Struct(">I")


class Done(NamedTuple):
    """Where to go on, and how many rows were changed."""

    following: bytes | None
    changed: int


Coarsen = Callable[[Transaction, Sealer, int, bytes, int], Done]
"""(transaction, machine sealer, hour it is now, first key, rows at most)"""


def coarsen_sessions(txn: Transaction, machine: Sealer, now_hour: int, start: bytes, limit: int) -> Done:
    """When sign-ins began and were used last; the end of those that go on moves to the end of its day."""

    def change(key: bytes, value: bytes) -> bool:
        row = sessions.find(txn, machine, key)
        if row is None or row.used_hour > now_hour - IDLE_HOURS or row.until // 3600 <= now_hour:
            return False
        new = msgspec.structs.replace(
            row,
            started_hour=_day(row.started_hour),
            used_hour=_day(row.used_hour),
            rotated=row.rotated // _DAY_SECONDS * _DAY_SECONDS,
            until=-(-row.until // _DAY_SECONDS) * _DAY_SECONDS,
        )
        if new == row:
            return False
        sessions.save(txn, machine, new)
        return True

    return _each(txn, SESSIONS, start, limit, change)


def coarsen_accounts(txn: Transaction, machine: Sealer, now_hour: int, start: bytes, limit: int) -> Done:
    """When accounts were made, and the last code of a second factor, which tells when it was used."""
    now_step = now_hour * 120

    def change(key: bytes, value: bytes) -> bool:
        row = accounts.find(txn, machine, key)
        if row is None:
            return False
        made = _day(row.created_hour) if row.created_hour <= now_hour - IDLE_HOURS else row.created_hour
        is_old = row.totp_step <= now_step - _TOTP_DAY
        step = row.totp_step // _TOTP_DAY * _TOTP_DAY if is_old else row.totp_step
        if (made, step) == (row.created_hour, row.totp_step):
            return False
        accounts.save(txn, machine, msgspec.structs.replace(row, created_hour=made, totp_step=step))
        return True

    return _each(txn, ACCOUNTS, start, limit, change)


def coarsen_devices(txn: Transaction, machine: Sealer, now_hour: int, start: bytes, limit: int) -> Done:
    """When a device was named last."""

    def change(key: bytes, value: bytes) -> bool:
        (hour,) = _U32.unpack(value)
        if hour > now_hour - IDLE_HOURS or hour == _day(hour):
            return False
        txn.put(ACCOUNT_DEVICES, key, _U32.pack(_day(hour)))
        return True

    return _each(txn, ACCOUNT_DEVICES, start, limit, change)


def coarsen_mailboxes(txn: Transaction, machine: Sealer, now_hour: int, start: bytes, limit: int) -> Done:
    """When mailboxes were made: a conversation begins with one."""

    def change(key: bytes, value: bytes) -> bool:
        version, flags, hour, *rest = MAILBOX.unpack_from(value)
        if hour > now_hour - IDLE_HOURS or hour == _day(hour):
            return False
        txn.put(MAILBOXES, key, MAILBOX.pack(version, flags, _day(hour), *rest) + value[MAILBOX.size :])
        return True

    return _each(txn, MAILBOXES, start, limit, change)


def coarsen_stocks(txn: Transaction, machine: Sealer, now_hour: int, start: bytes, limit: int) -> Done:
    """When the last one-time prekey was taken: somebody began to write then."""

    def change(key: bytes, value: bytes) -> bool:
        stock = prekeys.Stock(*prekeys.STOCK.unpack(value))
        if stock.hour > now_hour - IDLE_HOURS or not stock.hour:
            return False
        idle = prekeys.Stock(left=stock.left, highest=stock.highest)
        txn.put(PREKEY_STOCKS, key, prekeys.STOCK.pack(*idle))
        return True

    return _each(txn, PREKEY_STOCKS, start, limit, change)


def coarsen_arrivals(txn: Transaction, machine: Sealer, now_hour: int, start: bytes, limit: int) -> Done:
    """In which hour envelopes came: of each day one mark stays, with the number that it began with."""
    day = None
    for _, value in txn.range(ARRIVAL_HOURS, b"", start, reverse=True, limit=1) if start else ():
        day = _day(_U32.unpack(value)[0])
    changed = 0
    rows = list(txn.range(ARRIVAL_HOURS, start, limit=limit))
    for key, value in rows:
        (hour,) = _U32.unpack(value)
        if hour > now_hour - _ARRIVAL_HOURS_KEPT:
            return Done(None, changed)
        if _day(hour) == day:
            txn.delete(ARRIVAL_HOURS, key)
            changed += 1
        elif hour != _day(hour):
            txn.put(ARRIVAL_HOURS, key, _U32.pack(_day(hour)))
            changed += 1
        day = _day(hour)
    return Done(rows[-1][0] + b"\0" if len(rows) == limit else None, changed)


def coarsen_removals(txn: Transaction, machine: Sealer, now_hour: int, start: bytes, limit: int) -> Done:
    """When records of vaults were removed; they are remembered to the end of their day."""

    def change(key: bytes, value: bytes) -> bool:
        (hour,) = _U32.unpack(value)
        day = -(-hour // DAY) * DAY
        if hour > now_hour - IDLE_HOURS or hour == day:
            return False
        txn.put(VAULT_TOMBS, key, _U32.pack(day))
        at = key[:16] + key[24:]
        place = txn.get(VAULT_INDEX, at)
        if place is not None:
            *rest, removed = vault.PLACE.unpack(place)
            txn.put(VAULT_INDEX, at, vault.PLACE.pack(*rest, day if removed else 0))
        return True

    return _each(txn, VAULT_TOMBS, start, limit, change)


COARSENED: Final[dict[str, Coarsen]] = {
    "sessions": coarsen_sessions,
    "accounts": coarsen_accounts,
    "account_devices": coarsen_devices,
    "mailboxes": coarsen_mailboxes,
    "prekey_stocks": coarsen_stocks,
    "arrival_hours": coarsen_arrivals,
    "vault_tombs": coarsen_removals,
}
"""What is done to which table."""


def _each(
    txn: Transaction, table: Table, start: bytes, limit: int, change: Callable[[bytes, bytes], bool]
) -> Done:
    rows = list(txn.range(table, start, limit=limit))
    changed = sum(change(key, value) for key, value in rows)
    return Done(rows[-1][0] + b"\0" if len(rows) == limit else None, changed)


def _day(hour: int) -> int:
    return hour // DAY * DAY
