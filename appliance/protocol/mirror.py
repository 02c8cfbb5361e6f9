"""Mirrors: copies that a box keeps of boards of other boxes (SPEC.md, "Mirrors")."""

from __future__ import annotations

from typing import Annotated

import msgspec

from appliance.protocol.board import Days, Most
from appliance.protocol.messages import Message

Address = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
"""A room's address, as `room.write_address` writes it."""


class LookAtRoom(Message):
    """Ask the home of a room what the board is."""

    address: Address


class RoomOffer(Message, omit_defaults=False):
    """What its home says of a board that may be mirrored."""

    home: bytes
    room: bytes
    title: str
    about: str
    days: int
    threads: int
    posts: int


class NewMirror(Message):
    """Mirror a board of another box; the same again is answered alike. Bounds as of a board of one's own."""

    address: Address
    days: Days = 90
    most: Most = 200_000
    realtime: bool = True


class Mirror(Message, omit_defaults=False):
    """How it goes with a mirror.

    `heard`: when its home answered last (Unix seconds; None: not since the box was started); `behind`: what
    is still to be read; `skipped`: entries that were not genuine or did not fit; `problem`: the code
    of the refusal that the last try ended with.
    """

    board: bytes
    home: bytes
    heard: int | None
    behind: int
    skipped: int
    problem: str | None


class Mirrors(Message, omit_defaults=False):
    """All mirrors of the box."""

    mirrors: list[Mirror]
