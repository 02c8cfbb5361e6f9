"""Pending acts: what waits for a second pair of eyes. Sealed by the machine key: a box may be locked."""

from __future__ import annotations

from typing import Final

from appliance.store.engine import Transaction
from appliance.store.schema import PENDING
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

MOST: Final = 100


class Pending(Record, frozen=True):
    """One act: who asked (no account: the command line), for what, until which second it may be agreed to."""

    id: bytes
    action: str
    subject: bytes
    target: str
    account: bytes
    name: str
    second: int
    until: int


_TABLE: Final = SealedTable(PENDING, Pending)


def save(txn: Transaction, machine: Sealer, pending: Pending) -> None:
    """Write one down."""
    _TABLE.put(txn, machine, pending.id, pending)


def find(txn: Transaction, machine: Sealer, id: bytes) -> Pending | None:
    """The one of this id, or None."""
    return _TABLE.get(txn, machine, id)


def remove(txn: Transaction, machine: Sealer, id: bytes) -> bool:
    """Take one away; tell whether it was there."""
    return _TABLE.delete(txn, machine, id)


def list_all(txn: Transaction, machine: Sealer) -> list[Pending]:
    """All of them, the oldest first."""
    return sorted(_TABLE.list_all(txn, machine), key=lambda one: (one.second, one.id))
