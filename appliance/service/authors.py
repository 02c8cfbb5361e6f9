"""Authors: which account of this box wrote an entry of a log. Logs keep a blind author only."""

from __future__ import annotations

from typing import NamedTuple

from appliance.errors import Refusal
from appliance.service.logs import BOARD, CHANNEL
from appliance.store import logs
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
    """Who wrote an entry: one keyed hash an account, so not for the event loop. Refusals: no_log, no_item."""
    head = logs.require(txn, log)
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
