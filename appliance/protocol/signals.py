"""Signals: passing signs (typing, here) under keys of their own: losing one costs the ratchet nothing."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.envelope import SIZES, VERSION, pad, unpad
from appliance.protocol.messages import Message
from appliance.protocol.peer import Peer

SIZE: Final = SIZES[0]
FRESH_SECONDS: Final = 60
"""So long a signal means something; and so far may clocks differ."""

_NONCE: Final = 24
_PADDED: Final = SIZE - 1 - _NONCE - 16

SignalKind = Literal["typing", "stopped", "here"]
KINDS: Final[tuple[SignalKind, ...]] = get_args(SignalKind)


class Sign(Message, omit_defaults=False):
    """What a signal says, and the second at which it was made."""

    kind: SignalKind
    sent: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


def seal(peer: Peer, sign: Sign, fresh: bytes) -> bytes:
    """The envelope (960 octets) of a sign to the peer; `fresh` is 24 octets. Refusal wrong_state."""
    if not peer.sessions:
        raise Refusal("wrong_state")
    session = peer.sessions[0]
    padded = pad(codec.encode(sign), _PADDED)
    return (
        bytes((VERSION,))
        + fresh
        + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            padded, session.ratchet.associated, fresh, session.signals_out
        )
    )


def open_envelope(peer: Peer, data: bytes, now: int) -> Sign | None:
    """The sign in an envelope, at second `now`; None when it is not of this peer.

    Refusal bad_message when it is older than a minute or not a sign.
    """
    if len(data) != SIZE or data[0] != VERSION:
        return None
    nonce, sealed = data[1 : 1 + _NONCE], data[1 + _NONCE :]
    for session in peer.sessions:
        try:
            padded = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, session.ratchet.associated, nonce, session.signals_in
            )
        except CryptoError:
            continue
        try:
            sign = codec.read(unpad(padded), Sign)
        except Refusal as error:
            raise Refusal("bad_message") from error
        if abs(now - sign.sent) > FRESH_SECONDS:
            raise Refusal("bad_message", reason="old")
        return sign
    return None
