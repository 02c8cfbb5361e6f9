"""Onion addresses (Tor rend-spec v3): the address is the box's public key, so no key discovery exists."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

from appliance.errors import Refusal
from appliance.protocol.keys import is_prime_order

_VERSION: Final = b"\x03"
_SUFFIX: Final = ".onion"


def address(public: bytes) -> str:
    """The v3 address ("….onion", 62 characters) of a 32-byte Ed25519 public key."""
    return base64.b32encode(public + _checksum(public) + _VERSION).decode().lower() + _SUFFIX


def public_key(address: str) -> bytes:
    """The 32-byte public key in an address of any letter case; Refusal bad_address."""
    text = address.lower()
    if len(text) != 62 or not text.isascii() or not text.endswith(_SUFFIX):
        raise Refusal("bad_address")
    try:
        data = base64.b32decode(text.removesuffix(_SUFFIX).upper())
    except (ValueError, binascii.Error) as error:
        raise Refusal("bad_address") from error
    public = data[:32]
    if data[32:] != _checksum(public) + _VERSION:
        raise Refusal("bad_address")
    # As Tor does: a point with a torsion part would be a second address of the same service.
    if not is_prime_order(public):
        raise Refusal("bad_address")
    return public


def expanded_key(seed: bytes) -> bytes:
    """The 64-byte expanded secret key of a 32-byte seed, as Tor's hs_ed25519_secret_key holds it."""
    expanded = bytearray(hashlib.sha512(seed).digest())
    expanded[0] &= 248
    expanded[31] &= 63
    expanded[31] |= 64
    return bytes(expanded)


def _checksum(public: bytes) -> bytes:
    return hashlib.sha3_256(b".onion checksum" + public + _VERSION).digest()[:2]
