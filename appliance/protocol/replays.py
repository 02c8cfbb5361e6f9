"""What was received before: marks of sessions begun without a one-time prekey, and how long they stand.

A one-time prekey is gone once used, so its session cannot be begun twice. The last-resort key stays for
weeks: an envelope to it that comes again is known only because it is remembered here.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol.messages import Bytes32, Message

KEEP_HOURS: Final = 38 * 24
"""Longer than the secret of a last-resort key is kept after it was shown last."""
MAX_MARKS: Final = 2048
"""Beyond so many the oldest go; each takes a first envelope that was opened."""


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
