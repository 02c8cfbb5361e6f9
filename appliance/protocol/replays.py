"""What was received before: marks of sessions begun without a one-time prekey, and headers that came.

A one-time prekey is gone once used, so its session cannot be begun twice. The last-resort key stays for
weeks: an envelope to it that comes again is known only because it is remembered here.

A message whose number was used before is either one that came already, perhaps with another body, or another
one: its sender was set back and uses a chain again. Only the two ends can seal a header, and each has a nonce
of its own; so a header that came before tells of a replay, one that did not of a sender that was set back.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol.messages import Bytes32, Message
from appliance.protocol.ratchet import HEADER

KEEP_HOURS: Final = 38 * 24
"""Longer than the secret of a last-resort key is kept after it was shown last."""
MAX_MARKS: Final = 2048
"""Beyond so many the oldest go; each takes a first envelope that was opened."""
MAX_SEEN: Final = 128
"""Headers of one device that are remembered, the newest; a replay of an older one is asked for again."""

_TAG: Final = 8


class Mark(Message, omit_defaults=False):
    """SHA-256(ephemeral ‖ KEM ciphertext) of a session, and the hour in which it began."""

    mark: Bytes32
    hour: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


def remember(marks: list[Mark], mark: bytes, hour: int) -> list[Mark]:
    """The marks with a new one, without those that are too old; Refusal repeated when it is there."""
    if any(each.mark == mark for each in marks):
        raise Refusal("repeated")
    fresh = [each for each in marks if each.hour + KEEP_HOURS > hour]
    return [*fresh, Mark(mark, hour)][-MAX_MARKS:]


def note(seen: bytes, message: bytes) -> bytes:
    """The headers seen, with the one of this message (header(80) ‖ …) as the newest."""
    return (seen + _tag(message))[-MAX_SEEN * _TAG :]


def was_seen(seen: bytes, message: bytes) -> bool:
    """Whether a message with this very header came before."""
    tag = _tag(message)
    return any(seen[at : at + _TAG] == tag for at in range(0, len(seen), _TAG))


def _tag(message: bytes) -> bytes:
    return hashlib.sha256(message[:HEADER]).digest()[:_TAG]
