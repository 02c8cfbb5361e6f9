"""Linking a device: a packet that waits at the box, and the fragment in a QR code that opens it."""

from __future__ import annotations

import re
from typing import Final

from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.account import MAX_LINK_OCTETS, AccountName
from appliance.protocol.keys import domain, hkdf
from appliance.protocol.messages import Bytes32, Message

PREFIX: Final = "#/link/"
_ID: Final = 16
_NONCE: Final = 24
_TAG: Final = 16
_FRAGMENT: Final = re.compile(r"#/link/([A-Za-z0-9_-]{64})")


class LinkPacket(Message):
    """What a new device needs: the vault key, and the name to greet its person with."""

    vault_key: Bytes32
    name: AccountName


def fragment(id: bytes, secret: bytes) -> str:
    """The end of the link's address; browsers do not send it to anybody."""
    return PREFIX + codec.to_text(id + secret)


def read_fragment(text: str) -> tuple[bytes, bytes]:
    """The packet's id (16) and secret (32); Refusal malformed."""
    match = _FRAGMENT.fullmatch(text)
    if match is None:
        raise Refusal("malformed")
    data = codec.from_text(match[1])
    return data[:_ID], data[_ID:]


def seal(id: bytes, secret: bytes, packet: LinkPacket, fresh: bytes) -> bytes:
    """The packet as the box keeps it; `fresh` is 24 octets."""
    key, bound = hkdf(secret, b"", domain("link"), 32), domain("link") + id
    body = codec.encode(packet)
    return fresh + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(body, bound, fresh, key)


def open_packet(id: bytes, secret: bytes, packet: bytes) -> LinkPacket:
    """What the packet with this id holds; Refusal not_opened."""
    if not _NONCE + _TAG <= len(packet) <= MAX_LINK_OCTETS:
        raise Refusal("not_opened")
    key, bound = hkdf(secret, b"", domain("link"), 32), domain("link") + id
    try:
        body = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            packet[_NONCE:], bound, packet[:_NONCE], key
        )
        return codec.read(body, LinkPacket)
    except (CryptoError, Refusal) as error:
        raise Refusal("not_opened") from error
