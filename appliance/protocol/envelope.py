"""The envelope: an opaque block of one of four sizes, its id, and the padding that fills it."""

from __future__ import annotations

import hashlib
from typing import Final, NewType

from appliance.errors import Refusal

EnvelopeId = NewType("EnvelopeId", bytes)
"""16 bytes: BLAKE2b-128 of the whole envelope."""

VERSION: Final = 1
"""First byte of every envelope."""
SIZES: Final = (960, 1984, 4032, 16320)
"""Octets of an envelope; chosen so that they fill database pages with what is stored beside them."""

_SIZES: Final = frozenset(SIZES)


def envelope_id(envelope: bytes) -> EnvelopeId:
    """The id by which an envelope is acknowledged and recognised again."""
    return EnvelopeId(hashlib.blake2b(envelope, digest_size=16).digest())


def check(envelope: bytes) -> None:
    """Refusal wrong_size or unknown_version; all a relay can know of an envelope."""
    if len(envelope) not in _SIZES:
        raise Refusal("wrong_size")
    if envelope[0] != VERSION:
        raise Refusal("unknown_version")


def size_for(octets: int, overhead: int) -> int:
    """The smallest size class for so many octets of content, one of padding and the overhead; wrong_size."""
    for size in SIZES:
        if octets + 1 + overhead <= size:
            return size
    raise Refusal("wrong_size")


def pad(content: bytes, size: int) -> bytes:
    """Content ‖ 0x80 ‖ zeros up to `size` octets (ISO 7816-4); Refusal wrong_size when it does not fit."""
    if len(content) >= size:
        raise Refusal("wrong_size")
    return content + b"\x80" + bytes(size - len(content) - 1)


def unpad(padded: bytes) -> bytes:
    """The content before the padding; Refusal malformed without a padding mark."""
    content = padded.rstrip(b"\0")
    if not content.endswith(b"\x80"):
        raise Refusal("malformed")
    return content[:-1]


def padme(count: int) -> int:
    """A count rounded up so that it tells its own magnitude and little more (at most 12 % above)."""
    if count < 2:
        return count
    exponent = count.bit_length() - 1
    dropped = (1 << (exponent - exponent.bit_length())) - 1
    return (count + dropped) & ~dropped
