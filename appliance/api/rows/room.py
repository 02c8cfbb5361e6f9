"""Rooms: what other boxes may read of boards that trust them."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row, anyone
from appliance.protocol import room

ROOM: Final[tuple[Row, ...]] = (
    anyone("POST", "/v1/rooms/fetch", room.FetchRoom, room.RoomPage,
           lambda box, call: box.rooms.fetch(call.body),
           "Entries of a board after a number, for a box that the board trusts; signed by that box."),
)  # fmt: skip
