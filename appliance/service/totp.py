"""The second factor: time-based codes of six digits (RFC 6238 with SHA-1, as authenticator apps want it)."""

from __future__ import annotations

import hmac
from base64 import b32encode
from typing import Final
from urllib.parse import quote

SECRET_SIZE: Final = 20
STEP_SECONDS: Final = 30
DRIFT: Final = 1
"""Steps that a clock may be early or late."""
AGAIN: Final = 20
"""Steps within which the code used last is known again."""


def code(secret: bytes, step: int) -> str:
    """The six digits of one step (RFC 4226 §5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFF_FFFF) % 1_000_000:06d}"


def step_of(secret: bytes, text: str, now: float, used: int) -> int | None:
    """The step whose code this is, later than the last one used; None when it is none near now."""
    here, found = int(now // STEP_SECONDS), None
    for step in range(here - DRIFT, here + DRIFT + 1):
        if hmac.compare_digest(code(secret, step).encode(), text.encode("utf-8", "replace")) and step > used:
            found = step
    return found


def was_last(secret: bytes, text: str, now: float, used: int) -> bool:
    """Whether this is the code used last, not long ago."""
    same = hmac.compare_digest(code(secret, used).encode(), text.encode("utf-8", "replace"))
    return same and abs(int(now // STEP_SECONDS) - used) <= AGAIN


def uri(secret: bytes, name: str, host: str) -> str:
    """What an authenticator app reads from a QR code."""
    label = quote(f"Private Island:{name}@{host[:8]}", safe=":")
    key = b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/{label}?secret={key}&issuer={quote('Private Island')}"
