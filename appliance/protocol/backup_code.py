"""The backup code: 128 random bits on paper that open the account and its archive without the passphrase."""

from __future__ import annotations

from typing import Final

from appliance.errors import Refusal
from appliance.protocol.keys import domain, hkdf
from appliance.protocol.passphrase import KEY, Stretched

SIZE: Final = 16
"""Octets of a code."""
LENGTH: Final = 26
"""Characters, without the hyphens."""

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)} | {"I": 1, "L": 1, "O": 0}
_GROUP: Final = 5


def write(code: bytes) -> str:
    """The code as people copy it: Crockford's base32, most significant bits first, in groups of five."""
    value = int.from_bytes(code, "big") << (LENGTH * 5 - SIZE * 8)
    letters = "".join(_ALPHABET[value >> 5 * at & 31] for at in reversed(range(LENGTH)))
    return "-".join(letters[at : at + _GROUP] for at in range(0, LENGTH, _GROUP))


def read(text: str) -> bytes:
    """The 16 octets of a code, whatever its case, spaces and hyphens; Refusal malformed."""
    letters = "".join(text.split()).replace("-", "").upper()
    if len(letters) != LENGTH or not all(letter in _VALUES for letter in letters) or not text.isascii():
        raise Refusal("malformed")
    value = 0
    for letter in letters:
        value = value << 5 | _VALUES[letter]
    spare = LENGTH * 5 - SIZE * 8
    if value & ((1 << spare) - 1):
        raise Refusal("malformed")
    return (value >> spare).to_bytes(SIZE, "big")


def keys(code: bytes) -> Stretched:
    """The two keys of a code; nothing to stretch, since nobody can guess 128 bits."""
    return Stretched(
        hkdf(code, b"", domain("code authentication"), KEY), hkdf(code, b"", domain("code wrapping"), KEY)
    )
