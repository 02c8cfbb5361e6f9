"""WebSocket framing on the server's side, on wsproto: bytes in, whole binary messages out."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import h11
from wsproto.frame_protocol import Frame, FrameProtocol, Opcode, ParseFailed

from appliance.errors import Refusal

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

CLOSE_NORMAL: Final = 1000
CLOSE_AWAY: Final = 1001
CLOSE_PROTOCOL: Final = 1002
CLOSE_UNSUPPORTED: Final = 1003
CLOSE_DATA: Final = 1007
CLOSE_POLICY: Final = 1008
CLOSE_TOO_BIG: Final = 1009
CLOSE_FAULT: Final = 1011
CLOSE_LATER: Final = 1013


class Closing(Exception):
    """The stream ends with this close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def accept_response(request: h11.Request) -> bytes:
    """The 101 response to an upgrade; `Refusal("upgrade")` when it is none."""
    headers = dict(iter(request.headers))
    connection = [token.strip().lower() for token in headers.get(b"connection", b"").split(b",")]
    if b"upgrade" not in connection or headers.get(b"upgrade", b"").strip().lower() != b"websocket":
        raise Refusal("upgrade")
    if headers.get(b"sec-websocket-version") != b"13":
        raise Refusal("upgrade")
    key = headers.get(b"sec-websocket-key", b"").strip()
    try:
        if len(base64.b64decode(key, validate=True)) != 16:
            raise ValueError
    except ValueError:
        raise Refusal("malformed") from None
    token = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: " + token + b"\r\n\r\n"
    )


class Frames:
    """Reads frames; `limit` bounds one message.

    `replies` collects what control frames ask for; `closing` is the code to close with, once something
    ended the conversation: a close frame, a bad frame, text, or a message that is too big.
    """

    def __init__(self, limit: int) -> None:
        self._protocol = FrameProtocol(client=False, extensions=[])
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self.replies = bytearray()
        self.closing: int | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The binary messages that became whole with these bytes, also those before a bad frame."""
        messages: list[bytes] = []
        self._protocol.receive_bytes(data)
        try:
            for frame in self._protocol.received_frames():
                self._take(frame, messages)
                if self.closing is not None:
                    break
        except ParseFailed as error:
            self.closing = int(error.code)
        return messages

    @property
    def pending(self) -> int:
        """Octets held of a message that is not whole yet."""
        return self._size

    def _take(self, frame: Frame, messages: list[bytes]) -> None:
        opcode, payload = frame.opcode, frame.payload
        if opcode is Opcode.BINARY and isinstance(payload, bytes):
            self._size += len(payload)
            if self._size > self._limit:
                self.closing = CLOSE_TOO_BIG
                return
            self._parts.append(payload)
            if frame.message_finished:
                messages.append(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
                self._parts.clear()
                self._size = 0
        elif opcode is Opcode.PING and isinstance(payload, bytes):
            self.replies += self._protocol.pong(payload)
        elif opcode is Opcode.CLOSE and isinstance(payload, tuple):
            self.closing = int(payload[0])
        elif opcode is Opcode.TEXT:
            self.closing = CLOSE_UNSUPPORTED


def binary(message: bytes) -> bytes:
    """One message as one unmasked frame; the same bytes serve every receiver."""
    return frame_head(len(message)) + message


def frame_head(size: int) -> bytes:
    """The head of an unmasked, final binary frame."""
    if size < 126:
        return bytes((0x82, size))
    if size < 65_536:
        return b"\x82\x7e" + size.to_bytes(2, "big")
    return b"\x82\x7f" + size.to_bytes(8, "big")


def close(code: int) -> bytes:
    """A close frame; a code that never travels becomes 1000."""
    if code in (1005, 1006, 1015):
        code = CLOSE_NORMAL
    return b"\x88\x02" + code.to_bytes(2, "big")


PING: Final = b"\x89\x00"
