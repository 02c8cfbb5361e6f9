"""Exit codes of `island`: one closed table, shown by --help and in the README."""

from __future__ import annotations

from typing import Final

from appliance.errors import Refusal

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NO_BOX: Final = 3
LOCKED: Final = 4
IN_USE: Final = 5
BAD_STORE: Final = 6
PORT_TAKEN: Final = 7
TOO_LATE: Final = 8
INTERRUPTED: Final = 130

EXITS: Final[dict[int, str]] = {
    DONE: "done",
    FAILED: "refused or failed; the reason is in one line",
    USAGE: "wrong usage of the command line",
    NO_BOX: "no box runs on this data folder",
    LOCKED: "the box is locked, also by an older version, or has no owner yet",
    IN_USE: "another box runs on this data folder",
    BAD_STORE: "the data folder is damaged or was written by a newer version",
    PORT_TAKEN: "the address to listen on is taken",
    TOO_LATE: "not there in the time given by --timeout",
    INTERRUPTED: "stopped with Ctrl-C",
}

_BY_CODE: Final = {
    "locked": LOCKED,
    "not_claimed": LOCKED,
    "in_use": IN_USE,
    "newer_store": BAD_STORE,
    "older_lock": LOCKED,
    "damaged_store": BAD_STORE,
}


def exit_of(refusal: Refusal) -> int:
    """The exit code that stands for this refusal."""
    return _BY_CODE.get(refusal.code, FAILED)


def table() -> str:
    """The whole table as lines of text."""
    return "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXITS.items())
