"""The passphrase: stretched in the client, split into what proves it and what wraps the vault key.

Passphrase and backup code end in the same two keys: `authentication` goes to the box, `wrapping` stays.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal
from appliance.protocol.account import WRAPPED_SIZE, Kdf
from appliance.protocol.keys import domain, hkdf
from appliance.protocol.messages import Bytes32, Message

DEFAULT: Final = (19_456, 2)
"""Memory in KiB and passes for new accounts."""
STRONG: Final = (65_536, 3)
LEAST_MEMORY_KIB: Final = 7_168
LEAST_WORK: Final = 35_840
"""Memory in KiB, and memory by passes, below which a passphrase is too cheap to guess (OWASP's least)."""
MAX_MEMORY_KIB: Final = 1 << 20
MAX_PASSES: Final = 16
NONCE: Final = 24
KEY: Final = 32


class Stretched(Message):
    """What a passphrase or backup code becomes: the key that is sent, and the one that is not."""

    authentication: Bytes32
    wrapping: Bytes32


def stretch(passphrase: str, kdf: Kdf) -> Stretched:
    """Argon2id over the passphrase; slow by design: run it in a thread. Refusal bad_setting.

    The parameters come from the box, which could ask for ruinous ones: hence the bounds.
    """
    if kdf.memory_kib > MAX_MEMORY_KIB or kdf.passes > MAX_PASSES:
        raise Refusal("bad_setting")
    text = unicodedata.normalize("NFKC", passphrase).encode()
    try:
        master = hash_secret_raw(text, kdf.salt, kdf.passes, kdf.memory_kib, 1, KEY, Type.ID)
    except HashingError as error:
        raise Refusal("bad_setting") from error
    return Stretched(
        hkdf(master, b"", domain("authentication"), KEY), hkdf(master, b"", domain("wrapping"), KEY)
    )


def check_strength(kdf: Kdf) -> None:
    """Refusal weak_stretching: whoever asks for so little could guess the passphrase from what is shown."""
    if kdf.memory_kib < LEAST_MEMORY_KIB or kdf.memory_kib * kdf.passes < LEAST_WORK:
        raise Refusal("weak_stretching")


def wrap(wrapping: bytes, account: bytes, vault_key: bytes, fresh: bytes) -> bytes:
    """The vault key under a wrapping key, bound to its account (72 octets); `fresh` is 24 octets."""
    bound = domain("vault key") + account
    return fresh + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(vault_key, bound, fresh, wrapping)


def unwrap(wrapping: bytes, account: bytes, wrapped: bytes) -> bytes:
    """The 32-octet vault key; Refusal not_opened when key, account or octets are not those."""
    if len(wrapped) != WRAPPED_SIZE:
        raise Refusal("not_opened")
    bound = domain("vault key") + account
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            wrapped[NONCE:], bound, wrapped[:NONCE], wrapping
        )
    except CryptoError as error:
        raise Refusal("not_opened") from error
