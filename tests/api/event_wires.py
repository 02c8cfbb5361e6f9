"""A member's end of an event socket, as raw as tests of bad behaviour need it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import trio
from wsproto.frame_protocol import Opcode

from appliance.protocol import codec
from appliance.protocol.post import Event
from appliance.service.caller import Caller
from tests.api.fakes import ADDRESS
from tests.api.wires import House, Socket
from tests.posts import PostHouse, dispatch, member, routes_of
from tests.services import envelope

ADA = member("ada")


class EventWire(Socket):
    """An open event socket."""

    @classmethod
    async def connect(
        cls, house: House, ticket: str, *, kind: str = "loopback", headers: str = "", after: bytes = b""
    ) -> EventWire:
        """Upgrade a connection with a ticket; `after` goes in one packet with the head."""
        stream = await house.dial(kind)
        return await cls.upgrade(
            stream, head(ticket, ADDRESS if kind == "onion" else "localhost", headers) + after
        )

    @classmethod
    async def upgrade(cls, stream: trio.SocketStream, request: bytes) -> EventWire:
        """The socket that a connection becomes."""
        await stream.send_all(request)
        data = b""
        while b"\r\n\r\n" not in data:
            more = await stream.receive_some(65_536)
            assert more, data
            data += more
        response, _, rest = data.partition(b"\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 101 "), data
        return cls(stream, rest)

    async def say(self, word: str, body: Any, *number: int) -> None:
        """One message to the box."""
        await self.send(codec.encode([word, body, *number]))

    async def hear(self) -> Event | list[Any]:
        """The next event or answer."""
        frame = await self.next_frame()
        assert frame.opcode is Opcode.BINARY, frame
        value = codec.decode(frame.payload)
        return value if isinstance(value, list) else codec.convert(value, Event)

    async def event(self, *kinds: str) -> Event:
        """The next event, which must be of one of these kinds; answers in between are passed over."""
        while isinstance(heard := await self.hear(), list):
            pass
        assert heard.kind in kinds, heard.kind
        return heard

    async def answer(self) -> list[Any]:
        """The next answer; events in between are passed over."""
        while isinstance(heard := await self.hear(), Event):
            pass
        return heard

    async def until_closed(self) -> int:
        """Read on to the close frame; its code."""
        with trio.fail_after(60):
            return await self.close_code()


def head(ticket: str, host: str = "localhost", headers: str = "") -> bytes:
    """The head of an upgrade."""
    return (
        f"GET /v1/events?ticket={ticket} HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\n"
        "connection: keep-alive, Upgrade\r\nsec-websocket-version: 13\r\n"
        f"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    ).encode()


@dataclass
class Door:
    """A server with a post behind it."""

    house: House
    home: PostHouse

    @property
    def bob(self) -> Caller:
        """The member whom the fake sign-in knows."""
        return self.house.box.sign_in.caller("member")

    def ticket(self) -> str:
        return self.home.post.events.ticket(self.bob).ticket

    async def open(self, **how: str) -> EventWire:
        wire = await EventWire.connect(self.house, self.ticket(), **how)
        await wire.event("hello")
        return wire

    async def mail(self, *envelopes: bytes) -> None:
        """Something for Bob."""
        routes = await routes_of(self.home, self.bob)
        message = dispatch(routes, envelopes=list(envelopes or [envelope()]))
        await self.home.post.dispatch.send(ADA, message)


OpenDoor = type[AbstractAsyncContextManager[Door]]
