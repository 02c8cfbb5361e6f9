"""The first envelope: a message with what its recipient needs to begin a session, until an answer came.

Envelope = version(1) ‖ E(32) ‖ AEAD(padded Initial)

The outer layer hides certificate and prekey ids under the recipient's X25519 key alone; the message inside
is under the session, whose secret also rests on prekeys and ML-KEM. The layer's key serves one envelope,
so its nonce is zero.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal
from appliance.protocol import certificate as certificates
from appliance.protocol import codec, envelope, keys
from appliance.protocol.certificate import MAX_CERTIFICATE, Certificate
from appliance.protocol.directory import PrekeyId
from appliance.protocol.envelope import VERSION, pad, unpad
from appliance.protocol.keys import domain
from appliance.protocol.messages import Bytes32, Message
from appliance.protocol.pqxdh import Initiation, KemCiphertext, OneTimeId, OwnDevice
from appliance.protocol.prekeys import x25519_public

SIZES: Final = (4032, 16320)
"""The classes a first envelope may have: those of ordinary messages."""
ROOM: Final = {4032: 2300, 16320: 14_500}
"""Octets of payload that fit whatever the name in the certificate; a few more may."""

_HEAD: Final = 1 + 32
_TAG: Final = 16
_NONCE: Final = bytes(24)


class Initial(Message, omit_defaults=False):
    """What the layer hides; `message` is header(80) ‖ nonce(24) ‖ ciphertext of the session."""

    certificate: Annotated[bytes, msgspec.Meta(max_length=MAX_CERTIFICATE)]
    ephemeral: Bytes32
    prekey_id: PrekeyId
    one_time_id: OneTimeId
    kem_ciphertext: KemCiphertext
    message: bytes


class Opened(Message):
    """A first envelope of whom the certificate names; the message inside is still closed."""

    certificate: Certificate
    initiation: Initiation
    message: bytes


def seal(agreement: bytes, certificate: bytes, initiation: Initiation, message: bytes, seed: bytes) -> bytes:
    """The envelope to the device with this X25519 key; `seed` is 32 fresh octets. Refusal wrong_size.

    X25519 ignores the top bit of the seed and that of the public key: the one, random, becomes the other,
    so that it does not tell keys from noise.
    """
    initial = Initial(
        certificate=certificate,
        ephemeral=initiation.ephemeral,
        prekey_id=initiation.prekey_id,
        one_time_id=initiation.one_time_id,
        kem_ciphertext=initiation.kem_ciphertext,
        message=message,
    )
    body = codec.encode(initial)
    size = next((size for size in SIZES if len(body) < size - _HEAD - _TAG), 0)
    if not size:
        raise Refusal("wrong_size")
    try:
        public, agreed = keys.agree(seed, agreement)
    except ValueError as error:
        raise Refusal("bad_bundle") from error
    shown = public[:31] + bytes((public[31] | seed[31] & 0x80,))
    head, padded = bytes((VERSION,)) + shown, pad(body, size - _HEAD - _TAG)
    key = _key(agreed, shown, agreement)
    return head + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, head, _NONCE, key)


def open_envelope(own: OwnDevice, data: bytes, hour: int | None) -> Opened | None:
    """The first envelope to this device; None when it is none, or for somebody else.

    Refusal wrong_size or unknown_version for what is no envelope; bad_message when the layer opens and what
    it hides is not right, with reason "expired" and an `hour` as `certificate.read` says.
    """
    envelope.check(data)
    head, sealed = data[:_HEAD], data[_HEAD:]
    try:
        public, agreed = x25519_public(own.agreement), keys.agree(own.agreement, head[1:])[1]
        key = _key(agreed, head[1:], public)
        padded = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, head, _NONCE, key)
    except (ValueError, CryptoError):
        return None
    try:
        initial = codec.read(unpad(padded), Initial)
    except Refusal as error:
        raise Refusal("bad_message") from error
    initiation = Initiation(initial.ephemeral, initial.prekey_id, initial.one_time_id, initial.kem_ciphertext)
    return Opened(certificates.read(initial.certificate, hour), initiation, initial.message)


def _key(agreed: bytes, shown: bytes, agreement: bytes) -> bytes:
    return keys.hkdf(agreed, b"", domain("first") + shown + agreement, 32)
