"""The title and topic of a private channel, sealed under a key that its members give one another."""

from __future__ import annotations

import hashlib
from typing import Final

from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.envelope import pad, padme, unpad
from appliance.protocol.keys import domain
from appliance.protocol.roster import Info, is_plain_info

KEY_ID: Final = 8
"""Octets that name an info key."""
SMALLEST: Final = 256
"""Octets to which short titles and topics are padded."""
_NONCE: Final = 24


def key_id(key: bytes) -> bytes:
    """The name of an info key: whoever is given one sees for which info it is."""
    return hashlib.sha256(domain("info key") + key).digest()[:KEY_ID]


def seal(key: bytes, channel: bytes, info: Info, nonce: bytes) -> bytes:
    """key id(8) ‖ nonce(24) ‖ ciphertext; Refusal bad_roster for what nobody would show."""
    if not is_plain_info(info):
        raise Refusal("bad_roster")
    body = codec.encode(info)
    padded = pad(body, max(SMALLEST, padme(len(body) + 1)))
    bound = domain("channel info") + channel
    return (
        key_id(key) + nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, bound, nonce, key)
    )


def open_info(key: bytes, channel: bytes, sealed: bytes) -> Info:
    """Title and topic; Refusal not_opened when the key is another one, or they are none."""
    nonce, body = sealed[KEY_ID : KEY_ID + _NONCE], sealed[KEY_ID + _NONCE :]
    if sealed[:KEY_ID] != key_id(key) or len(nonce) != _NONCE:
        raise Refusal("not_opened")
    try:
        padded = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            body, domain("channel info") + channel, nonce, key
        )
        info = codec.read(unpad(padded), Info)
    except (CryptoError, ValueError, Refusal) as error:
        raise Refusal("not_opened") from error
    if not is_plain_info(info):
        raise Refusal("not_opened")
    return info
