"""The transaction: the small ordered key-value interface that the rest of the store is written against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NewType, Protocol

Table = NewType("Table", str)


class Transaction(Protocol):
    """An ordered key-value transaction: all that the rest of the store knows of the engine."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value under `key`, or None."""

    def put(self, table: Table, key: bytes, value: bytes, append: bool = False) -> None:
        """Set a value; `append` promises that `key` sorts after all others (no search)."""

    def delete(self, table: Table, key: bytes) -> bool:
        """Remove a key; tell whether it was there."""

    def range(
        self,
        table: Table,
        start: bytes = b"",
        stop: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Entries with start <= key < stop in order. Take a list before writing to the same table."""

    def keys(
        self, table: Table, start: bytes = b"", stop: bytes | None = None, limit: int | None = None
    ) -> Iterator[bytes]:
        """Like `range`, but values (and their pages) are not touched."""

    def count(self, table: Table) -> int:
        """How many entries the table has."""

    def drop(self, table: Table) -> None:
        """Remove a table with all its entries; the store must not use it any more."""


class LmdbTransaction:
    """`Transaction` over one LMDB transaction; `written` counts octets, to see whether a job wrote."""

    __slots__ = ("_tables", "_txn", "written")

    def __init__(self, txn: Any, tables: Mapping[str, Any]) -> None:
        self._txn = txn
        self._tables = tables
        self.written = 0

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See `Transaction`."""
        value: bytes | None = self._txn.get(key, None, self._tables[table])
        return value

    def put(self, table: Table, key: bytes, value: bytes, append: bool = False) -> None:
        """See `Transaction`."""
        self.written += len(value) + 1
        self._txn.put(key, value, True, True, append, self._tables[table])

    def delete(self, table: Table, key: bytes) -> bool:
        """See `Transaction`."""
        self.written += 1
        found: bool = self._txn.delete(key, b"", self._tables[table])
        return found

    def range(
        self,
        table: Table,
        start: bytes = b"",
        stop: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """See `Transaction`."""
        with self._txn.cursor(self._tables[table]) as cursor:
            left = -1 if limit is None else limit
            if reverse:
                found = cursor.last() if stop is None or not cursor.set_range(stop) else cursor.prev()
                pairs = cursor.iterprev() if found else iter(())
            else:
                pairs = cursor.iternext() if cursor.set_range(start) else iter(())
            for key, value in pairs:
                if left == 0 or (key < start if reverse else stop is not None and key >= stop):
                    return
                yield key, value
                left -= 1

    def keys(
        self, table: Table, start: bytes = b"", stop: bytes | None = None, limit: int | None = None
    ) -> Iterator[bytes]:
        """See `Transaction`."""
        with self._txn.cursor(self._tables[table]) as cursor:
            left = -1 if limit is None else limit
            if not cursor.set_range(start):
                return
            for key in cursor.iternext(keys=True, values=False):
                if left == 0 or (stop is not None and key >= stop):
                    return
                yield key
                left -= 1

    def count(self, table: Table) -> int:
        """See `Transaction`."""
        return int(self._txn.stat(self._tables[table])["entries"])

    def drop(self, table: Table) -> None:
        """See `Transaction`."""
        self.written += 1
        self._txn.drop(self._tables[table])
