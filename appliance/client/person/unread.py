"""Which messages count as unread: a rule in which no clock of ours has a part.

Several devices take the same message in, each at its own time, and any of them may mark it as read. So the
talk record remembers which messages were taken in lately, and the latest `sent` (the sender's word, the same
on every device) among those it had to forget:

    a message that is                                     is
    remembered                                            taken in
    not remembered, sent later than all forgotten ones    new
    not remembered, sent no later than one of them        taken in if the log has it, else new

Whoever takes a message in first counts it as unread, in the change that logs it; nobody else does. Who has
seen too little of what the others took in meanwhile (`follows`) looks again before anything is saved.
"""

from __future__ import annotations

from typing import Final

import msgspec

from appliance.client.person.records import Talk

MAX_TAKEN: Final = 128
"""Messages that are remembered, the newest; twice what one step takes in."""

_TAG: Final = 8
_ENTRY: Final = _TAG + 8


def was_taken(talk: Talk, id: bytes) -> bool:
    """Whether it is remembered that some device has taken this message in."""
    return any(talk.taken[at : at + _TAG] == id[:_TAG] for at in range(0, len(talk.taken), _ENTRY))


def needs_log(talk: Talk, id: bytes, sent: int) -> bool:
    """Whether only the log can say if some device has taken this message in."""
    return not was_taken(talk, id) and sent <= talk.forgotten


def follows(before: Talk, now: Talk) -> bool:
    """Whether everything that was taken in since `before` is remembered `now`."""
    if not before.taken:
        return len(now.taken) < MAX_TAKEN * _ENTRY
    return was_taken(now, before.taken[-_ENTRY:][:_TAG])


def take(talk: Talk, id: bytes, sent: int) -> Talk:
    """The talk once a message is taken in that the log, if it had to be asked, does not have."""
    if was_taken(talk, id):
        return talk
    taken = talk.taken + id[:_TAG] + sent.to_bytes(_ENTRY - _TAG, "big")
    gone, taken = taken[: -MAX_TAKEN * _ENTRY], taken[-MAX_TAKEN * _ENTRY :]
    forgotten = int.from_bytes(gone[_TAG:], "big") if gone else 0
    return msgspec.structs.replace(
        talk, fresh=[*talk.fresh, id], taken=taken, forgotten=max(talk.forgotten, forgotten)
    )


def read(talk: Talk, ids: list[bytes]) -> Talk:
    """The talk once these messages were seen."""
    return msgspec.structs.replace(talk, fresh=[one for one in talk.fresh if one not in ids])
