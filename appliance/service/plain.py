"""The client's part with passphrases and codes, done by the box for people whose browser runs no scripts.

Their passphrase reaches the box here, which derives the very keys that a client derives and keeps none of
them: so the account opens in every client, too. Argon2id runs in a thread, one at a time.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import account as wire
from appliance.protocol import backup_code
from appliance.protocol.codec import to_text
from appliance.protocol.passphrase import Stretched, stretch, unwrap, wrap
from appliance.service.accounts import Accounts
from appliance.service.caller import Caller
from appliance.service.door import Door
from appliance.service.guesses import Guesses, Place
from appliance.service.ports import Clock
from appliance.service.sign_in import Issued, SignIn
from appliance.store.schema import SESSIONS
from appliance.store.storekey import KeyRing

SHORTEST: Final = 8
"""Characters of a passphrase, as clients ask for them."""
MAX_WAITING: Final = 16
"""People whose passphrase may wait for its turn; each takes its memory and time."""
HALFWAY_SECONDS: Final = 300
MAX_HALFWAY: Final = 256
"""Sign-ins that may wait for the second factor; the oldest makes room."""
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?")


class Wish(NamedTuple):
    """A new account: `account` is chosen with the form, so that sending it twice makes one."""

    account: bytes
    name: str
    passphrase: str
    label: str
    invite: str
    protect: bool = False

    def __repr__(self) -> str:
        return "<Wish>"


@dataclass(frozen=True, slots=True)
class Halfway:
    """The passphrase was right and the second factor is missing: the word to come back with."""

    word: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Waiting:
    name: str = field(repr=False)
    authentication: bytes = field(repr=False)
    label: str = field(repr=False)
    until: float


class Plain:
    """Owner: the event loop. Only what waits for a second factor is kept, in memory, for minutes."""

    def __init__(
        self,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        guesses: Guesses,
        sign_in: SignIn,
        door: Door,
        accounts: Accounts,
    ) -> None:
        self._machine = ring.machine
        self._clock = clock
        self._guesses = guesses
        self._sign_in = sign_in
        self._door = door
        self._accounts = accounts
        self._stretching = trio.CapacityLimiter(1)
        self._halfway: dict[str, _Waiting] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def token(self, bound: bytes) -> str:
        """What a form must bring back that belongs to `bound`: a sign-in, or a cookie from before it."""
        return to_text(self._machine.blind(SESSIONS, b"\0form of\0" + bound))

    def is_token(self, given: str, bound: bytes) -> bool:
        """Whether a form belongs to `bound`."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token(bound).encode())

    async def register(self, wish: Wish, place: Place) -> tuple[Issued, list[str]]:
        """Make an account with its backup codes, by invite or claim token; the sign-in and the codes.

        Refusals of `Door.register`, weak_passphrase, busy. The same wish again signs in and makes new codes.
        """
        _check_length(wish.passphrase)
        owner = self._accounts.find(wish.name)
        if owner == wish.account:
            kdf = self._sign_in.parameters(wish.name)
        else:
            # Refused before the costly part: a wrong invite, and a name that anybody can look up.
            if self._door.claim_token is None:
                self._door.check(wire.InviteCheck(wish.invite), place)
            if owner is not None:
                raise Refusal("name_taken")
            kdf = self._new_kdf()
        keys = await self._stretch(wish.passphrase, kdf)
        fresh = wrap(keys.wrapping, wish.account, os.urandom(32), os.urandom(24))
        body = wire.Register(
            account=wish.account,
            name=wish.name,
            kdf=kdf,
            authentication=keys.authentication,
            wrapped=fresh,
            label=wish.label,
            invite=wish.invite,
            protect=wish.protect,
        )
        issued = await self._door.register(body, place)
        vault_key = unwrap(keys.wrapping, wish.account, issued.session.wrapped)
        codes = await self._replace_codes(self._caller(issued), vault_key, keys, place)
        return issued, codes

    async def sign_in(self, name: str, passphrase: str, label: str, place: Place) -> Issued | Halfway:
        """By passphrase; Refusal wrong_sign_in, locked, suspended, too_many, busy."""
        keys = await self._keys(name, passphrase, place)
        try:
            return await self._sign_in.sign_in(wire.SignIn(name, keys.authentication, label), place)
        except Refusal as refusal:
            if refusal.code != "second_factor":
                raise
        now = self._clock()
        self._halfway = {word: one for word, one in self._halfway.items() if one.until > now}
        while len(self._halfway) >= MAX_HALFWAY:
            del self._halfway[next(iter(self._halfway))]
        word = secrets.token_urlsafe(24)
        self._halfway[word] = _Waiting(name, keys.authentication, label, now + HALFWAY_SECONDS)
        return Halfway(word)

    async def finish(self, word: str, code: str, place: Place) -> Issued:
        """The second factor after the passphrase; Refusal session_ended when that was too long ago."""
        waiting = self._halfway.get(word)
        if waiting is None or waiting.until <= self._clock():
            raise Refusal("session_ended")
        body = wire.SignIn(waiting.name, waiting.authentication, waiting.label, code)
        issued = await self._sign_in.sign_in(body, place)
        self._halfway.pop(word, None)
        return issued

    async def by_code(self, name: str, code: str, fresh: str, label: str, place: Place) -> Issued:
        """By a backup code, with a new passphrase at once: only now does the box see the vault key.

        The same again signs in. Refusals: malformed (the code), weak_passphrase, wrong_sign_in, suspended,
        locked.
        """
        code_keys = backup_code.keys(backup_code.read(code))
        _check_length(fresh)
        self._guesses.check(place)
        kdf = self._new_kdf()
        # Stretched before the code is used up, so that as little as possible can go wrong after it.
        keys = await self._stretch(fresh, kdf)
        body = wire.SignInByCode(name, code_keys.authentication, label)
        try:
            issued = await self._sign_in.by_code(body, place)
        except Refusal as refusal:
            if refusal.code != "wrong_sign_in":
                raise
            # Sent once more because the answer was lost: the code is used up, and the new passphrase holds.
            found = await self.sign_in(name, fresh, label, place)
            if isinstance(found, Halfway):
                raise Refusal("second_factor") from refusal
            return found
        account = issued.session.account
        vault_key = unwrap(code_keys.wrapping, account, issued.session.wrapped)
        wrapped = wrap(keys.wrapping, account, vault_key, os.urandom(24))
        change = wire.ChangePassphrase(kdf, keys.authentication, wrapped)
        await self._accounts.change_passphrase(self._caller(issued), change, place)
        return issued

    async def change_passphrase(self, caller: Caller, old: str, fresh: str, place: Place) -> None:
        """Another passphrase; every other sign-in ends. The same again changes nothing.

        Refusal weak_passphrase, wrong_passphrase.
        """
        _check_length(fresh)
        try:
            before, vault_key = await self._opened(caller, old, place)
        except Refusal as refusal:
            if refusal.code == "wrong_passphrase" and await self._holds(caller, fresh):
                return  # sent once more because the answer was lost
            raise
        kdf = self._new_kdf()
        keys = await self._stretch(fresh, kdf)
        wrapped = wrap(keys.wrapping, caller.account, vault_key, os.urandom(24))
        change = wire.ChangePassphrase(kdf, keys.authentication, wrapped, before.authentication)
        await self._accounts.change_passphrase(caller, change, place)

    async def new_codes(self, caller: Caller, passphrase: str, place: Place) -> list[str]:
        """Eight new backup codes; the old ones end. Refusal wrong_passphrase."""
        keys, vault_key = await self._opened(caller, passphrase, place)
        return await self._replace_codes(caller, vault_key, keys, place)

    async def begin_totp(self, caller: Caller, passphrase: str, place: Place) -> wire.TotpSecret:
        """A fresh second-factor secret; Refusal wrong_passphrase."""
        keys = await self._keys(caller.name, passphrase, place)
        return await self._accounts.begin_totp(caller, wire.TotpBegin(keys.authentication), place)

    async def remove_totp(self, caller: Caller, passphrase: str, place: Place) -> None:
        """Sign in without a second factor again; Refusal wrong_passphrase."""
        keys = await self._keys(caller.name, passphrase, place)
        await self._accounts.remove_totp(caller, wire.Confirm(keys.authentication), place)

    async def delete(self, caller: Caller, passphrase: str, place: Place) -> None:
        """Delete the account; Refusal wrong_passphrase, last_owner."""
        keys = await self._keys(caller.name, passphrase, place)
        await self._accounts.delete(caller, wire.Confirm(keys.authentication), place)

    async def _replace_codes(
        self, caller: Caller, vault_key: bytes, keys: Stretched, place: Place
    ) -> list[str]:
        texts, codes = [], []
        for _ in range(wire.CODES):
            code = os.urandom(backup_code.SIZE)
            pair = backup_code.keys(code)
            wrapped = wrap(pair.wrapping, caller.account, vault_key, os.urandom(24))
            texts.append(backup_code.write(code))
            codes.append(wire.Code(pair.authentication, wrapped))
        await self._accounts.replace_codes(caller, wire.ReplaceCodes(codes, keys.authentication), place)
        return texts

    async def _opened(self, caller: Caller, passphrase: str, place: Place) -> tuple[Stretched, bytes]:
        """The keys of the caller's passphrase, and the vault key; Refusal wrong_passphrase."""
        keys = await self._keys(caller.name, passphrase, place)
        wrapped = self._sign_in.describe(caller).wrapped
        with self._guesses.one(place, caller.name) as verdict:
            try:
                vault_key = unwrap(keys.wrapping, caller.account, wrapped)
            except Refusal:
                raise Refusal("wrong_passphrase") from None
            # Whether it is right beyond that is for the account to say, which counts it.
            verdict.withdrawn = True
        return keys, vault_key

    async def _holds(self, caller: Caller, passphrase: str) -> bool:
        """Whether this is the caller's passphrase; only beside a guess that was counted."""
        keys = await self._stretch(passphrase, self._sign_in.parameters(caller.name))
        try:
            unwrap(keys.wrapping, caller.account, self._sign_in.describe(caller).wrapped)
        except Refusal:
            return False
        return True

    async def _keys(self, name: str, passphrase: str, place: Place) -> Stretched:
        """What the passphrase of this name becomes; Refusal too_many while a pause lasts."""
        self._guesses.check(place, name)
        return await self._stretch(passphrase, self._sign_in.parameters(name))

    async def _stretch(self, passphrase: str, kdf: wire.Kdf) -> Stretched:
        if self._stretching.statistics().tasks_waiting >= MAX_WAITING:
            raise Refusal("busy")
        return await trio.to_thread.run_sync(stretch, passphrase, kdf, limiter=self._stretching)

    def _new_kdf(self) -> wire.Kdf:
        return wire.Kdf(os.urandom(16), self._config.kdf_memory_kib, self._config.kdf_passes)

    def _caller(self, issued: Issued) -> Caller:
        caller = self._sign_in.caller(issued.access)
        if caller is None:
            raise Refusal("session_ended")
        return caller


def read_name(text: str) -> str:
    """The account name in what somebody typed, with or without the box behind an @; Refusal malformed."""
    name = text.strip().lower().partition("@")[0]
    if _NAME.fullmatch(name) is None:
        raise Refusal("malformed", field="name")
    return name


def _check_length(passphrase: str) -> None:
    if len(passphrase) < SHORTEST:
        raise Refusal("weak_passphrase", least=SHORTEST)
