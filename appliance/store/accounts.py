"""Accounts: who lives on this box, how they prove it, and the plate at its door.

All of it is sealed by the machine key: a locked box must know who may unlock it. What a passphrase protects
is sealed by its client before it comes here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol.account import Allowance, Area, Role
from appliance.store.engine import Transaction
from appliance.store.schema import ACCOUNT, ACCOUNT_NAMES, ACCOUNTS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class Verifier(Record, frozen=True):
    """What an authentication key is compared with: Argon2id of it (salt 16, digest 32)."""

    salt: bytes
    memory_kib: int
    passes: int
    digest: bytes


class BackupCode(Record, frozen=True):
    """One unused backup code: SHA-256 of what proves it, and the vault key under it."""

    proof: bytes
    wrapped: bytes


class Ban(Record, frozen=True):
    """Who has it may not write in an area, or in one board or channel (`place`); `until` 0 is for ever."""

    area: Area
    place: bytes = b""
    until: int = 0


class Account(Record, frozen=True):
    """One account. `salt`, `memory_kib`, `passes` are its client's stretching; `totp_step` the last one used.

    `protects` tells that its authentication key wraps the store key: the box starts locked and this account
    unlocks it. `suspended_until` is the second at which a suspension ends by itself; 0 for none or no end.
    """

    account: bytes
    name: str
    role: Role
    created_hour: int
    salt: bytes
    memory_kib: int
    passes: int
    verifier: Verifier
    wrapped: bytes
    codes: tuple[BackupCode, ...] = ()
    totp: bytes | None = None
    totp_pending: bytes | None = None
    totp_step: int = 0
    suspended: bool = False
    protects: bool = False
    suspended_until: int = 0
    reason: str = ""
    can_post: Allowance = "by karma"
    can_upload: Allowance = "by karma"
    bans: tuple[Ban, ...] = ()

    def is_out(self, now: float) -> bool:
        """Whether it is suspended now."""
        return self.suspended and not 0 < self.suspended_until <= now

    def check_in(self, now: float) -> None:
        """Refusal suspended, with when it ends and why, while it is."""
        if self.is_out(now):
            raise Refusal("suspended", until=self.suspended_until or None, words=self.reason)

    def ban_in(self, area: Area, place: bytes, now: float) -> Ban | None:
        """The ban that keeps it from writing there now."""
        for ban in self.bans:
            if ban.area == area and ban.place in (b"", place) and not 0 < ban.until <= now:
                return ban
        return None


class Plate(Record, frozen=True):
    """The plate at the door: the box's title, and its owners (16 octets each) since the first."""

    title: str = ""
    owners: tuple[bytes, ...] = ()


_ACCOUNTS: Final = SealedTable(ACCOUNTS, Account)
_PLATES: Final = SealedTable(ACCOUNT, Plate)
_PLATE: Final = b"plate"


def create(txn: Transaction, machine: Sealer, account: Account, most: int) -> None:
    """Add an account to at most `most`; Refusal name_taken, wrong_state (same id) or registration (full)."""
    at = machine.blind(ACCOUNT_NAMES, account.name.encode())
    if txn.get(ACCOUNT_NAMES, at) is not None:
        raise Refusal("name_taken")
    if txn.get(ACCOUNTS, account.account) is not None:
        raise Refusal("wrong_state", field="account")
    if txn.count(ACCOUNTS) >= most:
        raise Refusal("registration", most=most)
    txn.put(ACCOUNT_NAMES, at, account.account)
    _ACCOUNTS.put(txn, machine, account.account, account)
    _list_owner(txn, machine, account)


def find(txn: Transaction, machine: Sealer, account: bytes) -> Account | None:
    """The account of this id, or None."""
    return _ACCOUNTS.get(txn, machine, account)


def require(txn: Transaction, machine: Sealer, account: bytes) -> Account:
    """The account of this id; Refusal no_account."""
    found = find(txn, machine, account)
    if found is None:
        raise Refusal("no_account")
    return found


def find_name(txn: Transaction, machine: Sealer, name: str) -> bytes | None:
    """The id of the account of this name, or None."""
    return txn.get(ACCOUNT_NAMES, machine.blind(ACCOUNT_NAMES, name.encode()))


def by_name(txn: Transaction, machine: Sealer, name: str) -> Account | None:
    """The account of this name, or None."""
    account = find_name(txn, machine, name)
    return None if account is None else require(txn, machine, account)


def save(txn: Transaction, machine: Sealer, account: Account) -> None:
    """Change an account, but not its name; Refusal no_account, or last_owner when none would be left."""
    if txn.get(ACCOUNTS, account.account) is None:
        raise Refusal("no_account")
    _ACCOUNTS.put(txn, machine, account.account, account)
    _list_owner(txn, machine, account)


def remove(txn: Transaction, machine: Sealer, account: bytes) -> Account:
    """Forget an account and free its name; the account as it was. Refusal no_account or last_owner."""
    gone = require(txn, machine, account)
    _list_owner(txn, machine, msgspec.structs.replace(gone, suspended=True))
    _ACCOUNTS.delete(txn, machine, account)
    txn.delete(ACCOUNT_NAMES, machine.blind(ACCOUNT_NAMES, gone.name.encode()))
    return gone


def list_all(txn: Transaction, machine: Sealer) -> list[Account]:
    """Every account by name."""
    return sorted(_ACCOUNTS.list_all(txn, machine), key=lambda account: account.name)


def plate(txn: Transaction, machine: Sealer) -> Plate:
    """The plate; without owners on a box that nobody has claimed."""
    return _PLATES.get(txn, machine, _PLATE) or Plate()


def rename(txn: Transaction, machine: Sealer, title: str) -> None:
    """Change the box's title."""
    _PLATES.put(txn, machine, _PLATE, msgspec.structs.replace(plate(txn, machine), title=title))


def lift_over(txn: Transaction, machine: Sealer, now: int) -> list[Account]:
    """End the suspensions and bans whose time has come; the accounts whose suspension ended."""
    lifted: list[Account] = []
    for account in _ACCOUNTS.list_all(txn, machine):
        over = account.suspended and not account.is_out(now)
        bans = tuple(ban for ban in account.bans if not 0 < ban.until <= now)
        if over:
            account = msgspec.structs.replace(account, suspended=False, suspended_until=0, reason="")
            lifted.append(account)
        if over or len(bans) < len(account.bans):
            save(txn, machine, msgspec.structs.replace(account, bans=bans))
    return lifted


def count_set_over(txn: Transaction, machine: Sealer) -> int:
    """How many owners and admins there are who can sign in."""
    found = _ACCOUNTS.list_all(txn, machine)
    return sum(one.role in ("owner", "admin") and not one.suspended for one in found)


def _list_owner(txn: Transaction, machine: Sealer, account: Account) -> None:
    """Keep the plate's owners; a suspended one does not count, for nobody could sign in."""
    before = plate(txn, machine)
    owns = account.role == "owner" and not account.suspended
    if owns == (account.account in before.owners):
        return
    owners = tuple(owner for owner in before.owners if owner != account.account)
    if owns:
        owners += (account.account,)
    if not owners:
        raise Refusal("last_owner")
    _PLATES.put(txn, machine, _PLATE, msgspec.structs.replace(before, owners=owners))
