"""Readers: who may read our onion's descriptor, and the keys we hold to closed onions of others.

Sealed by the machine key: a locked box must not open its onion to everybody because it forgot its readers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from appliance.store.engine import Transaction
from appliance.store.schema import READER_KEYS, READERS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class Reader(Record, frozen=True):
    """One reader: our name for them and their x25519 public key (base32)."""

    name: str
    key: str


class ReaderKey(Record, frozen=True):
    """Our x25519 private key (base32) to a closed onion."""

    address: str
    key: str


_READERS: Final = SealedTable(READERS, Reader, blind=True)
_KEYS: Final = SealedTable(READER_KEYS, ReaderKey, blind=True)


def list_readers(txn: Transaction, machine: Sealer) -> list[Reader]:
    """All readers by name."""
    return sorted(_READERS.list_all(txn, machine), key=lambda reader: reader.name)


def save_readers(txn: Transaction, machine: Sealer, readers: Iterable[Reader]) -> None:
    """Keep exactly these readers."""
    _READERS.clear(txn)
    for reader in readers:
        _READERS.put(txn, machine, reader.name.encode(), reader)


def list_keys(txn: Transaction, machine: Sealer) -> list[ReaderKey]:
    """All keys to closed onions by address."""
    return sorted(_KEYS.list_all(txn, machine), key=lambda key: key.address)


def save_keys(txn: Transaction, machine: Sealer, keys: Iterable[ReaderKey]) -> None:
    """Keep exactly these keys."""
    _KEYS.clear(txn)
    for key in keys:
        _KEYS.put(txn, machine, key.address.encode(), key)
