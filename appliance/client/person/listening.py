"""News from the box: by WebSocket, which carries small things the other way as well (`line`), by long poll
where that does not work.

News only say where to look; after every new beginning everything is looked at once, so a cut loses nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
)
from wsproto.utilities import ProtocolError

from appliance.client.entrance import Unanswered
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.post import Event as News

if TYPE_CHECKING:
    from appliance.client.person.core import Core

OPEN_SECONDS: Final = 60.0
SEND_SECONDS: Final = 10.0
READ_SIZE: Final = 1 << 16
MAX_FRAME: Final = 1 << 20
SOCKET_TRIES: Final = 2
"""After so many sockets that did not work, long poll is used."""
SESSION_OVER: Final = 4001


class Listening:
    """Hears of events. Owner: the task that runs `run`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._failed = 0
        self.connection = "offline"

    async def run(self) -> None:
        """Listen for ever; Refusal session_ended or sign_in when the sign-in is over."""
        failures = 0
        while True:
            try:
                if self._failed < SOCKET_TRIES:
                    failures = 0 if await self._live() else failures + 1
                else:
                    await self._poll()
            except (Unanswered, OSError, trio.TooSlowError):
                failures += 1
            except Refusal as refusal:
                if self._core.signed_out:
                    return
                if refusal.code in ("session_ended", "sign_in", "suspended"):
                    raise
                failures += 1
            self.connection = "offline"
            await self._core.pause(failures)

    async def _live(self) -> bool:
        """One socket's life; whether it ever said something."""
        ticket = await self._core.member.ticket()
        entrance = self._core.member.http.entrance
        with trio.fail_after(OPEN_SECONDS):
            stream = await entrance.open()
        greeted = False
        try:
            async with stream:
                greeted = await self._converse(stream, f"/v1/events?ticket={quote(ticket)}", entrance.host)
        finally:
            self._failed = 0 if greeted else self._failed + 1
        return greeted

    async def _converse(self, stream: trio.abc.Stream, target: str, host: str) -> bool:
        """Take what comes on a socket until it ends; whether anything did."""
        socket, sending = WSConnection(ConnectionType.CLIENT), trio.Lock()
        greeted, frame = False, bytearray()

        async def send(event: Event) -> None:
            async with sending:
                # Shielded: a frame that was cut off would end the socket for everybody who asks on it.
                with trio.fail_after(SEND_SECONDS, shield=True):
                    await stream.send_all(socket.send(event))

        with trio.CancelScope() as scope:
            try:
                await send(Request(host=host, target=target))
                async with aclosing(_events(stream, socket)) as events:
                    async for event in events:
                        match event:
                            case AcceptConnection():
                                self.connection = "live"
                            case BytesMessage():
                                if not greeted:
                                    self._core.member.line.open(
                                        lambda data: send(BytesMessage(data)), scope.cancel
                                    )
                                greeted = True
                                frame += event.data
                                if len(frame) > MAX_FRAME:
                                    break
                                if event.message_finished:
                                    self._take(bytes(frame))
                                    frame.clear()
                            case Ping():
                                await send(event.response())
                            case CloseConnection(code=code):
                                if code == SESSION_OVER:
                                    await self._core.member.session()
                                break
                            case RejectConnection():
                                break
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, ProtocolError):
                pass
            finally:
                self._core.member.line.close()
        return greeted

    def _take(self, frame: bytes) -> None:
        try:
            value = codec.decode(frame)
            if isinstance(value, list):
                self._core.member.line.take(value)
            else:
                self._core.heard(codec.convert(value, News))
        except Refusal:
            # Of a newer box: whatever it means, looking is never wrong.
            self._core.inbound.look()

    async def _poll(self) -> None:
        stream, after = b"", 0
        while True:
            answer = await self._core.member.events(stream, after)
            self.connection, stream = "polling", answer.stream
            for event in answer.events:
                after = max(after, event.number)
                self._core.heard(event)


async def _events(stream: trio.abc.Stream, socket: WSConnection) -> AsyncGenerator[Event]:
    """What comes on a socket until the connection ends; raises trio's resource errors, ProtocolError."""
    while True:
        data = bytes(await stream.receive_some(READ_SIZE))
        socket.receive_data(data or None)
        for event in socket.events():
            yield event
        if not data:
            return
