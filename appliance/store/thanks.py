"""Thanks for entries of logs, and the karma they add up to: one a member and entry, taken back at will.

Who thanked is blind, and to whom it went is sealed: without the store key the rows tell that an entry was
thanked so often, and how much karma an account has.
"""

from __future__ import annotations

import struct
from typing import Final

from appliance.store.engine import Transaction
from appliance.store.logs import author_of
from appliance.store.schema import KARMA, THANKS, prefix_end
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

_U32: Final = struct.Struct(">I")


class Thanks(Record, frozen=True):
    """Whose karma one of it raised."""

    author: bytes


_TABLE: Final = SealedTable(THANKS, Thanks)


def give(txn: Transaction, sealer: Sealer, log: bytes, entry: bytes, giver: bytes, author: bytes) -> bool:
    """Thank for an entry; False when this member has done so already."""
    key = _key(sealer, log, entry, giver)
    if txn.get(THANKS, key) is not None:
        return False
    _TABLE.put(txn, sealer, key, Thanks(author))
    _add(txn, author, 1)
    return True


def take_back(txn: Transaction, sealer: Sealer, log: bytes, entry: bytes, giver: bytes) -> bool:
    """Undo it; False when there is nothing to undo."""
    key = _key(sealer, log, entry, giver)
    found = _TABLE.get(txn, sealer, key)
    if found is None:
        return False
    txn.delete(THANKS, key)
    _add(txn, found.author, -1)
    return True


def given(txn: Transaction, sealer: Sealer, log: bytes, entry: bytes, account: bytes) -> bool:
    """Whether this account thanked for the entry."""
    return txn.get(THANKS, _key(sealer, log, entry, account)) is not None


def count(txn: Transaction, log: bytes, entry: bytes) -> int:
    """How many thanked for an entry."""
    prefix = log + entry
    return sum(1 for _ in txn.keys(THANKS, prefix, prefix_end(prefix)))


def forget(txn: Transaction, log: bytes, entry: bytes) -> None:
    """Remove the thanks of an entry that is gone; the karma they gave stays."""
    prefix = log + entry
    for key in list(txn.keys(THANKS, prefix, prefix_end(prefix))):
        txn.delete(THANKS, key)


def karma(txn: Transaction, account: bytes) -> int:
    """How much karma an account has."""
    value = txn.get(KARMA, account)
    return 0 if value is None else int(_U32.unpack(value)[0])


def forget_account(txn: Transaction, account: bytes) -> None:
    """Forget the karma of an account that is deleted."""
    txn.delete(KARMA, account)


def _add(txn: Transaction, account: bytes, change: int) -> None:
    left = karma(txn, account) + change
    if left > 0:
        txn.put(KARMA, account, _U32.pack(left))
    else:
        txn.delete(KARMA, account)


def _key(sealer: Sealer, log: bytes, entry: bytes, giver: bytes) -> bytes:
    return log + entry + author_of(sealer, log, giver)
