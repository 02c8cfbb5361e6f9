"""The line: the open event socket, on which small things go to the box as well (SPEC.md, "Events").

That saves a request's work there and, over Tor after a pause, the half second of a new connection. All that
goes this way may be asked for twice, so what was not answered is asked again by a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import trio

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.post import MAX_SOCKET_MESSAGE
from appliance.protocol.stream import refusal

T = TypeVar("T")

WORDS: Final = {
    "/v1/vault": "change",
    "/v1/channels/post": "post",
    "/v1/dispatch": "dispatch",
    "/v1/queue/settle": "settle",
}
"""What the box calls the requests that it takes on the socket."""
PATIENCE_SECONDS: Final = 8.0
"""A line that is silent for so long counts as dead."""

Send = Callable[[bytes], Awaitable[None]]


class Lost(Exception):
    """It does not go this way, or nobody knows whether it was done: ask by a request."""


class _Asked:
    def __init__(self) -> None:
        self.answered = trio.Event()
        self.answer: list[Any] | None = None


class Line:
    """Any task may ask. The socket is `Listening`'s, which says when it is open."""

    def __init__(self) -> None:
        self._send: Send | None = None
        self._leave: Callable[[], None] = _nothing
        self._asked: dict[int, _Asked] = {}
        self._number = 0

    def open(self, send: Send, leave: Callable[[], None]) -> None:
        """The box greeted on a socket; `send` raises trio's resource errors, `leave` ends the socket."""
        self._send, self._leave = send, leave

    def close(self) -> None:
        """The socket has fallen."""
        self._send = None
        for asked in self._asked.values():
            asked.answered.set()

    async def ask(self, path: str, value: Any, kind: type[T]) -> T:
        """What the box answers; raises Lost, or the box's Refusal."""
        word = WORDS.get(path)
        if self._send is None or word is None:
            raise Lost
        number = self._number = self._number + 1
        frame = codec.encode([word, value, number])
        if len(frame) > MAX_SOCKET_MESSAGE:
            raise Lost
        return _read(await self._answer(number, frame, self._send), kind)

    async def _answer(self, number: int, frame: bytes, send: Send) -> list[Any]:
        asked = self._asked[number] = _Asked()
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                await send(frame)
                await asked.answered.wait()
        except trio.TooSlowError as error:
            self._leave()
            raise Lost from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Lost from error
        finally:
            del self._asked[number]
        if asked.answer is None:
            raise Lost
        return asked.answer

    def take(self, answer: list[Any]) -> None:
        """An answer came; what fits no question is passed over."""
        asked = self._asked.get(answer[2]) if len(answer) == 3 and type(answer[2]) is int else None
        if asked is not None:
            asked.answer = answer
            asked.answered.set()


def _read(answer: list[Any], kind: type[T]) -> T:
    word, body, _ = answer
    if word == "refused":
        raise refusal(body)
    try:
        return codec.convert(body, kind)
    except Refusal as error:
        raise Refusal("bad_answer") from error


def _nothing() -> None:
    """No socket is open."""
