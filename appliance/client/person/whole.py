"""Several dispatches that are one message: an attachment's message, and its chunks that follow in parts.

The ids of the parts begin alike, by the message's id, which our box does not know: so what it tells of them
is found after a restart, though nothing of it was written down.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Final

from appliance.protocol.post import DispatchState, Leg

MARK: Final = 8
_WORST_FIRST: Final = ("given_up", "waiting", "partly", "relay", "box")


def mark_of(message: bytes) -> bytes:
    """How the ids of the dispatches with a message's chunks begin."""
    return hashlib.sha256(b"island/v1/chunks\0" + message).digest()[:MARK]


def part_id(message: bytes) -> bytes:
    """A fresh id for a dispatch with chunks of a message."""
    return mark_of(message) + secrets.token_bytes(16 - MARK)


def together(states: Iterable[DispatchState]) -> DispatchState:
    """How it stands with all of them: each destination is as far as the last of its envelopes."""
    worst: dict[bytes, Leg] = {}
    for state in states:
        for leg in state.legs:
            known = worst.get(leg.handle)
            if known is None or _WORST_FIRST.index(leg.state) < _WORST_FIRST.index(known.state):
                worst[leg.handle] = leg
    return DispatchState(b"", list(worst.values()))
