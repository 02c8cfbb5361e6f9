"""Frames of the relay stream: requests with ids, answers with statuses, and two events.

Each WebSocket message is one CBOR list. Client to relay: [id, operation, body]. Relay to client:
[id, status, body], or [0, event, body]. Answers may come in any order; ids are the client's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from appliance.errors import REFUSALS, Refusal
from appliance.protocol import codec
from appliance.protocol.messages import Acknowledge, Bytes20, Deposit, Fetch, Message, Subscribe

StreamOperation = Literal["deposit", "fetch", "acknowledge", "subscribe"]
StreamRequest = Deposit | Fetch | Acknowledge | Subscribe
T = TypeVar("T", bound=Message)

VERSION: Final = 1
PREFIX_SIZE: Final = 24
OK: Final = 200
MAX_ID: Final = (1 << 53) - 1
"""Ids stay exact in JavaScript; 0 is for events."""

REQUESTS: Final[dict[str, type[StreamRequest]]] = {
    "deposit": Deposit,
    "fetch": Fetch,
    "acknowledge": Acknowledge,
    "subscribe": Subscribe,
}
_NAMES: Final[dict[type[Message], str]] = {kind: name for name, kind in REQUESTS.items()}


class Hello(Message):
    """First event of a stream: `nonce` begins every nonce signed on it."""

    nonce: Annotated[bytes, msgspec.Meta(min_length=PREFIX_SIZE, max_length=PREFIX_SIZE)]
    version: int


class Look(Message):
    """Something arrived in a subscribed mailbox; fetch to see what."""

    mailbox: Bytes20


class Subscribed(Message):
    """The empty answer to a subscription."""


class Problem(Message):
    """A refusal as it crosses the wire; `details` may be empty."""

    code: str
    message: str
    details: dict[str, Any] = msgspec.field(default_factory=dict)


class Problems(Message):
    """The body of every answer that is not 200, on streams and over HTTP alike."""

    error: Problem


@dataclass(frozen=True, slots=True)
class Frame:
    """A request as it came: the id can be answered even when the body cannot be read."""

    id: int
    operation: str
    body: Any

    def message(self) -> StreamRequest:
        """The typed request; Refusal malformed, or method for an unknown operation."""
        kind = REQUESTS.get(self.operation)
        if kind is None:
            raise Refusal("method")
        return codec.convert(self.body, kind)


@dataclass(frozen=True, slots=True)
class Answer:
    """The relay's answer to one request."""

    id: int
    status: int
    body: Any

    def message(self, kind: type[T]) -> T:
        """The typed answer; raises the Refusal the relay sent, or bad_answer when it is unreadable."""
        if self.status != OK:
            raise refusal(self.body)
        try:
            return codec.convert(self.body, kind)
        except Refusal as error:
            raise Refusal("bad_answer") from error


def nonce(prefix: bytes, counter: int) -> bytes:
    """The 32-byte nonce of the request with this counter, on the stream with this hello."""
    return prefix + counter.to_bytes(8, "big")


def counter(prefix: bytes, nonce: bytes) -> int:
    """The counter in a stream's nonce; Refusal nonce when it belongs elsewhere."""
    if len(nonce) != PREFIX_SIZE + 8 or nonce[:PREFIX_SIZE] != prefix:
        raise Refusal("nonce")
    return int.from_bytes(nonce[PREFIX_SIZE:], "big")


def write_request(id: int, request: StreamRequest) -> bytes:
    """The frame of a request; `id` from 1 to MAX_ID."""
    return codec.encode([id, _NAMES[type(request)], request])


def read_request(data: bytes) -> Frame:
    """The frame of a request; Refusal malformed when not even its id can be read."""
    frame = codec.decode(data)
    if type(frame) is not list or len(frame) != 3:
        raise Refusal("malformed")
    id, operation, body = frame
    if type(id) is not int or not 0 < id <= MAX_ID or type(operation) is not str:
        raise Refusal("malformed")
    return Frame(id, operation, body)


def write_answer(id: int, message: Message) -> bytes:
    """The frame of an answer."""
    return codec.encode([id, OK, message])


def write_refusal(id: int, error: Refusal) -> bytes:
    """The frame that refuses a request."""
    return codec.encode([id, error.status, problems(error)])


def write_event(event: Hello | Look) -> bytes:
    """The frame of an event."""
    return codec.encode([0, "hello" if isinstance(event, Hello) else "look", event])


def read_reply(data: bytes) -> Answer | Hello | Look:
    """What a client reads; Refusal bad_answer."""
    try:
        frame = codec.decode(data)
        if type(frame) is not list or len(frame) != 3:
            raise Refusal("malformed")
        id, status, body = frame
        if id == 0 and status == "hello":
            return codec.convert(body, Hello)
        if id == 0 and status == "look":
            return codec.convert(body, Look)
        if type(id) is not int or not 0 < id <= MAX_ID or type(status) is not int:
            raise Refusal("malformed")
    except Refusal as error:
        raise Refusal("bad_answer") from error
    return Answer(id, status, body)


def problems(error: Refusal) -> Problems:
    """The body that tells a refusal."""
    return Problems(error=Problem(code=error.code, message=error.message, details=error.details))


def refusal(body: Any) -> Refusal:
    """The refusal in a decoded body; bad_answer when it is none we know."""
    try:
        problem = codec.convert(body, Problems).error
    except Refusal:
        return Refusal("bad_answer")
    if problem.code not in REFUSALS:
        return Refusal("bad_answer", reason=problem.code[:32])
    error = Refusal(problem.code)
    error.details = problem.details
    return error
