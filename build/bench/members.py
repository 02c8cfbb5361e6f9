"""Members of a box with a device each: signed up over HTTP, reachable, and on the event socket."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from box import Box
from deposits import Caller, Load
from wire import ENVELOPE_OCTETS, Template, connect, frame_end, masked, payload

from appliance.protocol import codec, envelope
from appliance.protocol.account import BindDevice, Kdf, Register
from appliance.protocol.post import AllRoutes, Destination, Dispatch, Ticket, WantMailboxes
from appliance.protocol.route import Route

T = TypeVar("T")

SETTINGS: Final = {
    "event_messages": 1_000_000,
    "member_envelopes": 10_000_000,
    "member_octets": 1 << 40,
    "kdf_memory_kib": 64,
    "kdf_passes": 1,
}
"""What would bound one member's load, and what would only cost time before the measurement."""
HANDLES: Final = 10
ACCESS: Final = "island_access="
_DISPATCHED: Final = b"\x6adispatched"
_BOX: Final = b"\x63box"
_ID_AT: Final = 64
"""What `Template` adds to each place; ids are numbered from their first octet."""


class Member(NamedTuple):
    """One account with its device: the cookie of its sign-in and the routes to it."""

    cookie: str
    routes: list[Route]


def sign_up(box: Box, count: int) -> list[Member]:
    """So many members of a box that has no owner yet, with mailboxes for ten handles each."""
    _register(box, _account("owner", ""), control=True)
    code = box.ask("POST", "/v1/invites", {"uses": count})["code"]
    members = []
    for number in range(count):
        cookie = _register(box, _account(f"member{number}", code))
        connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=30)
        ask(connection, cookie, "/v1/session/device", BindDevice(os.urandom(16)), dict[str, Any])
        wanted = WantMailboxes([b"handle-%d" % handle for handle in range(HANDLES)])
        found = ask(connection, cookie, "/v1/mailboxes/mine", wanted, AllRoutes)
        connection.close()
        members.append(Member(cookie, [one.routes[0] for one in found.mailboxes]))
    return members


class EventSocket:
    """One device's event socket after its hello."""

    def __init__(self, box: Box, member: Member) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=30)
        ticket = ask(connection, member.cookie, "/v1/events/ticket", None, Ticket).ticket
        connection.close()
        self.sock = _upgrade(box.port, f"/v1/events?ticket={ticket}")
        self._heard = bytearray()
        while not list(self.frames()):
            pass

    def say(self, word: str, body: Any, number: int = 0) -> None:
        """One message to the box."""
        self.sock.sendall(masked(codec.encode([word, body, number])))

    def read(self) -> None:
        """Read once, without looking into it."""
        data = self.sock.recv(65_536)
        if not data:
            raise RuntimeError("the box closed an event socket")
        self._heard += data

    def frames(self) -> Iterator[bytes]:
        """Read once; the messages that are whole now."""
        self.read()
        return self.whole()

    def whole(self) -> Iterator[bytes]:
        """The messages that are whole now."""
        at = 0
        while end := frame_end(self._heard, at):
            yield payload(self._heard, at)
            at = end
        del self._heard[:at]


def dispatch_load(box: Box, writers: Sequence[Member], readers: Sequence[Member]) -> Load:
    """One dispatch of one envelope outstanding on each socket, in turn for every handle of the readers."""
    routes = [route for member in readers for route in member.routes]
    callers = []
    for place, writer in enumerate(writers):
        templates = [_template(route) for route in routes[place :: len(writers)]]
        callers.append(_Dispatcher(EventSocket(box, writer).sock, templates))
    return Load(callers, frame_end)


class _Dispatcher(Caller):
    """Sends a dispatch, waits until it is durable, and sends the next."""

    def take(self, end: Any) -> bool:
        """Read; True once the answer is whole and says that the recipient's box has it."""
        data = self.sock.recv(65_536)
        if not data:
            raise RuntimeError("the box closed an event socket under load")
        self.answer += data
        if not end(self.answer):
            return False
        if _DISPATCHED not in self.answer or _BOX not in self.answer:
            raise RuntimeError("not dispatched: " + repr(bytes(self.answer[:300])))
        self.turn += 1
        return True


def message(route: Route, filled: bytes) -> Dispatch:
    """One envelope for one device."""
    return Dispatch(os.urandom(16), [filled], [Destination(b"to-a-dev", [route], [0])])


def fresh_envelope(octets: int = ENVELOPE_OCTETS) -> bytes:
    """An envelope that nobody can open."""
    return bytes((envelope.VERSION,)) + os.urandom(octets - 1)


def _template(route: Route) -> Template:
    filled = fresh_envelope()
    sent = message(route, filled)
    body = codec.encode(["dispatch", sent, 1])
    frame = masked(body)
    head = len(frame) - len(body)
    # Written over masked octets: what arrives differs as well, and that is all it is for.
    template = _Numbered(frame, [head + body.index(filled), head + body.index(sent.id) - _ID_AT])
    template.envelopes = 1
    return template


class _Numbered(Template):
    """A template whose envelope and dispatch id carry the same number."""

    def renew(self, number: int) -> int:
        super().renew(number)
        return number + len(self._places)


def _account(name: str, invite: str) -> Register:
    kdf = Kdf(os.urandom(16), 64, 1)
    return Register(os.urandom(16), name, kdf, os.urandom(32), os.urandom(72), "bench", invite)


def _register(box: Box, body: Register, control: bool = False) -> str:
    """Make an account; the cookie of its sign-in."""
    if control:
        box.ask("POST", "/v1/accounts", json.loads(codec.write(body, codec.JSON)))
        return ""
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=30)
    headers = {"content-type": codec.CBOR, "accept": codec.CBOR}
    connection.request("POST", "/v1/accounts", codec.write(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"registration: {answer.status} {content!r}")
    cookies = answer.headers.get_all("set-cookie") or []
    return next(cookie.partition(";")[0] for cookie in cookies if cookie.startswith(ACCESS))


def ask(connection: http.client.HTTPConnection, cookie: str, path: str, body: Any, kind: type[T]) -> T:
    """One call of a member's API."""
    headers = {"content-type": codec.CBOR, "accept": codec.CBOR, "cookie": cookie}
    connection.request("POST", path, None if body is None else codec.write(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {content!r}")
    return codec.read(content, kind)


def _upgrade(port: int, path: str) -> socket.socket:
    sock = connect(port)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nupgrade: websocket\r\n"
        f"connection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode()
    )
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        # One octet at a time, so that the first event stays to be read.
        more = sock.recv(1)
        if not more:
            raise RuntimeError("the box refused an event socket: " + data[:200].decode("latin-1"))
        data += more
    return sock
