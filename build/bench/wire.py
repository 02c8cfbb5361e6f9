"""The real wire, cheaply: requests are made once, then only a number in each envelope changes."""

from __future__ import annotations

import base64
import os
import socket
import struct
from collections.abc import Sequence
from typing import Final

from box import Mailbox

from appliance.protocol import codec, envelope, stream
from appliance.protocol.messages import Deposit, DepositGroup
from appliance.protocol.stream import Hello

ENVELOPE_OCTETS: Final = 1984
"""The class of envelopes of 2,000 bytes."""
TTL_HOURS: Final = 168
HELD: Final = b"\x64held"
"""The outcome of an envelope that was new, as CBOR."""
SOCKET_OCTETS: Final = 1 << 20

_COUNTER: Final = struct.Struct(">Q")
_COUNTER_AT: Final = 64
STREAM_PATH: Final = "/v1/relay/stream"


class Template:
    """The octets of one request; `renew` makes all its envelopes new ones."""

    def __init__(self, data: bytes, envelopes: Sequence[int]) -> None:
        self.data = bytearray(data)
        self.envelopes = len(envelopes)
        self._places = [at + _COUNTER_AT for at in envelopes]

    def prepare(self, turn: int) -> None:
        """Called before each use with the number of the turn."""

    def renew(self, number: int) -> int:
        """Number the envelopes from `number` on; the number after the last."""
        pack = _COUNTER.pack_into
        for at in self._places:
            pack(self.data, at, number)
            number += 1
        return number


class Circular(Template):
    """A batch that goes to one mailbox after the other."""

    def __init__(self, template: Template, mailboxes: Sequence[Mailbox]) -> None:
        super().__init__(bytes(template.data), ())
        self.envelopes = template.envelopes
        self._places = template._places
        self._mailboxes = mailboxes
        self._mailbox_at = template.data.index(mailboxes[0].id)
        self._capability_at = template.data.index(mailboxes[0].capability)

    def prepare(self, turn: int) -> None:
        """Address the batch to the mailbox whose turn it is."""
        mailbox = self._mailboxes[turn % len(self._mailboxes)]
        self.data[self._mailbox_at : self._mailbox_at + len(mailbox.id)] = mailbox.id
        self.data[self._capability_at : self._capability_at + len(mailbox.capability)] = mailbox.capability


def frame_template(mailbox: Mailbox, ttl_hours: int = TTL_HOURS) -> Template:
    """One envelope for a mailbox as a masked WebSocket frame."""
    deposit, envelopes = _deposit([mailbox], 1, ttl_hours)
    message = stream.write_request(1, deposit)
    frame = masked(message)
    head = len(frame) - len(message)
    # The counter is written over masked octets: what arrives differs as well, and that is all it is for.
    return Template(frame, [head + message.index(one) for one in envelopes])


def post_template(mailboxes: Sequence[Mailbox], each: int, port: int, ttl_hours: int = TTL_HOURS) -> Template:
    """A batch with `each` envelopes for every one of these mailboxes as an HTTP request."""
    deposit, envelopes = _deposit(mailboxes, each, ttl_hours)
    body = codec.write(deposit)
    head = (
        f"POST /v1/deposit HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"content-type: {codec.CBOR}\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode()
    return Template(head + body, [len(head) + body.index(one) for one in envelopes])


def masked(message: bytes) -> bytes:
    """A message as one masked, final, binary frame."""
    size = len(message)
    mask = os.urandom(4)
    if size < 126:
        head = bytes((0x82, 0x80 | size))
    elif size < 65_536:
        head = b"\x82\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\x82\xff" + size.to_bytes(8, "big")
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(message, "big") ^ key).to_bytes(size, "big")


def connect(port: int) -> socket.socket:
    """A connection to a box on loopback."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_OCTETS)
    sock.settimeout(30)
    return sock


def open_stream(port: int) -> tuple[socket.socket, bytes]:
    """A relay stream after its hello, and the prefix of its nonces."""
    sock = connect(port)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET {STREAM_PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nupgrade: websocket\r\n"
        f"connection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode()
    )
    data = b""
    while b"\r\n\r\n" not in data or not frame_end(data, data.index(b"\r\n\r\n") + 4):
        more = sock.recv(65_536)
        if not more:
            raise RuntimeError("the box refused a stream: " + data[:200].decode("latin-1"))
        data += more
    hello = stream.read_reply(payload(data[data.index(b"\r\n\r\n") + 4 :]))
    if not isinstance(hello, Hello):
        raise RuntimeError("a stream began without hello")
    return sock, hello.nonce


def frame_end(data: bytes | bytearray, at: int = 0) -> int:
    """Where the unmasked frame at `at` ends; 0 when it is not all there."""
    start, size = _frame(data, at)
    return start + size if start and len(data) >= start + size else 0


def payload(data: bytes | bytearray, at: int = 0) -> bytes:
    """The payload of the whole frame at `at`."""
    start, size = _frame(data, at)
    return bytes(data[start : start + size])


def _frame(data: bytes | bytearray, at: int) -> tuple[int, int]:
    if len(data) < at + 2:
        return 0, 0
    size = data[at + 1]
    if size < 126:
        return at + 2, size
    start = at + (4 if size == 126 else 10)
    return (start, int.from_bytes(data[at + 2 : start], "big")) if len(data) >= start else (0, 0)


def response_end(data: bytes | bytearray) -> int:
    """Where the HTTP response in `data` ends; 0 when it is not all there."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return 0
    at = data.find(b"content-length: ", 0, head)
    if at < 0:
        raise RuntimeError("a response without its length")
    end = head + 4 + int(data[at + 16 : data.find(b"\r", at)])
    return end if len(data) >= end else 0


def _deposit(mailboxes: Sequence[Mailbox], each: int, ttl_hours: int) -> tuple[Deposit, list[bytes]]:
    groups = []
    envelopes = []
    for mailbox in mailboxes:
        filled = [bytes((envelope.VERSION,)) + os.urandom(ENVELOPE_OCTETS - 1) for _ in range(each)]
        groups.append(DepositGroup(mailbox.id, mailbox.capability, ttl_hours, filled))
        envelopes += filled
    return Deposit(groups), envelopes
