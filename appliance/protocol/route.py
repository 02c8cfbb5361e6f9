"""Routes: where an envelope for somebody may be left."""

from __future__ import annotations

from appliance.protocol.messages import Bytes20, Bytes32, Message


class Route(Message):
    """One place that takes envelopes for us: the onion's public key, the mailbox, its capability."""

    onion: Bytes32
    mailbox: Bytes20
    capability: Bytes32
