"""Signing in: by passphrase, by backup code or by a token that is replaced at each use; and signing out."""

from __future__ import annotations

import hmac
import os
from typing import Final, NamedTuple, NoReturn

import msgspec

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import account as wire
from appliance.protocol.codec import to_text
from appliance.service import totp
from appliance.service.account_hooks import Hooks
from appliance.service.caller import Caller
from appliance.service.code_entry import entry_of, unanswered
from appliance.service.credentials import Credentials, pick_code
from appliance.service.guesses import Guesses, Place
from appliance.service.lock import Lock
from appliance.service.ports import Clock, hour_of
from appliance.service.tokens import AccessTokens, read_refresh
from appliance.store import accounts, sessions
from appliance.store.accounts import Account
from appliance.store.engine import Store
from appliance.store.epoch import epoch
from appliance.store.schema import ACCOUNT_NAMES
from appliance.store.sessions import CodeEntry, SignedIn
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

REFRESH_SECONDS: Final = 7 * 24 * 3600
GRACE_SECONDS: Final = 60
"""How long the token before may be shown again, when the answer with its successor was lost."""
STRONG: Final = (65536, 3)
"""What a client takes for a strong passphrase; some names that nobody has show it too."""
_ID_SIZE: Final = 16


class Started(NamedTuple):
    """A sign-in that is written but not yet told: the account, its row, the token, who ended for it."""

    account: Account
    row: SignedIn
    secret: bytes
    ended: list[bytes]
    epoch: bytes

    def __repr__(self) -> str:
        return "<Started>"


class Issued(NamedTuple):
    """A sign-in as it is told: the answer, and the two tokens for the cookies."""

    session: wire.Session
    access: str
    refresh: str

    def __repr__(self) -> str:
        return "<Issued>"


class SignIn:
    """Sign-ins are durable, access tokens are not. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        lock: Lock,
        credentials: Credentials,
        guesses: Guesses,
        hooks: Hooks,
        host: str,
    ) -> None:
        self._store = store
        self._machine = ring.machine
        self._clock = clock
        self._lock = lock
        self._credentials = credentials
        self._guesses = guesses
        self._hooks = hooks
        self._host = host
        self._tokens = AccessTokens(clock)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def caller(self, token: str) -> Caller | None:
        """Whom an access token signs in. A locked box has nobody: its owner must unlock it first."""
        return None if self._lock.locked else self._tokens.caller(token)

    def parameters(self, name: str) -> wire.Kdf:
        """How the passphrase of this name is stretched; names that nobody has get an answer that stays."""
        strange = self._machine.blind(ACCOUNT_NAMES, b"\0salt of\0" + name.encode())
        shape = self._machine.blind(ACCOUNT_NAMES, b"\0shape of\0" + name.encode())[0]
        found = self._store.read(lambda txn: accounts.by_name(txn, self._machine, name))
        if found is not None:
            return wire.Kdf(found.salt, found.memory_kib, found.passes)
        memory_kib, passes = self._config.kdf_memory_kib, self._config.kdf_passes
        if shape < 32 and memory_kib < STRONG[0]:
            memory_kib, passes = STRONG
        return wire.Kdf(strange, memory_kib, passes)

    async def sign_in(self, body: wire.SignIn, place: Place) -> Issued:
        """By passphrase; unlocks the box when it is its owner's. Refusal wrong_sign_in, second_factor, …"""
        account = self._store.read(lambda txn: accounts.by_name(txn, self._machine, body.name))
        with self._guesses.one(place, body.name) as verdict:
            right = await self._credentials.matches(body.authentication, account)
            if account is None or not right:
                raise Refusal("wrong_sign_in")
            try:
                self._admit(account, body.totp)
                if self._lock.locked:
                    await self._unlock(account, body.authentication)
                started = await self._begin(account, body.label, body.totp)
            except Refusal as refusal:
                # The passphrase was right, so it was no guess; but it does not make up for wrong codes.
                verdict.withdrawn = refusal.code != "wrong_sign_in"
                raise
            verdict.right = True
        return self.issue(started)

    async def by_code(self, body: wire.SignInByCode, place: Place) -> Issued:
        """By a backup code, which is used up. Refusal wrong_sign_in, locked, suspended.

        The same attempt again, whose answer was lost, gets a sign-in in place of the one nobody has used.
        """
        self._lock.check()

        def job(txn: Transaction) -> tuple[Started, bytes]:
            account = accounts.by_name(txn, self._machine, body.name)
            code = pick_code(body.authentication, account)
            before = unanswered(txn, self._machine, account, body, self._clock(), self._tokens)
            if account is None:
                raise Refusal("wrong_sign_in")
            if code or before:
                account.check_in(self._clock())
            if code is not None:
                left = tuple(other for other in account.codes if other.proof != code.proof)
                account = msgspec.structs.replace(account, codes=left)
                accounts.save(txn, self._machine, account)
                entry = entry_of(code, body, self._clock())
                return self.start(txn, account, body.label, entry=entry), entry.wrapped
            if before is None:
                raise Refusal("wrong_sign_in")
            session, entry = before
            sessions.end(txn, self._machine, session)
            again = self.start(txn, account, body.label, entry=entry)
            return again._replace(ended=[*again.ended, session]), entry.wrapped

        with self._guesses.one(place) as verdict:
            started, wrapped = await self._store.write(job)
            verdict.right = True
        issued = self.issue(started)
        return issued._replace(session=msgspec.structs.replace(issued.session, wrapped=wrapped))

    async def refresh(self, token: str) -> Issued:
        """New tokens for a refresh token; one used before ends its sign-in. Refusal session_ended."""
        self._lock.check()
        session, secret = read_refresh(token)
        row = self._store.read(lambda txn: sessions.find(txn, self._machine, session))
        if row is None:
            raise Refusal("session_ended")
        proven = self._tokens.proven(session)
        # It takes no more room than before, so a full disk signs nobody out.
        started = await self._store.write(
            lambda txn: self._rotate(txn, session, secret, proven), freeing=True
        )
        if started is None:
            self.ended(row.account, [session])
            raise Refusal("session_ended")
        return self.issue(started)

    def _rotate(self, txn: Transaction, session: bytes, secret: bytes, proven: bytes) -> Started | None:
        """The next token of a sign-in, or None when the sign-in had to end."""
        now = int(self._clock())
        row = sessions.find(txn, self._machine, session)
        account = None if row is None else accounts.find(txn, self._machine, row.account)
        if row is None or account is None or account.is_out(now) or row.until <= now:
            sessions.end(txn, self._machine, session)
            return None
        shown, after = sessions.digest(secret), sessions.successor(self._machine, session, secret)
        if hmac.compare_digest(shown, row.refresh):
            row = msgspec.structs.replace(
                row,
                refresh=sessions.digest(after),
                previous=shown,
                rotated=now,
                used_hour=hour_of(now),
                until=now + REFRESH_SECONDS,
                entry=None,
            )
            sessions.save(txn, self._machine, row)
        elif not (
            hmac.compare_digest(shown, row.previous)
            and now - row.rotated <= GRACE_SECONDS
            and proven != row.refresh
        ):
            sessions.end(txn, self._machine, session)
            return None
        return Started(account, row, after, [], epoch(txn))

    def start(
        self, txn: Transaction, account: Account, label: str, *, entry: CodeEntry | None = None
    ) -> Started:
        """Write down a sign-in of an account inside a transaction; tell it by `issue` after the commit."""
        now, secret = int(self._clock()), os.urandom(_ID_SIZE)
        row = SignedIn(
            session=os.urandom(_ID_SIZE),
            account=account.account,
            label=label,
            started_hour=hour_of(now),
            used_hour=hour_of(now),
            refresh=sessions.digest(secret),
            until=now + REFRESH_SECONDS,
            by_code=entry is not None,
            entry=entry,
        )
        ended = sessions.begin(txn, self._machine, row, now)
        return Started(account, row, secret, ended, epoch(txn))

    def issue(self, started: Started) -> Issued:
        """The answer and the tokens of a sign-in that is written.

        Looks again: since the commit others may have ended it, changed the role or named a device, and who
        shares a commit goes on in any order. Refusal session_ended.
        """
        self.ended(started.account.account, started.ended)

        def look(txn: Transaction) -> tuple[SignedIn | None, Account | None]:
            row = sessions.find(txn, self._machine, started.row.session)
            return row, accounts.find(txn, self._machine, started.account.account)

        row, account = self._store.read(look)
        if row is None or account is None or account.is_out(self._clock()):
            _ended()
        caller = Caller(account.account, account.name, account.role, row.session, row.device)
        return Issued(
            _told(account, row, started.epoch, self._host),
            self._tokens.issue(caller, started.row.refresh),
            to_text(row.session + started.secret),
        )

    def describe(self, caller: Caller) -> wire.Session:
        """The caller's own sign-in; Refusal session_ended."""

        def look(txn: Transaction) -> wire.Session:
            row = self._row(txn, caller)
            return _told(accounts.require(txn, self._machine, row.account), row, epoch(txn), self._host)

        return self._store.read(look)

    def page(self, caller: Caller) -> wire.Sessions:
        """Every place where the caller's account is signed in, the last used first."""
        now = self._clock()
        rows = self._store.read(lambda txn: sessions.list_account(txn, self._machine, caller.account))
        live = sorted((row for row in rows if row.until > now), key=lambda row: (-row.used_hour, row.label))
        return wire.Sessions([shown(row, caller.session) for row in live])

    async def bind(self, caller: Caller, device: bytes) -> None:
        """Let this sign-in speak for a device; Refusal wrong_state when it is another account's."""

        def job(txn: Transaction) -> None:
            row = self._row(txn, caller)
            if not sessions.name_device(txn, caller.account, device, hour_of(self._clock())):
                raise Refusal("wrong_state", field="device")
            sessions.save(txn, self._machine, msgspec.structs.replace(row, device=device, entry=None))

        await self._store.write(job)
        self._tokens.bind(caller.session, device)

    async def end(self, caller: Caller, session: bytes) -> None:
        """End one sign-in of the caller's account; Refusal not_found."""

        def job(txn: Transaction) -> None:
            row = sessions.find(txn, self._machine, session)
            if row is None or row.account != caller.account:
                raise Refusal("not_found")
            sessions.end(txn, self._machine, session)

        await self._store.write(job, freeing=True)
        self.ended(caller.account, [session])

    async def end_device(self, account: bytes, device: bytes, but: bytes) -> None:
        """End the sign-ins that speak for a device which was removed, except the one that removed it."""

        def job(txn: Transaction) -> list[bytes]:
            rows = sessions.list_account(txn, self._machine, account)
            gone = [row.session for row in rows if row.device == device and row.session != but]
            for session in gone:
                sessions.end(txn, self._machine, session)
            return gone

        self.ended(account, await self._store.write(job, freeing=True))

    async def forget_over(self) -> None:
        """Forget the sign-ins that have run out, of people who never came back."""
        now = int(self._clock())
        for row in await self._store.read_cold(lambda txn: sessions.list_over(txn, self._machine, now)):

            def job(txn: Transaction, session: bytes = row.session) -> bool:
                found = sessions.find(txn, self._machine, session)
                return found is not None and found.until <= now and sessions.end(txn, self._machine, session)

            if await self._store.write(job, freeing=True):
                self.ended(row.account, [row.session])

    def ended(self, account: bytes, gone: list[bytes]) -> None:
        """End tokens and streams of sign-ins that are in the store no more, or may do other things now."""
        for session in gone:
            self._tokens.drop(session)
        self._hooks.tell_ended(account, gone)

    def _admit(self, account: Account, code: str | None) -> int:
        """Check what stands beside the passphrase; the step of the second factor's code."""
        account.check_in(self._clock())
        if account.totp is None:
            return account.totp_step
        if code is None:
            raise Refusal("second_factor")
        step = totp.step_of(account.totp, code, self._clock(), account.totp_step)
        if step is None:
            raise Refusal("wrong_sign_in")
        return step

    async def _unlock(self, account: Account, authentication: bytes) -> None:
        if not account.protects:
            raise Refusal("locked")
        await self._lock.open(authentication)

    async def _begin(self, checked: Account, label: str, code: str | None) -> Started:
        """The sign-in of an account whose passphrase was right; looks again, since time has passed."""

        def job(txn: Transaction) -> Started:
            account = accounts.find(txn, self._machine, checked.account)
            if account is None or account.verifier != checked.verifier:
                raise Refusal("wrong_sign_in")
            step = self._admit(account, code)
            if step != account.totp_step:
                account = msgspec.structs.replace(account, totp_step=step)
                accounts.save(txn, self._machine, account)
            return self.start(txn, account, label)

        return await self._store.write(job)

    def _row(self, txn: Transaction, caller: Caller) -> SignedIn:
        row = sessions.find(txn, self._machine, caller.session)
        return _ended() if row is None else row


def shown(row: SignedIn, current: bytes) -> wire.SessionRow:
    """A sign-in in the list."""
    return wire.SessionRow(
        session=row.session,
        label=row.label,
        device=row.device,
        started_hour=row.started_hour,
        used_hour=row.used_hour,
        current=row.session == current,
    )


def _told(account: Account, row: SignedIn, epoch: bytes, host: str) -> wire.Session:
    return wire.Session(
        account=account.account,
        name=account.name,
        role=account.role,
        onion=host,
        session=row.session,
        wrapped=account.wrapped,
        epoch=epoch,
        totp=account.totp is not None,
        codes_left=len(account.codes),
        by_code=row.by_code,
    )


def _ended() -> NoReturn:
    raise Refusal("session_ended")
