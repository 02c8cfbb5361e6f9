"""Credentials: authentication keys are hashed once more by Argon2id, in a thread and one after the other.

What comes here was stretched by the client already; this hash makes a stolen store no shortcut. A name that
nobody has costs the same work as one that somebody has.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from typing import Final

import trio
from argon2.low_level import Type, hash_secret_raw

from appliance.errors import Refusal
from appliance.store.accounts import Account, BackupCode, Verifier

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
MAX_WAITING: Final = 32
"""Checks that may wait for their turn; each takes its memory and time."""
_SIZE: Final = 32
_SALT_SIZE: Final = 16


class Credentials:
    """Makes verifiers and compares with them. Owner: the event loop; the work is done in one thread."""

    def __init__(self, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._memory_kib = memory_kib
        self._passes = passes
        self._hashing = trio.CapacityLimiter(1)
        # Compared with where there is no account. Nobody's key has this digest.
        self._nobody = Verifier(os.urandom(_SALT_SIZE), memory_kib, passes, os.urandom(_SIZE))

    async def make(self, authentication: bytes) -> Verifier:
        """The verifier of an authentication key; Refusal busy."""
        salt = os.urandom(_SALT_SIZE)
        digest = await self._hash(authentication, salt, self._memory_kib, self._passes)
        return Verifier(salt, self._memory_kib, self._passes, digest)

    async def matches(self, authentication: bytes, account: Account | None) -> bool:
        """Whether this is the account's authentication key; None is nobody's. Refusal busy."""
        verifier = self._nobody if account is None else account.verifier
        digest = await self._hash(authentication, verifier.salt, verifier.memory_kib, verifier.passes)
        return hmac.compare_digest(digest, verifier.digest) and account is not None

    async def _hash(self, secret: bytes, salt: bytes, memory_kib: int, passes: int) -> bytes:
        if self._hashing.statistics().tasks_waiting >= MAX_WAITING:
            raise Refusal("busy")

        def work() -> bytes:
            return hash_secret_raw(secret, salt, passes, memory_kib, 1, _SIZE, Type.ID)

        return await trio.to_thread.run_sync(work, limiter=self._hashing)


def proof_of(authentication: bytes) -> bytes:
    """What is kept of a backup code's authentication key; it has 128 random bits, so one hash is enough."""
    return sha256(b"island/v1/backup code\0" + authentication).digest()


def pick_code(authentication: bytes, account: Account | None) -> BackupCode | None:
    """The backup code this proves, or None; every code is looked at whichever it is."""
    proof, found = proof_of(authentication), None
    for code in () if account is None else account.codes:
        if hmac.compare_digest(code.proof, proof):
            found = code
    return found
