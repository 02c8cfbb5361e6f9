"""HTTP over one entrance: kept connections, deadlines, refusals turned back into `Refusal`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import h11
import trio

from appliance.client.entrance import Entrance, Unanswered
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.stream import refusal

T = TypeVar("T")

ACCESS_COOKIE: Final = "island_access"
REFRESH_COOKIE: Final = "island_refresh"
REFRESH_PATH: Final = "/v1/session/refresh"
PATIENCE_SECONDS: Final = 60.0
# A dial over Tor tries for 90 seconds and then tells why it failed; it must not be cut off before.
OPENING_SECONDS: Final = 100.0
KEPT_CONNECTIONS: Final = 64
# The box closes idle connections when it likes; only a young one is worth using again.
KEPT_SECONDS: Final = 5.0
READ_SIZE: Final = 1 << 16
MOST_OCTETS: Final = 64 * 1024 * 1024
"""The largest answer that is held in memory, unless the caller expects less."""
REFUSAL_OCTETS: Final = 64 * 1024
SAFE_TWICE: Final = frozenset({"GET", "PUT", "DELETE"})


@dataclass(frozen=True)
class Answer:
    """What came back: status, media type and whole body."""

    status: int
    media: str
    body: bytes


class Line:
    """One connection that speaks HTTP/1.1; `seconds` bounds each wait."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)
        self.idle_since = trio.current_time()
        self.used = False
        self.seconds = PATIENCE_SECONDS

    async def ask(
        self, method: str, path: str, headers: list[tuple[str, str]], content: bytes
    ) -> h11.Response:
        """Send a request and read the head of its answer."""
        request = self._http.send(h11.Request(method=method, target=path, headers=headers)) or b""
        body = self._http.send(h11.Data(data=content)) or b""
        end = self._http.send(h11.EndOfMessage()) or b""
        # The box may answer before it took everything, and close; then the answer is what counts.
        with _deadline(self.seconds), suppress(trio.BrokenResourceError):
            await self._stream.send_all(request + body + end)
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise Unanswered("broken")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes of the body."""
        if self._http.their_state is h11.DONE:
            raise StopAsyncIteration
        event = await self._next()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        raise StopAsyncIteration

    def rest(self) -> bool:
        """Make ready for the next request; False when this connection cannot be used again."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        self.idle_since = trio.current_time()
        self.used = True
        return True

    def stale(self) -> bool:
        """Whether an idle connection should not be used again."""
        if trio.current_time() - self.idle_since > KEPT_SECONDS:
            return True
        # Readable while idle: the box has closed it.
        return isinstance(self._stream, trio.SocketStream) and self._stream.socket.is_readable()

    async def close(self) -> None:
        """Close at once."""
        await trio.aclose_forcefully(self._stream)

    async def _next(self) -> Any:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                with _deadline(self.seconds):
                    self._http.receive_data(bytes(await self._stream.receive_some(READ_SIZE)))
            return event
        except (h11.RemoteProtocolError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Unanswered("broken") from error


class Http:
    """A client of one entrance; open it with `async with`. Any task may use it."""

    def __init__(self, entrance: Entrance) -> None:
        self.entrance = entrance
        self.cookies: dict[str, str] = {}
        self.renewed: Callable[[], None] = _nothing
        """Called when other tokens have taken the place of those that ran out."""
        self._renewing = trio.Lock()
        self._idle: list[Line] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):
            while self._idle:
                await self._idle.pop().close()

    async def call(
        self,
        method: str,
        path: str,
        kind: type[T],
        value: Any = None,
        *,
        media: str = codec.JSON,
        seconds: float = PATIENCE_SECONDS,
        most: int = MOST_OCTETS,
    ) -> T:
        """Send `value` and read a `kind`; raises the box's Refusal, Unanswered, or bad_answer."""
        content = None if value is None else codec.write(value, media)
        answer = await self.exchange(method, path, content, media=media, seconds=seconds, most=most)
        try:
            return codec.read(answer.body, kind, answer.media)
        except Refusal as error:
            raise Refusal("bad_answer") from error

    async def exchange(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        media: str = codec.JSON,
        seconds: float = PATIENCE_SECONDS,
        most: int = MOST_OCTETS,
    ) -> Answer:
        """Send raw bytes and read an answer of at most `most` octets; raises as `call` does."""
        async with self.open(method, path, content, media=media, seconds=seconds) as (answer, chunks):
            return Answer(answer.status, answer.media, await _collect(chunks, most))

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        media: str = codec.JSON,
        seconds: float = PATIENCE_SECONDS,
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """The head of the answer and its body in chunks; `seconds` bounds each wait, not the whole.

        An access token that has run out is exchanged for a new one, and the request is made again.
        """
        body, shown = content or b"", self.cookies.get(ACCESS_COOKIE)
        try:
            line, answer = await self._begin(method, path, self._headers(media, content), body, seconds)
        except Refusal as refusal:
            if refusal.code != "session_ended" or not await self._renew(shown, seconds):
                raise
            line, answer = await self._begin(method, path, self._headers(media, content), body, seconds)
        try:
            yield answer, line
        finally:
            await self._end(line)

    async def _begin(
        self, method: str, path: str, headers: list[tuple[str, str]], content: bytes, seconds: float
    ) -> tuple[Line, Answer]:
        """A line whose answer has begun; raises the Refusal that it is."""
        line, response = await self._ask(method, path, headers, content, seconds)
        try:
            answer = Answer(response.status_code, _header(response, b"content-type") or codec.JSON, b"")
            if answer.status >= 400:
                raise refusal_of(await _collect(line, REFUSAL_OCTETS), answer.media)
            self._keep_cookies(response)
        except BaseException:
            await self._end(line)
            raise
        return line, answer

    async def _end(self, line: Line) -> None:
        """Keep a line for the next request, or close it."""
        if line.rest() and len(self._idle) < KEPT_CONNECTIONS:
            self._idle.append(line)
        else:
            with trio.CancelScope(shield=True):
                await line.close()

    async def _renew(self, shown: str | None, seconds: float) -> bool:
        """Fetch new tokens unless another task has done so; False when the sign-in is over."""
        async with self._renewing:
            if self.cookies.get(ACCESS_COOKIE) != shown:
                return True
            refresh = self.cookies.get(REFRESH_COOKIE)
            if refresh is None:
                return False
            headers = [("host", self.entrance.host), ("accept", codec.JSON), ("content-length", "0")]
            headers.append(("cookie", f"{REFRESH_COOKIE}={refresh}"))
            try:
                line, _ = await self._begin("POST", REFRESH_PATH, headers, b"", seconds)
            except Refusal as refusal:
                if refusal.code == "session_ended":
                    self.cookies.clear()
                return False
            try:
                await _collect(line, MOST_OCTETS)
            finally:
                await self._end(line)
            self.renewed()
            return True

    async def _ask(
        self, method: str, path: str, headers: list[tuple[str, str]], content: bytes, seconds: float
    ) -> tuple[Line, h11.Response]:
        while True:
            line = await self._line(seconds)
            try:
                return line, await line.ask(method, path, headers, content)
            except Unanswered as error:
                await line.close()
                # The box may have closed a kept connection just when we used it.
                if not (error.reason == "broken" and line.used and method in SAFE_TWICE):
                    raise
            except BaseException:
                with trio.CancelScope(shield=True):
                    await line.close()
                raise

    async def _line(self, seconds: float) -> Line:
        while self._idle:
            line = self._idle.pop()
            if not line.stale():
                line.seconds = seconds
                return line
            await line.close()
        with _deadline(max(seconds, OPENING_SECONDS)):
            try:
                line = Line(await self.entrance.open())
            except OSError as error:
                raise Unanswered("nobody") from error
        line.seconds = seconds
        return line

    def _headers(self, media: str, content: bytes | None) -> list[tuple[str, str]]:
        headers = [("host", self.entrance.host), ("accept", media)]
        if content is not None:
            headers += [("content-type", media), ("content-length", str(len(content)))]
        if ACCESS_COOKIE in self.cookies:
            headers.append(("cookie", f"{ACCESS_COOKIE}={self.cookies[ACCESS_COOKIE]}"))
        return headers

    def _keep_cookies(self, response: h11.Response) -> None:
        for name, value in response.headers:
            if name == b"set-cookie":
                cookie, _, _ = value.decode("latin-1").partition(";")
                key, _, token = cookie.partition("=")
                if token.strip().strip('"'):
                    self.cookies[key.strip()] = token.strip().strip('"')
                else:
                    self.cookies.pop(key.strip(), None)


def refusal_of(body: bytes, media: str) -> Refusal:
    """The Refusal that an error answer carries; "bad_answer" when it carries none we know."""
    try:
        return refusal(codec.read(body, dict[str, Any], media))
    except Refusal:
        return Refusal("bad_answer")


async def _collect(chunks: AsyncIterator[bytes], most: int) -> bytes:
    """A whole body; Refusal bad_answer once it is larger than anything that was asked for."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise Refusal("bad_answer")
        parts.append(chunk)
    return b"".join(parts)


def _header(response: h11.Response, name: bytes) -> str:
    for key, value in response.headers:
        if key == name:
            return value.decode("latin-1").partition(";")[0].strip()
    return ""


def _nothing() -> None:
    """Nobody wants to know."""


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError as error:
        raise Unanswered("timeout") from error
