"""What a device shows of itself: the account's entry, the device's bundle, its one-time prekeys.

Signed values travel as signature(64) ‖ deterministic CBOR. The identity signs the entry, the entry names
each device's signing key, and that key signs the device's bundle and prekeys: nothing else is trusted.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from appliance.errors import Refusal
from appliance.protocol import codec, keys
from appliance.protocol.directory import (
    MAX_BUNDLE_OCTETS,
    MAX_ENTRY_OCTETS,
    VERSION,
    Bundle,
    Device,
    Entry,
    OneTimePrekey,
    PrekeyId,
)
from appliance.protocol.keys import SIGNATURE_SIZE, SigningKey
from appliance.protocol.messages import Bytes32, Bytes64, Message
from appliance.protocol.route import Route

ROTATE_HOURS: Final = 7 * 24
"""After so many hours a device makes a new lasting prekey and last-resort key."""
KEEP_HOURS: Final = 30 * 24
"""For so long after that it keeps the old secrets, for envelopes that were under way."""
FRESH: Final = 96
"""Octets of randomness in one prekey pair: X25519 seed and ML-KEM seed."""

_ENTRY_CONTEXT: Final = "entry"
_BUNDLE_CONTEXT: Final = "bundle"
_PREKEY_CONTEXT: Final = "prekey"


class LastingSecret(Message):
    """The secret halves of a bundle's prekey and last-resort KEM key; both go by `prekey_id`."""

    prekey_id: PrekeyId
    prekey: Bytes32
    kem_id: PrekeyId
    kem: Bytes64
    issued_hour: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class OneTimeSecret(Message):
    """The secret half of a one-time prekey; removed with the message that used it."""

    id: PrekeyId
    prekey: Bytes32
    kem: Bytes64


def sign_entry(identity: SigningKey, entry: Entry) -> bytes:
    """The entry as it travels; Refusal bad_entry when no reader would take it."""
    body = codec.encode(entry)
    signed = identity.sign(_ENTRY_CONTEXT, body) + body
    read_entry(signed)
    return signed


def read_entry(signed: bytes) -> Entry:
    """The entry in these bytes, signed by the identity it names; Refusal bad_entry or unknown_version."""
    body = _body(signed, MAX_ENTRY_OCTETS, "bad_entry")
    try:
        entry = codec.convert(codec.decode(body), Entry)
        keys.verify(entry.identity, signed[:SIGNATURE_SIZE], _ENTRY_CONTEXT, body)
    except Refusal as error:
        raise Refusal("bad_entry") from error
    if entry.version != VERSION or entry.revision < 1 or not 0 <= entry.issued_hour < 1 << 32:
        raise Refusal("bad_entry")
    if len({device.device for device in entry.devices}) != len(entry.devices):
        raise Refusal("bad_entry")
    if not all(_is_sound(device) for device in entry.devices) or not keys.is_prime_order(entry.onion):
        raise Refusal("bad_entry")
    return entry


def check_entry(
    entry: Entry, name: str, onion: bytes, identity: bytes | None = None, revision: int = 0
) -> None:
    """Refusal bad_entry unless it is the entry of this name on this box, and of the identity remembered.

    `revision` is the one remembered of that identity: a box that shows an earlier one, which is in its log
    as well, hides what came after it. Refusal old_entry.
    """
    if entry.name != name or entry.onion != onion:
        raise Refusal("bad_entry")
    if identity is not None and entry.identity != identity:
        raise Refusal("bad_entry", reason="identity")
    if entry.revision < revision:
        raise Refusal("old_entry")


def follows(new: Entry, old: Entry | None) -> None:
    """Refusal old_entry or bad_entry unless `new` comes right after `old` (None: it is the first)."""
    if old is None:
        if new.revision != 1:
            raise Refusal("bad_entry")
        return
    if (new.name, new.onion, new.identity) != (old.name, old.onion, old.identity):
        raise Refusal("bad_entry")
    if new.revision != old.revision + 1:
        raise Refusal("old_entry")


def sign_bundle(device: SigningKey, bundle: Bundle) -> bytes:
    """The bundle as it travels, by the device's signing key."""
    body = codec.encode(bundle)
    return device.sign(_BUNDLE_CONTEXT, body) + body


def read_bundle(signed: bytes, entry: Entry) -> Bundle:
    """The bundle of one of the entry's devices; Refusal bad_bundle or unknown_version."""
    body = _body(signed, MAX_BUNDLE_OCTETS, "bad_bundle")
    try:
        bundle = codec.convert(codec.decode(body), Bundle)
        device = device_of(entry, bundle.device)
        keys.verify(device.signing, signed[:SIGNATURE_SIZE], _BUNDLE_CONTEXT, body)
    except Refusal as error:
        raise Refusal("bad_bundle") from error
    if bundle.version != VERSION or bundle.identity != entry.identity:
        raise Refusal("bad_bundle")
    if not 0 <= bundle.issued_hour < 1 << 32 or not _is_kem(bundle.kem):
        raise Refusal("bad_bundle")
    if not all(keys.is_prime_order(route.onion) for route in bundle.routes):
        raise Refusal("bad_bundle")
    return bundle


def device_of(entry: Entry, device: bytes) -> Device:
    """The entry's device with this id; Refusal bad_bundle when it has none."""
    for each in entry.devices:
        if each.device == device:
            return each
    raise Refusal("bad_bundle")


def make_one_time(device: bytes, key: SigningKey, secret: OneTimeSecret) -> OneTimePrekey:
    """The public, signed half of a one-time prekey of the device with this signing key."""
    public, kem = x25519_public(secret.prekey), kem_public(secret.kem)
    signature = key.sign(_PREKEY_CONTEXT, codec.encode([device, secret.id, public, kem]))
    return OneTimePrekey(secret.id, public, kem, signature)


def check_one_time(prekey: OneTimePrekey, device: Device) -> None:
    """Refusal bad_bundle unless the device signed this prekey and its KEM key is one."""
    message = codec.encode([device.device, prekey.id, prekey.key, prekey.kem])
    try:
        keys.verify(device.signing, prekey.signature, _PREKEY_CONTEXT, message)
    except Refusal as error:
        raise Refusal("bad_bundle") from error
    if not _is_kem(prekey.kem):
        raise Refusal("bad_bundle")


def lasting(prekey_id: int, kem_id: int, hour: int, fresh: bytes) -> LastingSecret:
    """A new lasting prekey and last-resort key from 96 fresh octets."""
    return LastingSecret(prekey_id, fresh[:32], kem_id, fresh[32:FRESH], hour)


def one_time(id: int, fresh: bytes) -> OneTimeSecret:
    """A new one-time prekey from 96 fresh octets."""
    return OneTimeSecret(id, fresh[:32], fresh[32:FRESH])


def bundle_of(
    identity: bytes, device: bytes, secret: LastingSecret, routes: list[Route], hour: int
) -> Bundle:
    """The bundle that shows the public halves of a device's lasting secrets."""
    return Bundle(
        version=VERSION,
        identity=identity,
        device=device,
        prekey_id=secret.prekey_id,
        prekey=x25519_public(secret.prekey),
        kem_id=secret.kem_id,
        kem=kem_public(secret.kem),
        routes=routes,
        issued_hour=hour,
    )


def x25519_public(seed: bytes) -> bytes:
    """The X25519 public key of a 32-octet seed."""
    return X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def kem_public(seed: bytes) -> bytes:
    """The ML-KEM-768 public key of a 64-octet seed (d ‖ z)."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def _body(signed: bytes, limit: int, code: str) -> bytes:
    """What stands behind the signature, once its size and version are fit to be read further."""
    if len(signed) > limit:
        raise Refusal(code)
    body = signed[SIGNATURE_SIZE:]
    try:
        value = codec.decode(body)
    except Refusal as error:
        raise Refusal(code) from error
    if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > VERSION:
        raise Refusal("unknown_version")
    return body


def _is_sound(device: Device) -> bool:
    return keys.is_prime_order(device.signing) and 0 <= device.added_hour < 1 << 32


def _is_kem(public: bytes) -> bool:
    try:
        MLKEM768PublicKey.from_public_bytes(public)
    except ValueError:
        return False
    return True
