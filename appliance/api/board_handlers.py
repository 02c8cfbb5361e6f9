"""Handlers of boards that read their query, and the one answer that is no message: a feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.api.call import Call, Raw
from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol import codec
from appliance.protocol.search import Hits
from appliance.service import feeds

if TYPE_CHECKING:
    from appliance.service.box import Box


async def threads(box: Box, call: Call) -> wire.Threads:
    """A page of threads, before the number of a last post."""
    return await box.board_pages.threads(call.octets("board"), _before(call), call.number("limit", 50))


async def posts(box: Box, call: Call) -> wire.Posts:
    """A page of posts, after a number or before one."""
    return await box.board_pages.posts(
        call.member,
        call.octets("board"),
        call.octets("thread"),
        call.number("after", 0),
        _before(call),
        call.number("limit", 50),
    )


async def held(box: Box, call: Call) -> wire.Held:
    """Entries that wait for a moderator."""
    return await box.board_pages.held(
        call.member, call.octets("board"), call.number("after", 0), call.number("limit", 50)
    )


async def events(box: Box, call: Call) -> wire.Notices:
    """Events after a number."""
    return await box.board_pages.events(
        call.octets("board"), call.number("after", 0), call.number("limit", 100)
    )


async def search(box: Box, call: Call) -> Hits:
    """Posts with all these words, on one board or all."""
    board = call.query.get("board")
    octets = None if board is None else codec.from_text(board)
    if octets is not None and len(octets) != 16:
        raise Refusal("malformed", field="board")
    return await box.board_search.search(call.query.get("q", ""), octets, call.number("limit", 20))


async def feed(box: Box, call: Call) -> Raw:
    """A board as Atom. Links lead to the entrance at which it was asked for."""
    host = box.relay.host if call.visit.kind == "onion" else box.config.listen
    secret = codec.from_text(call.path["secret"])
    return Raw(await box.feeds.read(secret, call.octets("board"), f"http://{host}/"), feeds.MEDIA)


def _before(call: Call) -> int | None:
    return call.number("before", 0) if "before" in call.query else None
