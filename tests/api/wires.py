"""Raw sockets to talk to a server with, as tests of bad behaviour need them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from wsproto.frame_protocol import Frame, FrameProtocol, Opcode

from appliance.api.server import Server
from appliance.protocol.stream import Answer, Hello, Look, read_reply
from tests.api.fakes import ADDRESS, FakeBox

CIRCUIT_LINE = b"PROXY TCP6 fc00:dead:beef:4dad::0:%x ::1 24 80\r\n"


class House:
    """The running server: its box, its doors, and ways to come in."""

    def __init__(self, box: FakeBox, server: Server, folder: Path, port: int) -> None:
        self.box = box
        self.server = server
        self.folder = folder
        self.port = port
        self.dialled: list[trio.SocketStream] = []

    @staticmethod
    def code(body: bytes) -> str:
        """The code in an error body."""
        return json.loads(body)["error"]["code"]

    @staticmethod
    def masked(payload: bytes, opcode: int = 2, fin: bool = True) -> bytes:
        """A client's frame."""
        return masked(payload, opcode, fin)

    async def dial(self, kind: str = "loopback", circuit: int = 24) -> trio.SocketStream:
        """A raw connection; on the onion the PROXY line is sent as Tor does."""
        if kind == "loopback":
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        else:
            stream = await trio.open_unix_socket(self.folder / f"{kind}.sock")
        self.dialled.append(stream)
        if kind == "onion":
            await stream.send_all(CIRCUIT_LINE % circuit)
        return stream

    async def ask(
        self,
        method: str,
        path: str,
        *,
        kind: str = "loopback",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        circuit: int = 24,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers, body."""
        stream = await self.dial(kind, circuit)
        async with stream:
            lines = {"host": ADDRESS if kind == "onion" else f"127.0.0.1:{self.port}"}
            if body is not None:
                lines["content-length"] = str(len(body))
                lines["content-type"] = "application/json"
            lines |= headers or {}
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))
            return await self.read(stream)

    async def read(self, stream: trio.SocketStream) -> tuple[int, dict[str, str], bytes]:
        """One response, by its content-length."""
        with trio.fail_after(20):
            data = b""
            while b"\r\n\r\n" not in data:
                more = await stream.receive_some(65_536)
                assert more, f"closed after {data!r}"
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers: dict[str, str] = {}
            for line in lines:
                name, _, value = line.partition(": ")
                before = headers.get(name.lower())
                headers[name.lower()] = value if before is None else f"{before}\n{value}"
            while len(body) < int(headers.get("content-length", "0")):
                more = await stream.receive_some(65_536)
                assert more, "closed inside the body"
                body += more
            return int(first.split(" ")[1]), headers, body

    async def ended(self, stream: trio.SocketStream, seconds: float = 10) -> bytes:
        """What comes until the other side closes, which it must do in time."""
        data = b""
        with trio.fail_after(seconds):
            while True:
                try:
                    more = await stream.receive_some(65_536)
                except trio.BrokenResourceError:
                    return data
                if not more:
                    return data
                data += more

    async def say(self, data: bytes, kind: str = "loopback") -> tuple[int, str]:
        """Send raw bytes; the status and the error code that come back."""
        async with await self.dial(kind) as stream:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(data)
            status, _, body = await self.read(stream)
            return status, json.loads(body)["error"]["code"]

    @asynccontextmanager
    async def bystander(self, kind: str = "loopback") -> AsyncIterator[None]:
        """Somebody else's open connection, which must still answer after whatever happens in the block."""
        request = b"GET /v1/relay HTTP/1.1\r\nhost: %s\r\n\r\n"
        request %= ADDRESS.encode() if kind == "onion" else b"localhost"
        async with await self.dial(kind, circuit=99) as stream:
            await stream.send_all(request)
            assert (await self.read(stream))[0] == 200
            yield
            await stream.send_all(request)
            assert (await self.read(stream))[0] == 200

    async def socket(
        self, kind: str = "loopback", circuit: int = 24, headers: str = "", after: bytes = b""
    ) -> Socket:
        """An open relay stream whose hello was read; `after` goes in one packet with the head."""
        stream = await self.dial(kind, circuit)
        return await Socket.open(stream, ADDRESS if kind == "onion" else "localhost", headers, after)


class Socket:
    """A client's end of a relay stream, as raw as tests of bad behaviour need it."""

    def __init__(self, stream: trio.SocketStream, rest: bytes) -> None:
        self.stream = stream
        self._protocol = FrameProtocol(client=True, extensions=[])
        self._protocol.receive_bytes(rest)
        self.prefix = b""

    @classmethod
    async def open(
        cls, stream: trio.SocketStream, host: str, headers: str = "", after: bytes = b""
    ) -> Socket:
        """Upgrade a connection and read the hello."""
        head = (
            f"GET /v1/relay/stream HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\n"
            "connection: keep-alive, Upgrade\r\nsec-websocket-version: 13\r\n"
            f"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        )
        await stream.send_all(head.encode() + after)
        data = b""
        while b"\r\n\r\n" not in data:
            more = await stream.receive_some(65_536)
            assert more
            data += more
        response, _, rest = data.partition(b"\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 101 "), data
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in response
        socket = cls(stream, rest)
        hello = await socket.reply()
        assert isinstance(hello, Hello)
        socket.prefix = hello.nonce
        return socket

    async def send(self, message: bytes) -> None:
        """One binary message."""
        await self.stream.send_all(masked(message))

    async def next_frame(self) -> Frame:
        """The next frame, whole."""
        parts = b""
        with trio.fail_after(20):
            while True:
                frame = next(self._protocol.received_frames(), None)
                if frame is None:
                    data = await self.stream.receive_some(65_536)
                    assert data, "closed without a close frame"
                    self._protocol.receive_bytes(data)
                elif frame.opcode is Opcode.BINARY:
                    parts += frame.payload
                    if frame.message_finished:
                        return frame._replace(payload=parts)
                else:
                    return frame

    async def reply(self) -> Answer | Hello | Look:
        """The next message of the relay."""
        frame = await self.next_frame()
        assert frame.opcode is Opcode.BINARY, frame
        return read_reply(frame.payload)

    async def close_code(self) -> int:
        """The code of the close frame, which must be next but for answers."""
        while True:
            frame = await self.next_frame()
            if frame.opcode is Opcode.CLOSE:
                return int(frame.payload[0])


def masked(payload: bytes, opcode: int = 2, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros: the receiver cannot tell, and tests stay readable."""
    head = bytes((opcode | (0x80 if fin else 0),))
    size = len(payload)
    if size < 126:
        head += bytes((0x80 | size,))
    elif size < 65_536:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    return head + bytes(4) + payload
