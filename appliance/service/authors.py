"""Authors: which account of this box wrote an entry of a log (logs keep a blind author only), and what the
directory has of those who wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.service.logs import BOARD, CHANNEL
from appliance.store import board_authors, boards, directory, logs
from appliance.store.boards import BoardRow
from appliance.store.schema import ACCOUNTS
from appliance.store.storekey import Sealer
from appliance.store.transaction import Transaction

AREAS = {BOARD: "boards", CHANNEL: "channels"}


class Written(NamedTuple):
    """An entry of a board or channel: where, of what kind, and whose account wrote it (None: not known)."""

    area: str
    kind: int
    entry: int
    author: bytes | None


def find(txn: Transaction, sealer: Sealer, log: bytes, entry: bytes) -> Written:
    """Who wrote an entry: one keyed hash an account, so not for the event loop.

    Refusals: no_log, no_item, mirrored.
    """
    head = logs.require(txn, log)
    board = boards.find(txn, sealer, log) if head.kind == BOARD else None
    if board is not None and board.home is not None:
        raise Refusal("mirrored")
    number = logs.number_of(txn, log, entry)
    if number is None or head.kind not in AREAS:
        raise Refusal("no_item")
    found = logs.get(txn, sealer, log, number)
    if found is None or found.removed is not None:
        raise Refusal("no_item")
    author = next(
        (one for one in txn.keys(ACCOUNTS) if logs.author_of(sealer, log, one) == found.author), None
    )
    return Written(AREAS[head.kind], head.kind, found.kind, author)


def signed_entries(txn: Transaction, sealer: Sealer, board: BoardRow, signed: Iterable[bytes]) -> list[bytes]:
    """The signed directory entries of those who wrote on a board, of a mirror as its home showed them.

    Who has no account any more has none.
    """
    names = dict.fromkeys(wire.value_of(one).name for one in signed)
    if board.home is not None:
        kept = [board_authors.find(txn, sealer, board.id, name) for name in names]
        return [entry for entry in kept if entry is not None]
    found: list[bytes] = []
    for name in names:
        try:
            found.append(directory.signed_entry(txn, directory.find(txn, name)))
        except Refusal as refusal:
            if refusal.code != "no_account":
                raise
    return found
