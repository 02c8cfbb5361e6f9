"""What disappears, and when: as much as must be known of it while the log is not read.

The talk record has the second at which the next message disappears, and for each device the first stretch
of its log in which there may be one. So nothing of the log is read before something is due, and then no more
than the stretches that hold what is timed. The box learns none of this.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from appliance.client.person.records import Talk
from appliance.client.person.timeline import MINE

AGAIN_SECONDS: Final = 600
"""When something else happened while messages were taken out, it is looked again after so long."""


def sooner(one: int, other: int) -> int:
    """The earlier second; 0 is none."""
    return min(one, other) if one and other else one or other


def life_of(event: dict[str, Any]) -> int:
    """The seconds after which a logged message disappears once they run; 0: never."""
    if event["k"] != "m" or event["c"]["kind"] == "timer":
        return 0
    return event["c"].get("timer") or 0


def noted(talk: Talk, device: str, number: int, events: list[dict[str, Any]]) -> Talk:
    """The talk once these events stand in a stretch of a device's log. Mine run from when they were sent."""
    lives = [event for event in events if life_of(event)]
    if not lives:
        return talk
    expires = talk.expires
    for event in lives:
        if event["by"] == MINE:
            expires = sooner(expires, event["at"] + life_of(event))
    timed = {**talk.timed, device: min(number, talk.timed.get(device, number))}
    return msgspec.structs.replace(talk, expires=expires, timed=timed)


def started(talk: Talk, lives: list[int], now: int) -> Talk:
    """The talk once messages with these lives were read."""
    first = min((life for life in lives if life), default=0)
    return msgspec.structs.replace(talk, expires=sooner(talk.expires, now + first)) if first else talk
