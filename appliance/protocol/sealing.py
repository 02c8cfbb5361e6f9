"""Sealing: one payload to one recipient, from a sender only the recipient learns.

Envelope = version(1) ‖ ephemeral X25519 key(32) ‖ ML-KEM ciphertext(1088) ‖ AEAD(inside)
inside   = sender(32) ‖ signature(64) ‖ payload ‖ 0x80 ‖ zeros

Both secrets feed one key: the payload stays closed while either X25519 or ML-KEM-768 holds. The key
serves one envelope only, so its nonce is zero.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal
from appliance.protocol import keys
from appliance.protocol.envelope import SIZES, VERSION, pad, size_for, unpad
from appliance.protocol.keys import SealingKey, SealingPublic, SigningKey
from appliance.protocol.messages import Bytes32, Message

_CONTEXT: Final = "seal"
_EPHEMERAL: Final = slice(1, 33)
_CIPHERTEXT: Final = slice(33, 33 + keys.KEM_CIPHERTEXT_SIZE)
_HEAD: Final = _CIPHERTEXT.stop
_INSIDE: Final = 32 + keys.SIGNATURE_SIZE
_NONCE: Final = bytes(24)
_TAG: Final = 16

OVERHEAD: Final = _HEAD + _TAG + _INSIDE
"""Octets of an envelope that are neither payload nor padding."""


class SealRandomness(Message):
    """What makes one envelope unlike any other; to be used once, then forgotten."""

    ephemeral: Bytes32
    kem_secret: Bytes32
    kem_ciphertext: Annotated[
        bytes, msgspec.Meta(min_length=keys.KEM_CIPHERTEXT_SIZE, max_length=keys.KEM_CIPHERTEXT_SIZE)
    ]


class Opened(Message):
    """What an envelope held: the sender's 32-byte identity, proven, and the payload."""

    sender: bytes
    payload: bytes


def draw(recipient: SealingPublic, ephemeral: bytes) -> SealRandomness:
    """Randomness for one envelope from 32 fresh bytes of the caller; the KEM draws its own coins."""
    secret, ciphertext = recipient.encapsulate()
    return SealRandomness(ephemeral, secret, ciphertext)


def capacity(size: int) -> int:
    """The payload octets that fit an envelope of this class; Refusal wrong_size when none do."""
    room = size - OVERHEAD - 1
    if size not in SIZES or room < 0:
        raise Refusal("wrong_size")
    return room


def seal(
    recipient: SealingPublic,
    recipient_identity: bytes,
    sender: SigningKey,
    payload: bytes,
    randomness: SealRandomness,
    size: int | None = None,
) -> bytes:
    """The envelope for a payload, of `size` octets or the smallest class; wrong_size or malformed."""
    size = size or size_for(len(payload), OVERHEAD)
    if len(payload) > capacity(size):
        raise Refusal("wrong_size")
    try:
        ephemeral, agreed = keys.agree(randomness.ephemeral, recipient.x25519)
    except ValueError as error:
        raise Refusal("malformed") from error
    head = bytes((VERSION,)) + ephemeral + randomness.kem_ciphertext
    signature = sender.sign(_CONTEXT, recipient_identity + head + payload)
    inside = pad(sender.public + signature + payload, size - _HEAD - _TAG)
    key = _key(recipient, recipient_identity, head, randomness.kem_secret, agreed)
    return head + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(inside, head, _NONCE, key)


def open_envelope(key: SealingKey, identity: bytes, envelope: bytes) -> Opened:
    """The sender and payload of an envelope sealed to this key and identity.

    Refusal unknown_version for a newer one, not_opened for anything else that is not exactly ours.
    """
    if envelope[:1] and envelope[0] != VERSION:
        raise Refusal("unknown_version")
    if len(envelope) not in SIZES or len(envelope) < OVERHEAD + 1:
        raise Refusal("not_opened")
    head = envelope[:_HEAD]
    try:
        agreed = key.agree(head[_EPHEMERAL])
        kem_secret = key.decapsulate(head[_CIPHERTEXT])
        secret = _key(key.public, identity, head, kem_secret, agreed)
        inside = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(envelope[_HEAD:], head, _NONCE, secret)
        content = unpad(inside[_INSIDE:])
        sender = inside[:32]
        keys.verify(sender, inside[32:_INSIDE], _CONTEXT, identity + head + content)
    except (ValueError, CryptoError, Refusal) as error:
        raise Refusal("not_opened") from error
    return Opened(sender, content)


def _key(recipient: SealingPublic, identity: bytes, head: bytes, kem_secret: bytes, agreed: bytes) -> bytes:
    """The AEAD key, bound to the recipient's identity and both their keys, and to the envelope's head."""
    info = keys.DOMAIN + b"seal\0" + identity + recipient.x25519
    info += hashlib.sha256(recipient.kem).digest() + hashlib.sha256(head).digest()
    return keys.hkdf(kem_secret + agreed, b"", info, 32)
