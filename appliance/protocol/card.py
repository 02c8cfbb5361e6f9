"""The address card: who a box is, how to seal to it and where to leave envelopes, signed by itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.keys import SIGNATURE_SIZE, SealingPublic, SigningKey, is_prime_order, verify
from appliance.protocol.messages import Bytes20, Bytes32, Message
from appliance.protocol.names import MAX_NAME, is_plain

VERSION: Final = 1
MAX_ROUTES: Final = 8
MAX_CARD: Final = 4096
"""Octets of a signed card."""
PREFIX: Final = "ISLAND:"

_CONTEXT: Final = "card"


class Route(Message):
    """One place that takes envelopes for us: the onion's public key, the mailbox, its capability."""

    onion: Bytes32
    mailbox: Bytes20
    capability: Bytes32


class Card(Message):
    """What a contact needs; of two cards the one with the later `issued_hour` (hours since 1970) holds."""

    version: int
    identity: Bytes32
    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
    sealing: SealingPublic
    routes: Annotated[list[Route], msgspec.Meta(max_length=MAX_ROUTES)]
    issued_hour: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


def sign_card(key: SigningKey, card: Card) -> bytes:
    """The card as it travels: signature(64) ‖ CBOR; Refusal bad_card when nobody could read it."""
    body = codec.encode(card)
    signed = key.sign(_CONTEXT, body) + body
    read_card(signed)
    return signed


def read_card(data: bytes) -> Card:
    """The card in these bytes, its signature checked; Refusal bad_card or unknown_version."""
    if len(data) > MAX_CARD:
        raise Refusal("bad_card")
    signature, body = data[:SIGNATURE_SIZE], data[SIGNATURE_SIZE:]
    try:
        value = codec.decode(body)
        if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > VERSION:
            raise Refusal("unknown_version")
        card = codec.convert(value, Card)
        verify(card.identity, signature, _CONTEXT, body)
        card.sealing.check()
    except Refusal as error:
        if error.code == "unknown_version":
            raise
        raise Refusal("bad_card") from error
    if card.version != VERSION or not is_plain(card.name):
        raise Refusal("bad_card")
    if not all(is_prime_order(route.onion) for route in card.routes):
        raise Refusal("bad_card")
    return card


def card_text(signed: bytes) -> str:
    """A signed card as text in the alphabet of a QR code's alphanumeric mode."""
    return PREFIX + base64.b32encode(signed).decode().rstrip("=")


def parse_card_text(text: str) -> bytes:
    """The signed card in a text, whatever its letter case and white space; Refusal bad_card."""
    packed = "".join(text.split()).upper()
    if not packed.startswith(PREFIX) or len(packed) > len(PREFIX) + MAX_CARD * 8 // 5 + 1:
        raise Refusal("bad_card")
    packed = packed.removeprefix(PREFIX)
    try:
        signed = base64.b32decode(packed + "=" * (-len(packed) % 8))
    except (ValueError, binascii.Error) as error:
        raise Refusal("bad_card") from error
    if card_text(signed) != PREFIX + packed:
        raise Refusal("bad_card")
    return signed


def fingerprint(identity: bytes) -> str:
    """Six groups of five digits to compare aloud (99 bits) for a 32-byte identity."""
    digest = hashlib.sha512(b"island/v1/fingerprint\0" + identity).digest()
    return " ".join(f"{int.from_bytes(digest[at : at + 5], 'big') % 100_000:05d}" for at in range(0, 30, 5))
