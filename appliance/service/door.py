"""The door: who may make an account here, by the claim link, an invite or a puzzle; and making it.

The claim token lives in memory only: each start of an unclaimed box prints a new link. An account, the use of
its invite and its first sign-in are written in one transaction, so no cut leaves half of them.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import account as wire
from appliance.service.audit import Audit
from appliance.service.caller import OPERATOR, Caller
from appliance.service.credentials import Credentials
from appliance.service.guesses import Guesses, Place
from appliance.service.nameplate import Nameplate
from appliance.service.ports import Clock, hour_of
from appliance.service.puzzle import Puzzle
from appliance.service.sign_in import Issued, SignIn, Started
from appliance.store import accounts, invites
from appliance.store.accounts import Account
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

_CLAIM: Final = "\0claim"
"""The name under which guesses at the link are counted; no account can have it."""


class Door:
    """Owner: the event loop. Accounts are durable, the claim token and the hour's count are not."""

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
        audit: Audit,
    ) -> None:
        self._audit = audit
        self._store = store
        self._ring = ring
        self._clock = clock
        self._nameplate = nameplate
        self._credentials = credentials
        self._guesses = guesses
        self._sign_in = sign_in
        self._puzzle = Puzzle(_at_the_door(config), clock)
        self._claiming = trio.Lock()
        self.branding: Callable[[], bytes] = bytes
        """The revision of how the box shows itself."""
        self._made = (0, 0)
        """The hour, and how many accounts were made by work in it."""
        self.claim_token = None if nameplate.claimed else secrets.token_urlsafe(24)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config
        self._puzzle.configure(_at_the_door(config))

    def look(self) -> wire.Door:
        """What somebody at the door may know."""
        is_open = self._nameplate.claimed and self._config.registration == "open"
        return wire.Door(
            claimed=self._nameplate.claimed,
            registration=self._config.registration,
            title=self._nameplate.title,
            kdf_memory_kib=self._config.kdf_memory_kib,
            kdf_passes=self._config.kdf_passes,
            work=self._puzzle.challenge() if is_open else None,
            branding=self.branding(),
        )

    def check(self, body: wire.InviteCheck, place: Place) -> wire.InviteState:
        """What an invite gives; Refusal invite or registration."""
        with self._guesses.one(place) as verdict:
            found = self._find_invite(body.code)
            verdict.right = True
        return wire.InviteState(found.role, found.expires)

    async def register(self, body: wire.Register, place: Place, *, trusted: bool = False) -> Issued:
        """Make an account and sign it in; `trusted` callers claim a box without its link.

        Asked again with the same account, name and key, it signs in: the answer may have been lost.
        """
        if body.account == OPERATOR.account:
            raise Refusal("malformed", field="account")
        self._check_stretching(body.kdf)
        known = self._store.read(lambda txn: accounts.find(txn, self._ring.machine, body.account))
        if known is not None:
            if known.name != body.name:
                raise Refusal("wrong_state", field="account")
            return await self._sign_in.sign_in(
                wire.SignIn(name=body.name, authentication=body.authentication, label=body.label), place
            )
        if not self._nameplate.claimed:
            return await self._claim(body, place, trusted)
        if self._ring.locked:
            raise Refusal("locked")
        role = await self._admit(body, place)
        return await self._make(body, role)

    def _check_stretching(self, kdf: wire.Kdf) -> None:
        least = self._config.kdf_memory_kib, self._config.kdf_passes
        if kdf.memory_kib < least[0] or kdf.passes < least[1]:
            raise Refusal("weak_passphrase", memory_kib=least[0], passes=least[1])

    async def _claim(self, body: wire.Register, place: Place, trusted: bool) -> Issued:
        async with self._claiming:
            if self.claim_token is None:
                raise Refusal("already_claimed")
            if not trusted:
                with self._guesses.one(place, _CLAIM) as verdict:
                    given = body.invite.encode("utf-8", "replace")
                    verdict.right = hmac.compare_digest(given, self.claim_token.encode())
                    if not verdict.right:
                        raise Refusal("wrong_token")
            issued = await self._make(body, "owner")
            self.claim_token = None
        self._nameplate.changed()
        return issued

    async def _admit(self, body: wire.Register, place: Place) -> wire.Role:
        """The role that the invite or the work gives; Refusal registration, invite, name_taken or work."""
        if body.invite:
            with self._guesses.one(place) as verdict:
                role = self._find_invite(body.invite).role
                verdict.right = True
            return role
        if self._config.registration != "open" or body.work is None:
            raise Refusal("registration")
        hour, made = self._made
        if hour == hour_of(self._clock()) and made >= self._config.registrations_hour:
            raise Refusal("busy", seconds=3600)
        # Told before the work is spent: whoever looks a name up in the directory learns as much.
        if self._store.read(lambda txn: accounts.find_name(txn, self._ring.machine, body.name)) is not None:
            raise Refusal("name_taken")
        await self._puzzle.check(body.work)
        hour, made = self._made
        now = hour_of(self._clock())
        self._made = (now, made + 1 if hour == now else 1)
        return "member"

    def _find_invite(self, code: str) -> invites.Invite:
        if self._config.registration == "closed":
            raise Refusal("registration")
        now = int(self._clock())
        found = self._store.read(lambda txn: invites.find(txn, self._ring.machine, invites.id_of(code), now))
        if found is None:
            raise Refusal("invite")
        return found

    async def _make(self, body: wire.Register, role: wire.Role) -> Issued:
        machine, now = self._ring.machine, int(self._clock())
        claims = role == "owner"
        protects = claims and body.protect
        account = Account(
            account=body.account,
            name=body.name,
            role=role,
            created_hour=hour_of(now),
            salt=body.kdf.salt,
            memory_kib=body.kdf.memory_kib,
            passes=body.kdf.passes,
            verifier=await self._credentials.make(body.authentication),
            wrapped=body.wrapped,
            protects=protects,
        )
        wrapping = await self._ring.wrap(body.authentication) if protects else None

        def job(txn: Transaction) -> Started:
            if claims and accounts.plate(txn, machine).owners:
                raise Refusal("already_claimed")
            if not claims and body.invite:
                invites.use(txn, machine, invites.id_of(body.invite), now)
            accounts.create(txn, machine, account, self._config.accounts_most)
            if claims:
                accounts.rename(txn, machine, account.name)
                owner = Caller(account.account, account.name, role, bytes(16))
                self._audit.note(txn, owner, "account.claim", account.name, account.account)
            if wrapping is not None:
                wrapping.write(txn)
            return self._sign_in.start(txn, account, body.label)

        started = await self._store.write(job)
        if wrapping is not None:
            self._ring.adopt(wrapping)
        return self._sign_in.issue(started)


def _at_the_door(config: Config) -> Config:
    """Settings with which the puzzle is the registration's."""
    return replace(config, work_memory_kib=config.registration_memory_kib, work_bits=config.registration_bits)
