"""The ASGI application: the gate, then the hot rows by the short way and all else through Quart (`cold`).

The short way is there because it was measured: 4.7k deposits a CPU-second against 2.6k through Quart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from importlib import import_module
from inspect import isawaitable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import trio
from hypercorn.typing import ASGIFramework

from appliance.api.call import (
    PLAIN_HEADERS,
    Answer,
    Call,
    Headers,
    Raw,
    Visit,
    media_of,
    refusal_headers,
    wanted_media,
)
from appliance.api.cookies import tokens_of
from appliance.api.entrance import Entrance
from appliance.api.gate import Gate, RawHeaders, header
from appliance.api.handlers import Nothing
from appliance.api.limits import Limits
from appliance.api.routes import ROUTES, Row
from appliance.api.server import Server
from appliance.api.static import Site, site_folder
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.stream import problems

if TYPE_CHECKING:
    from appliance.service.box import Box

SMALL_OCTETS = 64 * 1024
"""Answers up to this size are not counted: the kernel takes them whole."""


class Disconnected(Exception):
    """The peer left before its request was complete; nobody waits for an answer."""


class Application:
    """Serves table rows and the site; callable as ASGI."""

    def __init__(self, box: Box, gate: Gate, site: Site) -> None:
        self._box = box
        self._gate = gate
        self._site = site
        self._hot = {(row.method, row.path): row for row in ROUTES if row.hot}
        self._cold: ASGIFramework | None = None
        self._loading = trio.Lock()
        self.draw_refusal: Callable[[Any, Refusal], tuple[int, Headers, bytes] | None] | None = None
        """How a page says why a request was not admitted; None for what is no page. Set by the framework."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, as ASGI has it; `scope["state"]["visit"]` tells where it came in."""
        visit: Visit = scope["state"]["visit"]
        row = self._hot.get((scope["method"], scope["path"]))
        if row is not None and "after" in row.query and scope["query_string"]:
            row = None  # it may wait long, and the framework notices when its peer leaves
        try:
            self._gate.admit(visit, scope["method"], scope["headers"])
            if row is None:
                cold = await self.load()
                await cold(scope, receive, send)
                return
            status, answer_headers, body = await self.perform(row, scope, {}, _Body(receive))
            # A large answer lies here until a slow peer has taken it: it counts like a body that comes in.
            with self._gate.limits.memory.hold() as take:
                take(len(body) if len(body) > SMALL_OCTETS else 0)
                await _respond(send, status, answer_headers, body)
        except Disconnected:
            return
        except Exception as error:
            await _respond(send, *self._turn_away(scope, error, name_of(row)))

    def _turn_away(self, scope: Any, error: Exception, route: str) -> tuple[int, Headers, bytes]:
        """A refusal before any route: in words where somebody asks for a page."""
        page = None
        if self.draw_refusal is not None and isinstance(error, Refusal):
            page = self.draw_refusal(scope, error)
        return self.refuse(scope, error, route) if page is None else page

    async def perform(
        self, row: Row, scope: Any, path: dict[str, str], chunks: AsyncIterator[bytes]
    ) -> tuple[int, Headers, Any]:
        """Check who asks, read the body, run the handler; gives status, headers and bytes."""
        began = perf_counter()
        try:
            return await self._perform(row, scope, path, chunks)
        finally:
            if "after" not in row.query:  # those wait for news
                self._box.note_time(name_of(row), perf_counter() - began)

    async def _perform(
        self, row: Row, scope: Any, path: dict[str, str], chunks: AsyncIterator[bytes]
    ) -> tuple[int, Headers, Any]:
        visit: Visit = scope["state"]["visit"]
        headers = scope["headers"]
        if visit.kind not in row.entrances:
            raise Refusal("not_found")
        self._gate.check_open(visit)
        token, refresh = tokens_of(headers)
        caller = self._gate.caller(visit, token)
        self._gate.check_caller(row, caller, token)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        limit = self._box.config.body_octets
        if row.request:
            check_announced(headers, limit)
        with self._gate.limits.memory.hold() as take:
            body: Any = None
            if row.request is not None:
                raw = await collect(chunks, limit, take)
                body = codec.read(raw, row.request, media_of(header(headers, b"content-type")))
                del raw
            result = row.handler(self._box, Call(visit, caller, refresh, path, query, body))
            if isawaitable(result):
                result = await result
        return self._write(result, headers)

    def _write(self, result: Any, headers: RawHeaders) -> tuple[int, Headers, bytes]:
        more: Headers = []
        if isinstance(result, Answer):
            more, result = result.headers, result.value
        if isinstance(result, Raw):
            return 200, [*body_headers(result.media, result.body), *more], result.body
        media = wanted_media(header(headers, b"accept"), header(headers, b"content-type"))
        body = codec.write(Nothing() if result is None else result, media)
        return 200, [*body_headers(media, body), *more], body

    def refuse(self, scope: Any, error: Exception, route: str) -> tuple[int, Headers, bytes]:
        """The answer to anything that was raised, in one shape; counted by route."""
        if isinstance(error, Refusal):
            refusal = error
        else:
            self._box.count_fault(route, error)
            refusal = Refusal("fault")
        self._box.count_refusal(route, refusal.code)
        headers = scope["headers"]
        media = wanted_media(header(headers, b"accept"), header(headers, b"content-type"))
        body = codec.write(problems(refusal), media)
        return refusal.status, [*body_headers(media, body), *refusal_headers(refusal)], body

    async def load(self) -> ASGIFramework:
        """The framework of the colder routes: a third of the start, so it comes after the first answer."""
        async with self._loading:
            if self._cold is None:
                cold = await trio.to_thread.run_sync(import_module, "appliance.api.cold")
                self._cold = cold.build(self, self._box, self._gate, self._site)
            return self._cold


async def serve(
    box: Box,
    entrances: Sequence[Entrance],
    folder: Path | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a box at its entrances until cancelled; `folder` holds the built web client."""
    limits = Limits(lambda: box.config, trio.current_time)
    gate = Gate(box, limits)
    application = Application(box, gate, Site(folder or site_folder()))
    async with trio.open_nursery() as nursery:
        await nursery.start(Server(box, application, gate).serve, entrances)
        nursery.start_soon(application.load, name="load the colder routes")
        task_status.started()


def name_of(row: Row | None) -> str:
    """What a route is called where refusals are counted; never what a stranger wrote."""
    return "site" if row is None else f"{row.method} {row.path}"


async def _respond(send: Any, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class _Body:
    """A request's body from ASGI; an iterator of its own, since one may stop in the middle of it."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._more = True

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        if not self._more:
            raise StopAsyncIteration
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        self._more = message["more_body"]
        return bytes(message["body"])


async def collect(chunks: AsyncIterator[bytes], limit: int, take: Callable[[int], None]) -> bytes:
    """A whole body; Refusal too_large, or busy when there is no memory for it."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Refusal("too_large", limit=limit)
        take(len(chunk))
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_announced(headers: RawHeaders, limit: int) -> None:
    """Refuse a body whose head tells that it is too large, before it comes."""
    text = header(headers, b"content-length")
    if text.isdecimal() and (len(text) > 18 or int(text) > limit):
        raise Refusal("too_large", limit=limit)


def body_headers(media: str, body: bytes) -> Headers:
    """The headers of an answer that is held in memory."""
    return [
        (b"content-type", media.encode()),
        (b"content-length", str(len(body)).encode()),
        *PLAIN_HEADERS,
    ]
