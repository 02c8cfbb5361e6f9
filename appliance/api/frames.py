"""WebSocket framing on the server's side (RFC 6455): bytes in, whole binary messages out.

Written by hand, for the streams that carry most envelopes: it takes half of wsproto's time, and a
message that would be too big is refused at its head. tests/api/test_frames.py holds it against wsproto.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import h11

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

_CONTINUATION: Final = 0
_TEXT: Final = 1
_BINARY: Final = 2
_CLOSE: Final = 8
_PING: Final = 9
_PONG: Final = 10
_KNOWN_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1014)})


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
        self._limit = limit
        self._buffer = bytearray()
        self._needed = 0  # octets of the buffer without which nothing more can be read from it
        self._first = self._length = 0  # of the frame that was read last
        self._parts: list[bytes] = []
        self._size = 0
        self._within = False  # a message has begun and is not whole
        self.replies = bytearray()
        self.closing: int | None = None

    @property
    def pending(self) -> int:
        """Octets held of a message that is not whole yet."""
        return self._size + len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The binary messages that became whole with these bytes, also those before a bad frame."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        messages: list[bytes] = []
        at, end = 0, len(data)
        while self.closing is None and at < end:
            start = self._read_head(data, at, end)
            if start == 0:
                if self.closing is None:
                    self._buffer += data[at:]
                    self._needed -= at
                break
            at = start + self._length
            self._take(unmask(data[start - 4 : start], data[start:at]), messages)
        return messages

    def _read_head(self, data: bytes, at: int, end: int) -> int:
        """Where the payload of the frame at `at` starts; 0 when it is not all there or must not be.

        Leaves the frame's first octet and length behind, and refuses before anything is kept.
        """
        self._needed = at + 2
        if end < at + 2:
            return 0
        first, length = data[at], data[at + 1] & 0x7F
        start = at + 6
        if length > 125:
            start += 2 if length == 126 else 8
            self._needed = start
            if end < start:
                return 0
            least = 126 if length == 126 else 65_536
            length = int.from_bytes(data[at + 2 : start - 4], "big")
            if length < least or length >> 63:
                self.closing = CLOSE_PROTOCOL
                return 0
        opcode = first & 0x0F
        if first & 0x70 or not data[at + 1] & 0x80 or not self._is_due(opcode, first & 0x80, length):
            self.closing = CLOSE_PROTOCOL
        elif opcode == _TEXT:
            self.closing = CLOSE_UNSUPPORTED
        elif opcode < 8 and self._size + length > self._limit:
            self.closing = CLOSE_TOO_BIG
        self._needed = start + length
        if self.closing is not None or end < self._needed:
            return 0
        self._first, self._length = first, length
        return start

    def _is_due(self, opcode: int, final: int, length: int) -> bool:
        if opcode in (_CLOSE, _PING, _PONG):
            return bool(final) and length <= 125
        return opcode == _CONTINUATION if self._within else opcode in (_TEXT, _BINARY)

    def _take(self, payload: bytes, messages: list[bytes]) -> None:
        opcode = self._first & 0x0F
        if opcode == _PING:
            self.replies += bytes((0x80 | _PONG, len(payload))) + payload
        elif opcode == _CLOSE:
            self.closing = _read_close(payload)
        elif opcode != _PONG:
            self._within = not self._first & 0x80
            if self._within:
                self._parts.append(payload)
                self._size += len(payload)
            elif self._parts:
                messages.append(b"".join([*self._parts, payload]))
                self._parts.clear()
                self._size = 0
            else:
                messages.append(payload)


def unmask(key: bytes, payload: bytes) -> bytes:
    """A payload with its four-octet mask taken off (or put on)."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")


def _read_close(payload: bytes) -> int:
    """The code to answer a close frame with: its own, or that of the error in it."""
    if not payload:
        return CLOSE_NORMAL
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _KNOWN_CODES or 3000 <= code < 5000):
        return CLOSE_PROTOCOL
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return CLOSE_DATA
    return code


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
    """A close frame with its code."""
    return b"\x88\x02" + code.to_bytes(2, "big")


PING: Final = b"\x89\x00"
