"""Authors of mirrored boards: their directory entries, as the home of the board showed them last.

Keys are blind to names; the rows go with their board.
"""

from __future__ import annotations

from typing import Final

from appliance.store.engine import Transaction
from appliance.store.schema import BOARD_AUTHORS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class AuthorRow(Record, frozen=True):
    """A signed directory entry."""

    entry: bytes


_AUTHORS: Final = SealedTable(BOARD_AUTHORS, AuthorRow)


def find(txn: Transaction, sealer: Sealer, board: bytes, name: str) -> bytes | None:
    """The signed entry of an author, or None."""
    row = _AUTHORS.get(txn, sealer, _key(sealer, board, name))
    return None if row is None else row.entry


def keep(txn: Transaction, sealer: Sealer, board: bytes, name: str, entry: bytes) -> None:
    """Keep an author's entry in place of the one before."""
    _AUTHORS.put(txn, sealer, _key(sealer, board, name), AuthorRow(entry))


def _key(sealer: Sealer, board: bytes, name: str) -> bytes:
    return board + sealer.blind(BOARD_AUTHORS, board + name.encode())[:16]
