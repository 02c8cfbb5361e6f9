"""Access tokens: short-lived and in memory only, so that ending a sign-in holds at once.

A box that starts again knows none; every client then asks for a new one by its refresh token.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from appliance.errors import Refusal
from appliance.protocol.codec import from_text
from appliance.service.caller import Caller
from appliance.service.ports import Clock

ACCESS_SECONDS: Final = 15 * 60
MAX_LIVE: Final = 4
"""Access tokens of one sign-in: several tabs may ask at the same moment."""


@dataclass(slots=True)
class _Access:
    caller: Caller
    generation: bytes
    until: float


class AccessTokens:
    """Owner: the event loop. `generation` is the hash of the refresh token that was issued beside it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._live: dict[bytes, _Access] = {}
        self._of: dict[bytes, list[bytes]] = {}
        self._proven: dict[bytes, bytes] = {}

    def issue(self, caller: Caller, generation: bytes) -> str:
        """A new token for a sign-in."""
        self._forget_old()
        token = secrets.token_urlsafe(24)
        mine = self._of.setdefault(caller.session, [])
        while len(mine) >= MAX_LIVE:
            self._live.pop(mine.pop(0), None)
        mine.append(_key(token))
        self._live[_key(token)] = _Access(caller, generation, self._clock() + ACCESS_SECONDS)
        return token

    def caller(self, token: str) -> Caller | None:
        """Whom a token signs in, or None. It shows that the answer which brought it arrived."""
        access = self._live.get(_key(token))
        if access is None or access.until <= self._clock():
            return None
        self._proven[access.caller.session] = access.generation
        return access.caller

    def proven(self, session: bytes) -> bytes:
        """The generation of the last token of a sign-in that was used, or b""."""
        return self._proven.get(session, b"")

    def bind(self, session: bytes, device: bytes) -> None:
        """Let the live tokens of a sign-in speak for a device."""
        for key in self._of.get(session, ()):
            access = self._live[key]
            access.caller = dataclasses.replace(access.caller, device=device)

    def drop(self, session: bytes) -> None:
        """End every token of a sign-in at once."""
        for key in self._of.pop(session, ()):
            self._live.pop(key, None)
        self._proven.pop(session, None)

    def _forget_old(self) -> None:
        """They run out in the order in which they were issued."""
        now = self._clock()
        while self._live:
            key, access = next(iter(self._live.items()))
            if access.until > now:
                return
            session = access.caller.session
            del self._live[key]
            self._of[session].remove(key)
            if not self._of[session]:
                self.drop(session)


def read_refresh(token: str) -> tuple[bytes, bytes]:
    """The sign-in and the secret half (16 octets each) of a refresh token; Refusal session_ended."""
    try:
        octets = from_text(token)
    except Refusal as error:
        raise Refusal("session_ended") from error
    if len(octets) != 32:
        raise Refusal("session_ended")
    return octets[:16], octets[16:]


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
