"""Invites: how many may still use each, until when, and what role it gives. A code is kept hashed."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol.account import Role
from appliance.store.engine import Transaction
from appliance.store.schema import INVITES
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

MAX_INVITES: Final = 1000


class Invite(Record, frozen=True):
    """One invite; `expires` in seconds, `reader` the name of the onion reader made for it, or ""."""

    id: bytes
    role: Role
    uses: int
    left: int
    expires: int
    note: str = ""
    reader: str = ""


_TABLE: Final = SealedTable(INVITES, Invite)


def id_of(code: str) -> bytes:
    """The 16 octets by which an invite is known; its code is not kept."""
    return hashlib.sha256(b"island/v1/invite\0" + code.encode("utf-8", "replace")).digest()[:16]


def create(txn: Transaction, machine: Sealer, invite: Invite, now: int) -> list[Invite]:
    """Add an invite and forget those that are over, which come back; Refusal wrong_state when too many."""
    over = forget_over(txn, machine, now)
    if txn.count(INVITES) >= MAX_INVITES:
        raise Refusal("wrong_state", most=MAX_INVITES)
    _TABLE.put(txn, machine, invite.id, invite)
    return over


def forget_over(txn: Transaction, machine: Sealer, now: int) -> list[Invite]:
    """Forget the invites that are over; what they were."""
    over = [old for old in _TABLE.list_all(txn, machine) if old.expires <= now]
    for old in over:
        remove(txn, machine, old.id)
    return over


def find(txn: Transaction, machine: Sealer, id: bytes, now: int) -> Invite | None:
    """An invite that is still good, or None."""
    found = _TABLE.get(txn, machine, id)
    return None if found is None or found.expires <= now or found.left <= 0 else found


def use(txn: Transaction, machine: Sealer, id: bytes, now: int) -> Invite:
    """Use an invite once; Refusal invite. The last use takes it out of the list."""
    found = find(txn, machine, id, now)
    if found is None:
        raise Refusal("invite")
    if found.left == 1:
        remove(txn, machine, id)
    else:
        _TABLE.put(txn, machine, id, msgspec.structs.replace(found, left=found.left - 1))
    return found


def remove(txn: Transaction, machine: Sealer, id: bytes) -> Invite | None:
    """Take an invite back; what it was, or None."""
    found = _TABLE.get(txn, machine, id)
    if found is not None:
        _TABLE.delete(txn, machine, id)
    return found


def list_good(txn: Transaction, machine: Sealer, now: int) -> list[Invite]:
    """Every invite that is still good, the next to end first."""
    rows = [row for row in _TABLE.list_all(txn, machine) if row.expires > now and row.left > 0]
    return sorted(rows, key=lambda row: (row.expires, row.id))
