"""The safety number: what two people compare to know that nobody stands between them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

PREFIX: Final = "ISLAND-SAFETY:"


def fingerprint(identity: bytes) -> str:
    """Six groups of five digits to compare aloud (99 bits) for a 32-byte identity."""
    digest = hashlib.sha512(b"island/v1/fingerprint\0" + identity).digest()
    return " ".join(f"{int.from_bytes(digest[at : at + 5], 'big') % 100_000:05d}" for at in range(0, 30, 5))


def digits(one: bytes, other: bytes) -> list[str]:
    """Twelve groups of five digits for two identities, the same on both sides."""
    first, second = sorted((one, other))
    return [*fingerprint(first).split(), *fingerprint(second).split()]


def code(one: bytes, other: bytes) -> str:
    """Both identities as the text of a QR code, the same on both sides."""
    first, second = sorted((one, other))
    return PREFIX + base64.b32encode(first + second).decode().rstrip("=")


def matches(text: str, one: bytes, other: bytes) -> bool:
    """True when a scanned text is the code of these two identities."""
    packed = "".join(text.split()).upper()
    return packed.isascii() and hmac.compare_digest(packed, code(one, other))
