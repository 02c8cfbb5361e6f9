"""Kept envelopes of an account: the pieces of attachments, under their ids, until the account drops them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from appliance.errors import Refusal
from appliance.protocol.envelope import envelope_id
from appliance.store.engine import Transaction
from appliance.store.schema import KEPT, KEPT_LOAD, prefix_end

LOAD: Final = struct.Struct(">QQ")
"""Envelopes, octets."""


def keep(txn: Transaction, account: bytes, envelopes: Iterable[bytes], most_octets: int) -> None:
    """Keep checked envelopes; those that are there stay. Refusal kept_full, when nothing was kept."""
    count, octets = load(txn, account)
    fresh: dict[bytes, bytes] = {}
    for envelope in envelopes:
        key = account + envelope_id(envelope)
        if key not in fresh and not _is_kept(txn, key):
            fresh[key] = envelope
            octets += len(envelope)
    if fresh and octets > most_octets:
        raise Refusal("kept_full")
    for key, envelope in fresh.items():
        txn.put(KEPT, key, envelope)
    if fresh:
        txn.put(KEPT_LOAD, account, LOAD.pack(count + len(fresh), octets))


def read(
    txn: Transaction, account: bytes, ids: Sequence[bytes], octets: int = 5 * 1024 * 1024
) -> list[bytes | None]:
    """Kept envelopes in this order, None for one that is not there; no more than fit into `octets`."""
    found: list[bytes | None] = []
    for id in ids:
        envelope = txn.get(KEPT, account + id)
        octets -= len(envelope or b"")
        if found and octets < 0:
            break
        found.append(envelope)
    return found


def lacking(txn: Transaction, account: bytes, ids: Sequence[bytes]) -> list[bytes]:
    """Those of the ids that are not kept, in this order; no body is read."""
    return [id for id in ids if not _is_kept(txn, account + id)]


def drop(txn: Transaction, account: bytes, ids: Iterable[bytes]) -> int:
    """Remove kept envelopes; how many were there."""
    return _delete(txn, account, [account + id for id in dict.fromkeys(ids)])


def drop_some(txn: Transaction, account: bytes, limit: int) -> int:
    """Remove some of all that an account keeps; 0 when nothing is left."""
    return _delete(txn, account, list(txn.keys(KEPT, account, prefix_end(account), limit)))


def load(txn: Transaction, account: bytes) -> tuple[int, int]:
    """Envelopes and octets that an account keeps."""
    value = txn.get(KEPT_LOAD, account)
    if value is None:
        return 0, 0
    count, octets = LOAD.unpack(value)
    return int(count), int(octets)


def _is_kept(txn: Transaction, key: bytes) -> bool:
    return next(txn.keys(KEPT, key, prefix_end(key), 1), None) is not None


def _delete(txn: Transaction, account: bytes, keys: Iterable[bytes]) -> int:
    gone = size = 0
    for key in keys:
        envelope = txn.get(KEPT, key)
        if envelope is not None:
            txn.delete(KEPT, key)
            gone += 1
            size += len(envelope)
    if gone:
        count, octets = load(txn, account)
        if count > gone:
            txn.put(KEPT_LOAD, account, LOAD.pack(count - gone, octets - size))
        else:
            txn.delete(KEPT_LOAD, account)
    return gone
