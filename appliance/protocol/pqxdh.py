"""PQXDH: two devices agree on a first secret, by X25519 and ML-KEM-768 both, while one of them is away.

A begins with what B's box shows of B; B ends it with the first message. Names follow Signal's PQXDH
document; the one deviation is that identities sign (Ed25519) and separate keys agree (X25519).
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from appliance.errors import Refusal
from appliance.protocol import codec, keys
from appliance.protocol.directory import Bundle, OneTimePrekey, PrekeyId
from appliance.protocol.keys import KEM_CIPHERTEXT_SIZE, domain
from appliance.protocol.messages import Bytes16, Bytes32, Message
from appliance.protocol.prekeys import LastingSecret, OneTimeSecret, kem_public, x25519_public

VERSION: Final = 1
_FIRST: Final = b"\xff" * 32
_SALT: Final = bytes(32)

KemCiphertext = Annotated[bytes, msgspec.Meta(min_length=KEM_CIPHERTEXT_SIZE, max_length=KEM_CIPHERTEXT_SIZE)]
OneTimeId = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class OwnDevice(Message):
    """This device: the account's identity (public), the device's id, its X25519 seed."""

    identity: Bytes32
    device: Bytes16
    agreement: Bytes32


class Party(Message):
    """A device as a session binds it: identity, id and X25519 key, all public."""

    identity: Bytes32
    device: Bytes16
    agreement: Bytes32


class Encapsulated(Message):
    """A KEM secret and its ciphertext; serves one session."""

    secret: Bytes32
    ciphertext: KemCiphertext


class Initiation(Message):
    """What B needs to come to the same secret; in the clear only inside the first envelope.

    `prekey_id` names the lasting prekey (and with it the last-resort key), `one_time_id` is 0 for none.
    """

    ephemeral: Bytes32
    prekey_id: PrekeyId
    one_time_id: OneTimeId
    kem_ciphertext: KemCiphertext


class Agreed(Message):
    """What both come to: keys of the ratchet and of signals, and what every message is bound to."""

    root: Bytes32
    initiator_header: Bytes32
    responder_header: Bytes32
    initiator_signals: Bytes32
    responder_signals: Bytes32
    associated: Bytes32


def party_of(own: OwnDevice) -> Party:
    """The public side of this device."""
    return Party(own.identity, own.device, x25519_public(own.agreement))


def kem_key(bundle: Bundle, one_time: OneTimePrekey | None) -> bytes:
    """The KEM key to which a session begins: the one-time one, else the last resort."""
    return one_time.kem if one_time else bundle.kem


def encapsulate(kem: bytes) -> Encapsulated:
    """A fresh KEM secret; OpenSSL draws the coins itself. Refusal bad_bundle."""
    try:
        secret, ciphertext = MLKEM768PublicKey.from_public_bytes(kem).encapsulate()
    except ValueError as error:
        raise Refusal("bad_bundle") from error
    return Encapsulated(secret, ciphertext)


def initiate(
    own: OwnDevice,
    other: Party,
    bundle: Bundle,
    one_time: OneTimePrekey | None,
    ephemeral: bytes,
    kem: Encapsulated,
) -> tuple[Agreed, Initiation]:
    """A's side, from verified prekeys, a fresh X25519 seed and a fresh KEM secret; Refusal bad_bundle."""
    try:
        shared = _agree(own.agreement, bundle.prekey) + _agree(ephemeral, other.agreement)
        shared += _agree(ephemeral, bundle.prekey)
        if one_time:
            shared += _agree(ephemeral, one_time.key)
    except ValueError as error:
        raise Refusal("bad_bundle") from error
    one_time_id = one_time.id if one_time else 0
    initiation = Initiation(x25519_public(ephemeral), bundle.prekey_id, one_time_id, kem.ciphertext)
    associated = _associated(party_of(own), other, kem_key(bundle, one_time), initiation)
    return _derive(shared, kem.secret, associated), initiation


def respond(
    own: OwnDevice,
    other: Party,
    lasting: LastingSecret,
    one_time: OneTimeSecret | None,
    initiation: Initiation,
) -> Agreed:
    """B's side, with the secrets the initiation names; Refusal bad_message."""
    ephemeral, seed = initiation.ephemeral, one_time.kem if one_time else lasting.kem
    try:
        shared = _agree(lasting.prekey, other.agreement) + _agree(own.agreement, ephemeral)
        shared += _agree(lasting.prekey, ephemeral)
        if one_time:
            shared += _agree(one_time.prekey, ephemeral)
        secret = MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(initiation.kem_ciphertext)
    except ValueError as error:
        raise Refusal("bad_message") from error
    associated = _associated(other, party_of(own), kem_public(seed), initiation)
    return _derive(shared, secret, associated)


def _agree(seed: bytes, public: bytes) -> bytes:
    """ValueError when the result is zero: the other key was of low order."""
    return keys.agree(seed, public)[1]


def _derive(shared: bytes, kem_secret: bytes, associated: bytes) -> Agreed:
    okm = keys.hkdf(_FIRST + shared + kem_secret, _SALT, domain("pqxdh"), 128)
    signals = okm[96:]
    return Agreed(
        root=okm[:32],
        initiator_header=okm[32:64],
        responder_header=okm[64:96],
        initiator_signals=keys.hkdf(signals, b"", domain("signals from initiator"), 32),
        responder_signals=keys.hkdf(signals, b"", domain("signals from responder"), 32),
        associated=associated,
    )


def _associated(a: Party, b: Party, kem: bytes, initiation: Initiation) -> bytes:
    """What every message of the session is bound to: both devices and the prekeys it began with."""
    bound = [VERSION, a.identity, a.device, a.agreement, b.identity, b.device, b.agreement]
    bound += [hashlib.sha256(kem).digest(), initiation.prekey_id, initiation.one_time_id]
    return hashlib.sha256(domain("session") + codec.encode(bound)).digest()
