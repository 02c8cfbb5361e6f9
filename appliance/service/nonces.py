"""Single-use nonces of signed relay requests: issued by HTTP, or counted up on a stream.

A nonce is random ‖ time ‖ MAC, so that nothing is kept for nonces nobody uses; a used one is
remembered until it is too old to be accepted anyway. The time is masked: a relay that showed its clock
could be told from others by its drift. Owner: the event loop; nothing is durable,
and the MAC key changes at every start, so that a nonce never survives the memory of its use.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final, Protocol

from appliance.errors import Refusal
from appliance.protocol.messages import Nonces
from appliance.protocol.stream import PREFIX_SIZE, counter
from appliance.service.ports import Clock

NONCE_SECONDS: Final = 60
MAX_ISSUED: Final = 64


class Book(Protocol):
    """Something that says whether a nonce may be used now, and marks it used."""

    def check(self, nonce: bytes) -> None:
        """Raise Refusal("nonce") unless the nonce is fresh and unused."""
        ...

    def spend(self, nonce: bytes) -> None:
        """Mark it used. Called after the signature was verified, with no await in between."""
        ...


class SpentTokens:
    """Issues MACed tokens and remembers spent ones for their life (nonces, work challenges)."""

    def __init__(self, clock: Clock, seconds: int, code: str, kept: int) -> None:
        self._clock = clock
        self._seconds = seconds
        self._code = code
        self._kept = kept
        self._key = secrets.token_bytes(32)
        self._spent: dict[bytes, float] = {}

    def issue(self) -> bytes:
        """A fresh 32-byte token."""
        salt = secrets.token_bytes(8)
        head = salt + _mask(int(self._clock() * 1000).to_bytes(8, "big"), self._mac(salt))
        return head + self._mac(head)

    def check(self, token: bytes) -> None:
        """Raise the refusal unless it is ours, young enough and unspent."""
        head, mac = token[:16], token[16:]
        if not hmac.compare_digest(mac, self._mac(head)):
            raise Refusal(self._code)
        age = self._clock() - int.from_bytes(_mask(head[8:], self._mac(head[:8])), "big") / 1000
        if not -1 <= age <= self._seconds or token in self._spent:
            raise Refusal(self._code)

    def spend(self, token: bytes) -> None:
        """Remember a checked token until its life is over."""
        self._forget_old()
        if len(self._spent) >= self._kept:
            raise Refusal("busy")
        self._spent[token] = self._clock() + self._seconds

    def _forget_old(self) -> None:
        now = self._clock()
        while self._spent:
            oldest = next(iter(self._spent))
            if self._spent[oldest] > now:
                return
            del self._spent[oldest]

    def _mac(self, head: bytes) -> bytes:
        return hashlib.blake2b(head, key=self._key, digest_size=16).digest()


def _mask(time: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(time, mask, strict=False))


class NonceBook(SpentTokens):
    """The nonces of requests over HTTP."""

    def __init__(self, clock: Clock, kept: int) -> None:
        super().__init__(clock, NONCE_SECONDS, "nonce", kept)

    def nonces(self, count: int) -> Nonces:
        """Up to `MAX_ISSUED` fresh nonces."""
        return Nonces([self.issue() for _ in range(min(max(count, 1), MAX_ISSUED))], NONCE_SECONDS)


class StreamNonces:
    """The nonces of one stream: the prefix of its hello and a counter that only rises."""

    def __init__(self) -> None:
        self.prefix = secrets.token_bytes(PREFIX_SIZE)
        self._last = -1

    def check(self, nonce: bytes) -> None:
        """Raise Refusal("nonce") unless it has the prefix and a higher counter than all before."""
        if counter(self.prefix, nonce) <= self._last:
            raise Refusal("nonce")

    def spend(self, nonce: bytes) -> None:
        """Raise the counter to this one's."""
        self._last = counter(self.prefix, nonce)
