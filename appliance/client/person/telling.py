"""What a device was told of us and has not acknowledged: our mailboxes and name, and that it was accepted.

It is told again until its receipt comes: not while what was sent is still under way, after pauses that grow,
and so many times at most. What has changed, or is asked for by its `hello` or `resync`, is told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from appliance.client.person.records import Session, Tell

PAUSES: Final = (600, 2400, 9600, 38_400, 86_400)
"""Seconds after the first time, the second, …; the last one from then on."""
MOST: Final = 8
"""Times that something is told; some five days."""


def find(record: Session, what: str) -> Tell | None:
    """What of this kind is not acknowledged."""
    return next((tell for tell in record.tells if tell.what == what), None)


def is_due(tell: Tell, now: int, underway: Callable[[bytes], bool]) -> bool:
    """Whether it is time to tell it again; `underway` says it of a dispatch."""
    if tell.tries >= MOST or any(underway(one) for one in tell.dispatches):
        return False
    return not 0 <= now - tell.at < PAUSES[min(tell.tries, len(PAUSES)) - 1]


def told(record: Session, tell: Tell) -> Session:
    """The record once something was told, for the first time or again."""
    before = find(record, tell.what)
    tries = before.tries if before is not None and before.digest == tell.digest else 0
    others = [one for one in record.tells if one.what != tell.what]
    return msgspec.structs.replace(record, tells=[*others, msgspec.structs.replace(tell, tries=tries + 1)])


def acknowledged(record: Session, ids: Collection[bytes]) -> Session:
    """The record once the device has received these contents."""
    left, known = [], record.told
    for tell in record.tells:
        missing = [one for one in tell.ids if one not in ids]
        if missing:
            left.append(msgspec.structs.replace(tell, ids=missing))
        elif tell.what == "routes":
            known = tell.digest
    return msgspec.structs.replace(record, told=known, tells=left)


def bounced(record: Session) -> Session:
    """The record of a device that was not there: what it was told leaves again at once, as one more time."""
    tells = [msgspec.structs.replace(one, at=0, dispatches=[]) for one in record.tells]
    return msgspec.structs.replace(record, tells=tells)


def forgotten(record: Session) -> Session:
    """The record of a device that may know nothing of us any more."""
    hello = [msgspec.structs.replace(one, at=0, tries=0) for one in record.tells if one.what == "hello"]
    return msgspec.structs.replace(record, told=b"", tells=hello)
