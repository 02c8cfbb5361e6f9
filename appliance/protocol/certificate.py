"""The sender certificate: which device of whom sealed a first envelope, told to nobody but its recipient."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec, keys
from appliance.protocol.account import AccountName
from appliance.protocol.keys import SIGNATURE_SIZE, SigningKey
from appliance.protocol.messages import Bytes16, Bytes32, Message

VERSION: Final = 1
MAX_CERTIFICATE: Final = 512
"""Octets of a signed certificate."""
LIFE_HOURS: Final = 168
GRACE_HOURS: Final = 1
AHEAD_HOURS: Final = 24
"""So far in the future a certificate may begin: clocks of computers are wrong by time zones."""

_SENDER_CONTEXT: Final = "sender"

Hour = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class Certificate(Message, omit_defaults=False):
    """A device and the address to which answers go; good from `issued_hour` to `expires_hour`."""

    version: int
    name: AccountName
    onion: Bytes32
    identity: Bytes32
    device: Bytes16
    agreement: Bytes32
    issued_hour: Hour
    expires_hour: Hour


def make(identity: SigningKey, certificate: Certificate) -> bytes:
    """The certificate as it travels: signature(64) ‖ CBOR."""
    body = codec.encode(certificate)
    return identity.sign(_SENDER_CONTEXT, body) + body


def read(signed: bytes, hour: int | None) -> Certificate:
    """The certificate, good at this hour; Refusal bad_message (reason "expired" when only time is wrong).

    An envelope may lie long at a relay: `hour` is that of its arrival. Whoever finds a certificate expired
    may read it as of its own hour (None), if then the sender's entry shows the device with the same key.
    """
    if len(signed) > MAX_CERTIFICATE:
        raise Refusal("bad_message")
    body = signed[SIGNATURE_SIZE:]
    try:
        certificate = codec.read(body, Certificate)
        keys.verify(certificate.identity, signed[:SIGNATURE_SIZE], _SENDER_CONTEXT, body)
    except Refusal as error:
        raise Refusal("bad_message") from error
    if certificate.version != VERSION or not keys.is_prime_order(certificate.onion):
        raise Refusal("bad_message")
    if not 0 < certificate.expires_hour - certificate.issued_hour <= LIFE_HOURS:
        raise Refusal("bad_message")
    if hour is None:
        return certificate
    if not certificate.issued_hour - AHEAD_HOURS <= hour <= certificate.expires_hour + GRACE_HOURS:
        raise Refusal("bad_message", reason="expired")
    return certificate
