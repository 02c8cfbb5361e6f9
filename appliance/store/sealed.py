"""Sealed tables: typed records, written as CBOR and encrypted, under keys that may be blinded."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.store.engine import Table, Transaction
from appliance.store.storekey import Sealer


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of what sealed tables hold; fields may be added with defaults. Its repr shows nothing."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


R = TypeVar("R", bound=Record)


class SealedTable(Generic[R]):
    """One table of records of one type; with `blind` the file does not show the keys either."""

    def __init__(self, table: Table, kind: type[R], *, blind: bool = False) -> None:
        self.table = table
        self._kind = kind
        self._blind = blind

    def put(self, txn: Transaction, sealer: Sealer, key: bytes, record: R) -> None:
        """Write a record under its key."""
        at = self._at(sealer, key)
        txn.put(self.table, at, sealer.seal(self.table, at, codec.encode(record)))

    def get(self, txn: Transaction, sealer: Sealer, key: bytes) -> R | None:
        """The record, or None; Refusal damaged_store."""
        at = self._at(sealer, key)
        value = txn.get(self.table, at)
        return None if value is None else self._open(sealer, at, value)

    def delete(self, txn: Transaction, sealer: Sealer, key: bytes) -> bool:
        """Remove a record; tell whether it was there."""
        return txn.delete(self.table, self._at(sealer, key))

    def list_all(self, txn: Transaction, sealer: Sealer) -> list[R]:
        """Every record, by key (in no order when keys are blind)."""
        return [self._open(sealer, at, value) for at, value in txn.range(self.table)]

    def clear(self, txn: Transaction) -> None:
        """Remove every record."""
        for at in list(txn.keys(self.table)):
            txn.delete(self.table, at)

    def _at(self, sealer: Sealer, key: bytes) -> bytes:
        return sealer.blind(self.table, key) if self._blind else key

    def _open(self, sealer: Sealer, at: bytes, value: bytes) -> R:
        try:
            return codec.read_own(sealer.open(self.table, at, value), self._kind)
        except Refusal as error:
            raise Refusal("damaged_store") from error
