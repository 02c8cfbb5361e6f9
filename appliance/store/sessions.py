"""Sign-ins: one row for each place where an account is signed in, with the hash of its refresh token.

A refresh token names its row and proves itself by 16 octets more. Each use replaces it by a successor, which
is a keyed hash of it: so a client that lost the answer and asks again is given the same successor.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final

from appliance.store.engine import Transaction
from appliance.store.schema import ACCOUNT_DEVICES, ACCOUNT_SESSIONS, DEVICES, SESSIONS, prefix_end
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

MAX_SESSIONS: Final = 32
"""Sign-ins of one account; the one that was used longest ago makes room."""
MAX_KNOWN_DEVICES: Final = 64
"""Devices that one account may have named; the one named longest ago makes room."""

_U32: Final = struct.Struct(">I")


class CodeEntry(Record, frozen=True):
    """The backup code a sign-in was made with, as long as its answer may be lost: hashes of what proves the
    code and of the client's attempt, the vault key under the code, the second."""

    proof: bytes
    attempt: bytes
    wrapped: bytes
    at: int


class SignedIn(Record, frozen=True):
    """One sign-in. `refresh` and `previous` are hashes; `rotated`, `until` seconds."""

    session: bytes
    account: bytes
    label: str
    started_hour: int
    used_hour: int
    refresh: bytes
    until: int
    device: bytes | None = None
    previous: bytes = b""
    rotated: int = 0
    by_code: bool = False
    entry: CodeEntry | None = None


_TABLE: Final = SealedTable(SESSIONS, SignedIn)


def digest(secret: bytes) -> bytes:
    """What is kept of a refresh token's secret half."""
    return hashlib.sha256(b"island/v1/refresh\0" + secret).digest()


def successor(machine: Sealer, session: bytes, secret: bytes) -> bytes:
    """The secret half (16 octets) of the refresh token that follows this one."""
    return machine.blind(SESSIONS, session + secret)


def begin(txn: Transaction, machine: Sealer, row: SignedIn, now: int) -> list[bytes]:
    """Keep a new sign-in; the ids of those that ended for it: run out, or too many."""
    live = list_account(txn, machine, row.account)
    gone = [old for old in live if old.until <= now]
    left = sorted((old for old in live if old.until > now), key=lambda old: (old.used_hour, old.until))
    gone += left[: max(0, len(left) + 1 - MAX_SESSIONS)]
    for old in gone:
        end(txn, machine, old.session)
    save(txn, machine, row)
    return [old.session for old in gone]


def save(txn: Transaction, machine: Sealer, row: SignedIn) -> None:
    """Write a sign-in down, new or changed."""
    _TABLE.put(txn, machine, row.session, row)
    txn.put(ACCOUNT_SESSIONS, row.account + row.session, b"")


def find(txn: Transaction, machine: Sealer, session: bytes) -> SignedIn | None:
    """The sign-in of this id, also one that has run out; or None."""
    return _TABLE.get(txn, machine, session)


def end(txn: Transaction, machine: Sealer, session: bytes) -> bool:
    """Forget a sign-in; False when there was none."""
    row = find(txn, machine, session)
    if row is None:
        return False
    txn.delete(ACCOUNT_SESSIONS, row.account + session)
    return _TABLE.delete(txn, machine, session)


def end_all(txn: Transaction, machine: Sealer, account: bytes, but: bytes | None = None) -> list[bytes]:
    """Forget every sign-in of an account but one; their ids."""
    gone = [row.session for row in list_account(txn, machine, account) if row.session != but]
    for session in gone:
        end(txn, machine, session)
    return gone


def list_account(txn: Transaction, machine: Sealer, account: bytes) -> list[SignedIn]:
    """Every sign-in of an account."""
    keys = list(txn.keys(ACCOUNT_SESSIONS, account, prefix_end(account)))
    rows = (find(txn, machine, key[len(account) :]) for key in keys)
    return [row for row in rows if row is not None]


def list_over(txn: Transaction, machine: Sealer, now: int) -> list[SignedIn]:
    """Every sign-in that has run out. Reads them all: not for the event loop."""
    return [row for row in _TABLE.list_all(txn, machine) if row.until <= now]


def name_device(txn: Transaction, account: bytes, device: bytes, now_hour: int) -> bool:
    """Let a device be this account's from now on; False when it is another's."""
    owner = txn.get(DEVICES, device)
    if owner is not None and owner != account:
        return False
    txn.put(DEVICES, device, account)
    txn.put(ACCOUNT_DEVICES, account + device, _U32.pack(now_hour))
    known = sorted(txn.range(ACCOUNT_DEVICES, account, prefix_end(account)), key=lambda row: row[1])
    others = [key for key, _ in known if key != account + device]
    for key in others[: max(0, len(known) - MAX_KNOWN_DEVICES)]:
        txn.delete(ACCOUNT_DEVICES, key)
        txn.delete(DEVICES, key[len(account) :])
    return True


def forget_devices(txn: Transaction, account: bytes) -> None:
    """Forget which devices were an account's."""
    for key in list(txn.keys(ACCOUNT_DEVICES, account, prefix_end(account))):
        txn.delete(ACCOUNT_DEVICES, key)
        txn.delete(DEVICES, key[len(account) :])
