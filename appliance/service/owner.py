"""The owner: claims the box once, signs in, locks the store key by a passphrase or not.

The claim token lives in memory only: each start of an unclaimed box prints a new link. A session's
token is kept hashed. Guesses are slowed for the whole box, because loopback has no addresses to count by.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import argon2
import msgspec
import trio

from appliance.errors import Refusal
from appliance.protocol.card import fingerprint
from appliance.protocol.desk import Claim, Identity
from appliance.protocol.names import is_plain
from appliance.service.caller import Caller
from appliance.service.cards import Cards
from appliance.service.changes import Changes
from appliance.service.ports import Clock
from appliance.store import account
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

SESSION_SECONDS: Final = 30 * 24 * 3600
SHORTEST_PASSPHRASE: Final = 8
HASH_KIB: Final = 64 * 1024
FREE_GUESSES: Final = 5
LONGEST_PAUSE: Final = 300.0


class Guesses:
    """Wrong passphrases in a row; after a few each costs a longer pause."""

    def __init__(self) -> None:
        self._wrong = 0
        self._until = 0.0

    def check(self) -> None:
        """Raise Refusal("too_many") while a pause lasts."""
        left = self._until - trio.current_time()
        if left > 0:
            raise Refusal("too_many", seconds=int(left) + 1)

    def note(self, right: bool) -> None:
        """Count one guess."""
        self._wrong = 0 if right else self._wrong + 1
        if self._wrong >= FREE_GUESSES:
            pause = min(2.0 ** (self._wrong - FREE_GUESSES + 1), LONGEST_PAUSE)
            self._until = trio.current_time() + pause


class Owner:
    """The one account of a box. Durable: name, hash of the passphrase, hashes of sessions."""

    def __init__(self, store: Store, ring: KeyRing, clock: Clock, cards: Cards, changes: Changes) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._cards = cards
        self._changes = changes
        self._guesses = Guesses()
        self._hasher = argon2.PasswordHasher(time_cost=3, memory_cost=HASH_KIB, parallelism=1)
        self._hashing = trio.CapacityLimiter(1)
        self._claiming = trio.Lock()
        self._checking = trio.Lock()
        self.claim_token = None if self.claimed else secrets.token_urlsafe(24)
        self.unlocked = trio.Event()
        if not ring.locked:
            self.unlocked.set()

    @property
    def claimed(self) -> bool:
        """Whether the box has an owner."""
        return self._store.read(account.is_claimed)

    @property
    def locked(self) -> bool:
        """Whether the store key waits for the passphrase."""
        return self._ring.locked

    @property
    def protected(self) -> bool:
        """Whether the box starts locked."""
        return self._ring.protected

    @property
    def name(self) -> str:
        """The owner's name; empty before the claim."""
        owner = self._store.read(lambda txn: account.find(txn, self._ring.machine))
        return "" if owner is None else owner.name

    async def claim(self, claim: Claim, *, trusted: bool = False) -> str:
        """Make the box the caller's and sign in; the session's token. `trusted` callers need no link."""
        async with self._claiming:
            if self.claimed or self.claim_token is None:
                raise Refusal("already_claimed")
            if not trusted:
                self._check_link(claim.token, self.claim_token)
            _check_name(claim.name)
            _check_strength(claim.passphrase)
            hashed = await self._hash(claim.passphrase)
            token = secrets.token_urlsafe(32)
            now = int(self._clock())
            owner = account.Owner(claim.name, hashed, now)

            def job(txn: Transaction) -> None:
                account.claim(txn, self._ring.machine, owner)
                account.open_session(txn, token.encode(), now + SESSION_SECONDS)

            await self._store.write(job)
            self.claim_token = None
            if claim.protect:
                await self._ring.protect(claim.passphrase)
        self._changes.touch()
        return token

    async def sign_in(self, passphrase: str) -> str:
        """Check the passphrase, unlock the box where it is locked; the session's token."""
        if not self.claimed:
            raise Refusal("not_claimed")
        await self._check(passphrase)
        token = secrets.token_urlsafe(32)
        now = int(self._clock())

        def job(txn: Transaction) -> None:
            account.close_sessions(txn, before=now)
            account.open_session(txn, token.encode(), now + SESSION_SECONDS)

        await self._store.write(job)
        return token

    def session(self, token: str) -> bool:
        """Whether this token is a session's. A locked box has none: its owner must unlock it first."""
        if self._ring.locked:
            return False
        octets, now = token.encode("utf-8", "replace"), int(self._clock())
        return self._store.read(lambda txn: account.session_until(txn, octets, now)) is not None

    def caller(self, token: str) -> Caller | None:
        """Who this session's token signs in."""
        if not self.session(token):
            return None
        return Caller(account=bytes(15) + b"\1", name=self.name, role="owner", session=bytes(16))

    async def sign_out(self, token: str) -> None:
        """End a session."""
        octets = token.encode("utf-8", "replace")
        await self._store.write(lambda txn: account.close_session(txn, octets), freeing=True)

    async def protect(self, passphrase: str, protect: bool) -> None:
        """Wrap the store key by the passphrase, so that the box starts locked, or by the machine key."""
        await self._check(passphrase)
        if protect:
            await self._ring.protect(passphrase)
        else:
            if not await self._matches(passphrase):
                # The power was cut in the middle of a change: the verifier is still of the old passphrase.
                await self._change(verifier=await self._hash(passphrase))
            await self._ring.unprotect()
        self._changes.touch()

    async def rename(self, name: str) -> None:
        """Change the name others see on new cards."""
        _check_name(name)
        await self._change(name=name)

    async def change_passphrase(self, old: str, new: str) -> None:
        """Change the passphrase; every session ends."""
        _check_strength(new)
        await self._check(old)
        hashed = await self._hash(new)
        # The store key first: were the power cut between the two, the old passphrase would unlock no more,
        # but the new one does both.
        if self._ring.protected:
            await self._ring.protect(new)
        await self._change(verifier=hashed)

    def when_unlocked(self, run: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """A task that begins when the store key is open."""

        async def task() -> None:
            await self.unlocked.wait()
            await run()

        return task

    async def identity(self) -> Identity:
        """Address, name, card and fingerprint of this box."""
        return Identity(
            address=self._cards.host,
            name=self.name,
            card=self._cards.public_text(),
            fingerprint=fingerprint(self._ring.identity.public),
        )

    def _check_link(self, token: str, right: str) -> None:
        self._guesses.check()
        matches = hmac.compare_digest(token.encode("utf-8", "replace"), right.encode())
        self._guesses.note(matches)
        if not matches:
            raise Refusal("wrong_token")

    async def _check(self, passphrase: str) -> None:
        """Refusal wrong_passphrase or too_many; opens the store key where it is locked."""
        # One after the other: guesses made side by side would all be free.
        async with self._checking:
            self._guesses.check()
            if self._ring.protected:
                right = await self._unlocks(passphrase)
            else:
                right = await self._matches(passphrase)
            self._guesses.note(right)
        if not right:
            raise Refusal("wrong_passphrase")

    async def _unlocks(self, passphrase: str) -> bool:
        try:
            await self._ring.unlock(passphrase)
        except Refusal as refusal:
            if refusal.code != "wrong_passphrase":
                raise
            return False
        if not self.unlocked.is_set():
            self.unlocked.set()
            self._changes.touch()
        return True

    async def _matches(self, passphrase: str) -> bool:
        owner = self._find()

        def verify() -> bool:
            try:
                return self._hasher.verify(owner.verifier, passphrase)
            except argon2.exceptions.VerifyMismatchError:
                return False

        return await trio.to_thread.run_sync(verify, limiter=self._hashing)

    async def _hash(self, passphrase: str) -> str:
        return await trio.to_thread.run_sync(self._hasher.hash, passphrase, limiter=self._hashing)

    def _find(self) -> account.Owner:
        owner = self._store.read(lambda txn: account.find(txn, self._ring.machine))
        if owner is None:
            raise Refusal("not_claimed")
        return owner

    async def _change(self, **changed: str) -> None:
        def job(txn: Transaction) -> None:
            owner = account.find(txn, self._ring.machine)
            if owner is None:
                raise Refusal("not_claimed")
            account.save(txn, self._ring.machine, msgspec.structs.replace(owner, **changed))
            if "verifier" in changed:
                account.close_sessions(txn)

        await self._store.write(job)
        self._cards.forget()
        self._changes.touch()


def _check_name(name: str) -> None:
    if not name.strip() or not is_plain(name):
        raise Refusal("malformed", field="name")


def _check_strength(passphrase: str) -> None:
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise Refusal("weak_passphrase", least=SHORTEST_PASSPHRASE)
