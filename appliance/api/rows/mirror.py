"""Mirrors: boards of other boxes that are kept here."""

from __future__ import annotations

from typing import Final

from appliance.api.account_handlers import admin_of
from appliance.api.row import Row, admin, member
from appliance.protocol import board, mirror

MIRROR: Final[tuple[Row, ...]] = (
    member("GET", "/v1/mirrors", None, mirror.Mirrors,
           lambda box, call: box.mirrors.page(), "How it goes with the boards of other boxes kept here."),
    admin("POST", "/v1/mirrors", mirror.NewMirror, board.Board,
          lambda box, call: box.mirrors.make(admin_of(call), call.body), "Mirror a board of another box."),
    admin("POST", "/v1/mirrors/look", mirror.LookAtRoom, mirror.RoomOffer,
          lambda box, call: box.mirrors.look(admin_of(call), call.body),
          "Ask another box about a board of its that this one may read."),
    admin("POST", "/v1/mirrors/{board}/pull", None, None,
          lambda box, call: box.mirrors.pull(admin_of(call), call.octets("board")),
          "Read the home of a mirror now."),
)  # fmt: skip
