"""One's own account: passphrase, second factor, backup codes, export, deletion; and the box's protection.

What cannot be undone needs the authentication key again. Each change is one transaction, also where it wraps
the store key anew: no cut leaves a verifier and a wrapping of two passphrases.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import account as wire
from appliance.protocol.desk import Protection
from appliance.protocol.export import Export
from appliance.service import totp
from appliance.service.account_hooks import Hooks
from appliance.service.audit import Audit
from appliance.service.caller import Caller
from appliance.service.changes import Changes
from appliance.service.credentials import Credentials, proof_of
from appliance.service.guesses import Guesses, Place
from appliance.service.nameplate import Nameplate
from appliance.service.ports import Clock
from appliance.service.sign_in import SignIn, shown
from appliance.store import accounts, sessions
from appliance.store.accounts import Account, BackupCode
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction


class Accounts:
    """Durable. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        nameplate: Nameplate,
        credentials: Credentials,
        guesses: Guesses,
        sign_in: SignIn,
        hooks: Hooks,
        changes: Changes,
        host: str,
        audit: Audit,
    ) -> None:
        self._audit = audit
        self._store = store
        self._ring = ring
        self._machine = ring.machine
        self._clock = clock
        self._nameplate = nameplate
        self._credentials = credentials
        self._guesses = guesses
        self._sign_in = sign_in
        self._hooks = hooks
        self._changes = changes
        self._host = host
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def find(self, name: str) -> bytes | None:
        """The id of the account of this name, or None."""
        return self._store.read(lambda txn: accounts.find_name(txn, self._machine, name))

    async def change_passphrase(self, caller: Caller, body: wire.ChangePassphrase, place: Place) -> None:
        """Replace what the passphrase proves and opens; every other sign-in ends."""
        least = self._config.kdf_memory_kib, self._config.kdf_passes
        if body.kdf.memory_kib < least[0] or body.kdf.passes < least[1]:
            raise Refusal("weak_passphrase", memory_kib=least[0], passes=least[1])
        by_code = self._store.read(lambda txn: self._row(txn, caller)).by_code
        if body.old is not None:
            checked = await self._confirm(caller, body.old, place)
        elif by_code:
            checked = self._own(caller)
        else:
            raise Refusal("wrong_passphrase")
        verifier = await self._credentials.make(body.authentication)
        wrapping = await self._ring.wrap(body.authentication) if checked.protects else None

        def job(txn: Transaction) -> list[bytes]:
            account = self._still(txn, checked)
            if account.protects != (wrapping is not None):
                raise Refusal("busy")  # the protection was changed meanwhile
            changed = msgspec.structs.replace(
                account,
                salt=body.kdf.salt,
                memory_kib=body.kdf.memory_kib,
                passes=body.kdf.passes,
                verifier=verifier,
                wrapped=body.wrapped,
            )
            accounts.save(txn, self._machine, changed)
            row = self._row(txn, caller)
            sessions.save(txn, self._machine, msgspec.structs.replace(row, by_code=False, entry=None))
            if wrapping is not None:
                wrapping.write(txn)
            return sessions.end_all(txn, self._machine, caller.account, but=caller.session)

        gone = await self._store.write(job)
        if wrapping is not None:
            self._ring.adopt(wrapping)
        self._sign_in.ended(caller.account, gone)

    async def replace_codes(self, caller: Caller, body: wire.ReplaceCodes, place: Place) -> None:
        """New backup codes for the old ones; the same again changes nothing. Refusal wrong_passphrase."""
        checked = self._own(caller)
        if body.confirm is not None:
            checked = await self._confirm(caller, body.confirm, place)
        codes = tuple(BackupCode(proof_of(code.authentication), code.wrapped) for code in body.codes)

        def job(txn: Transaction) -> None:
            account = self._still(txn, checked)
            if account.codes not in ((), codes) and body.confirm is None:
                raise Refusal("wrong_passphrase")
            accounts.save(txn, self._machine, msgspec.structs.replace(account, codes=codes))

        await self._store.write(job)

    async def begin_totp(self, caller: Caller, body: wire.TotpBegin, place: Place) -> wire.TotpSecret:
        """A fresh second-factor secret, not yet in force."""
        checked = await self._confirm(caller, body.authentication, place)
        secret = os.urandom(totp.SECRET_SIZE)
        await self._change(checked, totp_pending=secret)
        return wire.TotpSecret(secret, totp.uri(secret, checked.name, self._host))

    async def confirm_totp(self, caller: Caller, body: wire.TotpConfirm, place: Place) -> None:
        """Put the new secret in force by one of its codes; Refusal wrong_state or wrong_sign_in.

        The same code again is answered alike, for the answer may have been lost.
        """

        def job(txn: Transaction) -> None:
            account = accounts.require(txn, self._machine, caller.account)
            if account.totp_pending is None:
                if account.totp is None or not totp.was_last(
                    account.totp, body.totp, self._clock(), account.totp_step
                ):
                    raise Refusal("wrong_state")
                return
            step = totp.step_of(account.totp_pending, body.totp, self._clock(), 0)
            if step is None:
                raise Refusal("wrong_sign_in")
            account = msgspec.structs.replace(
                account, totp=account.totp_pending, totp_pending=None, totp_step=step
            )
            accounts.save(txn, self._machine, account)

        with self._guesses.one(place, caller.name) as verdict:
            await self._store.write(job)
            verdict.right = True

    async def remove_totp(self, caller: Caller, body: wire.Confirm, place: Place) -> None:
        """Sign in without a second factor again."""
        checked = await self._confirm(caller, body.authentication, place)
        await self._change(checked, totp=None, totp_pending=None)

    async def export(self, caller: Caller) -> Export:
        """What the box keeps about the account."""

        def look(txn: Transaction) -> Export:
            account = accounts.require(txn, self._machine, caller.account)
            rows = sessions.list_account(txn, self._machine, caller.account)
            known: dict[str, Any] = {
                "vault_records": 0,
                "vault_octets": 0,
                "mailboxes": 0,
                "waiting": 0,
                "directory_entry": None,
                "karma": 0,
                "reports": [],
                "channels": [],
            }
            for hook in self._hooks.export:
                known.update(hook(txn, account.account, account.name))
            return Export(
                name=account.name,
                role=account.role,
                created_hour=account.created_hour,
                can_post=account.can_post,
                can_upload=account.can_upload,
                bans=bans_shown(account, self._clock()),
                sessions=[shown(row, caller.session) for row in rows],
                **known,
            )

        return await self._store.read_cold(look)

    async def delete(self, caller: Caller, body: wire.Confirm, place: Place) -> None:
        """Delete the account with all that belongs to it.

        Refusals: last_owner, wrong_passphrase, channel_owner.
        """
        checked = await self._confirm(caller, body.authentication, place)

        def check(txn: Transaction) -> None:
            self._still(txn, checked)
            for hook in self._hooks.keep:
                hook(txn, checked.account)

        await self.remove(checked.account, check)

    async def remove(self, account: bytes, check: Callable[[Transaction], object]) -> None:
        """Delete an account unless `check` refuses it inside the transaction."""

        def job(txn: Transaction) -> list[bytes]:
            check(txn)
            if accounts.require(txn, self._machine, account).protects:
                raise Refusal("wrong_state", reason="this account protects the box")
            gone = accounts.remove(txn, self._machine, account)
            for hook in self._hooks.forget:
                hook(txn, account, gone.name)
            sessions.forget_devices(txn, account)
            return sessions.end_all(txn, self._machine, account)

        ended = await self._store.write(job, freeing=True)
        self._sign_in.ended(account, ended)
        self._nameplate.changed()
        for hook in self._hooks.gone:
            await hook(account)

    async def protect(self, caller: Caller, body: Protection, place: Place) -> None:
        """Wrap the store key by an owner's authentication key, so that the box starts locked; or no longer.

        At the control socket the first owner is meant.
        """
        asked = caller
        if not caller.is_member:
            caller = self._first_owner()
        checked = await self._confirm(caller, body.authentication, place)
        if checked.role != "owner":
            raise Refusal("owner_only")
        wrapping = await self._ring.wrap(body.authentication if body.protect else None)

        def job(txn: Transaction) -> None:
            self._still(txn, checked)
            for account in accounts.list_all(txn, self._machine):
                wanted = body.protect and account.account == checked.account
                if account.protects != wanted:
                    changed = msgspec.structs.replace(account, protects=wanted)
                    accounts.save(txn, self._machine, changed)
            wrapping.write(txn)
            self._audit.note(txn, asked, "box.protect" if body.protect else "box.unprotect", checked.name)

        await self._store.write(job)
        self._ring.adopt(wrapping)
        self._changes.touch()

    async def _confirm(self, caller: Caller, authentication: bytes, place: Place) -> Account:
        """The caller's account once the key was right; Refusal wrong_passphrase or too_many."""
        account = self._own(caller)
        with self._guesses.one(place, account.name) as verdict:
            verdict.right = await self._credentials.matches(authentication, account)
            if not verdict.right:
                raise Refusal("wrong_passphrase")
        return account

    async def _change(self, checked: Account, **fields: Any) -> None:
        def job(txn: Transaction) -> None:
            account = self._still(txn, checked)
            accounts.save(txn, self._machine, msgspec.structs.replace(account, **fields))

        await self._store.write(job)

    def _still(self, txn: Transaction, checked: Account) -> Account:
        """The account as it is now; Refusal wrong_passphrase when its passphrase was changed meanwhile."""
        account = accounts.require(txn, self._machine, checked.account)
        if account.verifier != checked.verifier:
            raise Refusal("wrong_passphrase")
        return account

    def _own(self, caller: Caller) -> Account:
        return self._store.read(lambda txn: accounts.require(txn, self._machine, caller.account))

    def _row(self, txn: Transaction, caller: Caller) -> sessions.SignedIn:
        row = sessions.find(txn, self._machine, caller.session)
        if row is None:
            raise Refusal("session_ended")
        return row

    def _first_owner(self) -> Caller:
        owners = self._store.read(lambda txn: accounts.plate(txn, self._machine)).owners
        if not owners:
            raise Refusal("not_claimed")
        return Caller(account=owners[0], name="", role="owner", session=bytes(16))


def bans_shown(account: Account, now: float) -> list[wire.BanRow]:
    """Where an account may not write now."""
    return [
        wire.BanRow(ban.area, ban.place or None, ban.until)
        for ban in account.bans
        if not 0 < ban.until <= now
    ]
