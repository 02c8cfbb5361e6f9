"""Logs on the wire: append-only lists of entries, numbered by their home box (SPEC.md, "Logs").

A channel, a board, an applet's room and the audit log are each one log; what stands in the bodies of its
entries, and what the entries' kinds mean, is said where those are defined.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from appliance.protocol.messages import Bytes16, Message

MAX_BODY: Final = 80 * 1024
"""Octets of one entry's body."""
MAX_PAGE: Final = 256
"""Entries in one answer."""
MAX_PAGE_OCTETS: Final = 1 << 20
"""Octets of bodies in one answer; the first entry is there whatever its size."""
MAX_INLINE_OCTETS: Final = 8 * 1024
"""Octets of bodies that travel with an event."""
MAX_WATCHED: Final = 256

Removed = Literal["author", "moderator", "expired"]
REMOVED: Final[tuple[Removed, ...]] = ("author", "moderator", "expired")
Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


class LogEntry(Message, omit_defaults=False):
    """One entry. Without `body` it was removed, by whom `removed` says; number, kind and id stay.

    `kind` is a number of the log's own kind of content; `until` the hour at which it ends by itself.
    """

    number: int
    id: bytes
    kind: int
    hour: int
    body: bytes | None
    removed: Removed | None = None
    until: int | None = None


class LogPage(Message, omit_defaults=False):
    """Entries by rising number. `first` and `last` are of the whole log; `more` lie beyond this page.

    Numbers are given without gaps: one that is missing between two others is kept no longer.
    """

    log: bytes
    first: int
    last: int
    entries: list[LogEntry]
    more: bool


class LogNews(Message):
    """A log's highest number is `last`; `entries` are new or changed ones by rising number, when small.

    An entry the reader has already is replaced. Whoever lacks one below them reads the log from where it is.
    """

    log: bytes
    last: int
    entries: list[LogEntry] | None = None


class WatchLogs(Message):
    """The logs that this sign-in wants to hear of from now on, beside those it always hears of."""

    logs: Annotated[list[Bytes16], msgspec.Meta(max_length=MAX_WATCHED)]
