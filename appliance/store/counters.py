"""Counters: the next arrival number, and how much is held for others, in all and by hour of expiry."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from appliance.store.engine import Transaction
from appliance.store.schema import HOURS, MAILBOXES, META

ARRIVALS: Final = struct.Struct(">QQQ")
"""The next arrival number; envelopes and octets held for others."""
HOUR: Final = struct.Struct(">QQ")
_U32: Final = struct.Struct(">I")
_NAME: Final = b"arrivals"


class Counters(NamedTuple):
    """The next arrival number; envelopes and octets held for others."""

    number: int
    held: int
    octets: int


class Load(NamedTuple):
    """What is held for others; `hours` has (expiry hour, envelopes, octets) in order."""

    mailboxes: int
    held: int
    octets: int
    hours: list[tuple[int, int, int]]


def read(txn: Transaction) -> Counters:
    """The counters as they are."""
    value = txn.get(META, _NAME)
    # Number 0 is "from the start".
    return Counters(1, 0, 0) if value is None else Counters._make(ARRIVALS.unpack(value))


def write(txn: Transaction, number: int, held: int, octets: int) -> None:
    """Set the counters."""
    txn.put(META, _NAME, ARRIVALS.pack(number, held, octets))


def count_hour(txn: Transaction, hour: int, envelopes: int, octets: int) -> None:
    """So much more, or less, is held for others until an hour."""
    key = _U32.pack(hour)
    value = txn.get(HOURS, key)
    if value is not None:
        before = HOUR.unpack(value)
        envelopes, octets = before[0] + envelopes, before[1] + octets
    if envelopes > 0:
        txn.put(HOURS, key, HOUR.pack(envelopes, octets))
    else:
        txn.delete(HOURS, key)


def load(txn: Transaction) -> Load:
    """What the relay holds for others, by hour of expiry."""
    _, held, octets = read(txn)
    hours = [(_U32.unpack(key)[0], *HOUR.unpack(value)) for key, value in txn.range(HOURS)]
    return Load(txn.count(MAILBOXES), held, octets, hours)
