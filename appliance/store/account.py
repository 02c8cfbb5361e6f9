"""The account: the box's one owner, and the sessions in which they are signed in.

Sealed by the machine key, since a locked box must know that it has an owner.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final

from appliance.errors import Refusal
from appliance.store.engine import Transaction
from appliance.store.schema import ACCOUNT, SESSIONS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class Owner(Record, frozen=True):
    """The owner: name, Argon2id verifier of the passphrase, second of the claim."""

    name: str
    verifier: str
    claimed: int


_TABLE: Final = SealedTable(ACCOUNT, Owner)
_OWNER: Final = b"owner"
_SECOND: Final = struct.Struct(">Q")


def is_claimed(txn: Transaction) -> bool:
    """Whether the box has an owner."""
    return txn.get(ACCOUNT, _OWNER) is not None


def claim(txn: Transaction, machine: Sealer, owner: Owner) -> None:
    """Give the box its owner; Refusal already_claimed."""
    if is_claimed(txn):
        raise Refusal("already_claimed")
    _TABLE.put(txn, machine, _OWNER, owner)


def find(txn: Transaction, machine: Sealer) -> Owner | None:
    """The owner, or None."""
    return _TABLE.get(txn, machine, _OWNER)


def save(txn: Transaction, machine: Sealer, owner: Owner) -> None:
    """Change the owner's name or verifier; Refusal not_claimed."""
    if not is_claimed(txn):
        raise Refusal("not_claimed")
    _TABLE.put(txn, machine, _OWNER, owner)


def open_session(txn: Transaction, token: bytes, until: int) -> None:
    """Let a token hold until a unix second; only its hash is kept."""
    txn.put(SESSIONS, _session_key(token), _SECOND.pack(until))


def session_until(txn: Transaction, token: bytes, now: int) -> int | None:
    """The second until which a session holds, or None when it does not."""
    value = txn.get(SESSIONS, _session_key(token))
    until = 0 if value is None else int(_SECOND.unpack(value)[0])
    return until if until > now else None


def close_session(txn: Transaction, token: bytes) -> bool:
    """End one session; False when there was none."""
    return txn.delete(SESSIONS, _session_key(token))


def close_sessions(txn: Transaction, before: int | None = None) -> int:
    """End all sessions, or those that ran out before a unix second; how many."""
    keys = [key for key, value in txn.range(SESSIONS) if before is None or _SECOND.unpack(value)[0] <= before]
    for key in keys:
        txn.delete(SESSIONS, key)
    return len(keys)


def _session_key(token: bytes) -> bytes:
    return hashlib.sha256(b"island/v1/session\0" + token).digest()
