"""HTTP over an entrance: answers, refusals, sessions, deadlines, kept connections."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, chdir, suppress
from functools import partial
from pathlib import Path
from typing import Any

import h11
import pytest
import trio
import trio.testing

from appliance.client.entrance import CONTROL_NAME, Unanswered, control, loopback, onion
from appliance.client.http import Http
from appliance.errors import Refusal
from appliance.protocol.codec import CBOR, encode
from appliance.protocol.desk import NewTitle

Reply = tuple[int, list[tuple[str, str]], bytes]
Handler = Callable[[h11.Request, bytes], Awaitable[Reply]]


class FakeBox:
    """A tiny HTTP/1.1 server on a control socket; keeps what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[tuple[h11.Request, bytes]] = []
        self.connections = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        connection = h11.Connection(h11.SERVER)
        # A client may leave in the middle of an answer.
        with suppress(trio.BrokenResourceError):
            async with stream:
                while (got := await self._next(connection, stream)) is not None:
                    self.requests.append(got)
                    await self._answer(connection, stream, await self.handler(*got))

    async def _answer(self, connection: h11.Connection, stream: trio.SocketStream, reply: Reply) -> None:
        status, headers, body = reply
        headers = [*headers, ("content-length", str(len(body)))]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body)):
            await stream.send_all(connection.send(event) or b"")
        await stream.send_all(connection.send(h11.EndOfMessage()) or b"")
        connection.start_next_cycle()

    async def _next(
        self, connection: h11.Connection, stream: trio.SocketStream
    ) -> tuple[h11.Request, bytes] | None:
        request, body = None, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                return request, body
            else:
                return None


@asynccontextmanager
async def box(folder: Path, handler: Handler) -> AsyncIterator[FakeBox]:
    fake = FakeBox(handler)
    socket = trio.socket.socket(trio.socket.AF_UNIX)
    # Relative to the folder, since a test's folder can be longer than a socket's path may be.
    with chdir(folder):
        await socket.bind(CONTROL_NAME)
    socket.listen()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_listeners, fake.serve, [trio.SocketListener(socket)]))
        yield fake
        nursery.cancel_scope.cancel()


def answer(value: Any, status: int = 200) -> Reply:
    return status, [("content-type", "application/json")], json.dumps(value).encode()


async def test_a_value_travels_both_ways(tmp_path: Path) -> None:
    async def handler(request: h11.Request, body: bytes) -> Reply:
        assert json.loads(body) == {"name": "abc"}
        return answer({"name": "def"})

    async with box(tmp_path, handler) as fake, Http(control(tmp_path)) as http:
        assert await http.call("POST", "/v1/x", NewTitle, NewTitle(name="abc")) == NewTitle(name="def")
        headers = dict(fake.requests[0][0].headers)
        assert headers[b"host"] == b"localhost"
        assert headers[b"content-type"] == headers[b"accept"] == b"application/json"


async def test_cbor_is_spoken_when_asked_for(tmp_path: Path) -> None:
    async def handler(request: h11.Request, body: bytes) -> Reply:
        assert body == encode({"name": "abc"})
        return 200, [("content-type", "application/cbor")], encode({"name": "def"})

    async with box(tmp_path, handler), Http(control(tmp_path)) as http:
        assert (await http.call("POST", "/v1/x", NewTitle, NewTitle(name="abc"), media=CBOR)).name == "def"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"code": "locked", "message": "…", "details": {"wait": 3}}}, "locked"),
        ({"error": {"code": "from_the_future", "message": "…", "details": {}}}, "bad_answer"),
        ({"something": "else"}, "bad_answer"),
        (None, "bad_answer"),
    ],
)
async def test_a_refusal_comes_back_as_one(tmp_path: Path, body: Any, code: str) -> None:
    async def handler(request: h11.Request, _: bytes) -> Reply:
        return answer(body, 423)

    async with box(tmp_path, handler), Http(control(tmp_path)) as http:
        with pytest.raises(Refusal) as caught:
            await http.exchange("GET", "/v1/x")
    assert caught.value.code == code
    if code == "locked":
        assert caught.value.details == {"wait": 3}


async def test_an_answer_of_another_shape_is_a_bad_answer(tmp_path: Path) -> None:
    async def handler(request: h11.Request, _: bytes) -> Reply:
        return answer({"name": 7})

    async with box(tmp_path, handler), Http(control(tmp_path)) as http:
        with pytest.raises(Refusal) as caught:
            await http.call("GET", "/v1/x", NewTitle)
    assert caught.value.code == "bad_answer"


COOKIE_ENDS = "; Max-Age=9; Path=/; HttpOnly; SameSite=Strict"


async def test_an_access_token_that_ran_out_is_renewed_once_for_all_tasks(tmp_path: Path) -> None:
    renewed = 0

    async def handler(request: h11.Request, _: bytes) -> Reply:
        nonlocal renewed
        cookies = dict(request.headers).get(b"cookie", b"").decode()
        if request.target == b"/v1/session/refresh":
            renewed += 1
            assert cookies == f"island_refresh=r{renewed}"
            tokens = {"island_access": f"a{renewed + 1}", "island_refresh": f"r{renewed + 1}"}
            status, headers, body = answer({})
            return (
                status,
                [*headers, *(("set-cookie", f"{k}={v}{COOKIE_ENDS}") for k, v in tokens.items())],
                body,
            )
        if cookies != "island_access=a2":
            return answer({"error": {"code": "session_ended", "message": "…", "details": {}}}, 401)
        return answer({"name": "abc"})

    async with box(tmp_path, handler), Http(control(tmp_path)) as http:
        http.cookies = {"island_access": "a1", "island_refresh": "r1"}
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(http.call, "POST", "/v1/x", NewTitle)
        assert (renewed, http.cookies) == (1, {"island_access": "a2", "island_refresh": "r2"})


async def test_a_sign_in_that_is_over_is_forgotten(tmp_path: Path) -> None:
    async def handler(request: h11.Request, _: bytes) -> Reply:
        return answer({"error": {"code": "session_ended", "message": "…", "details": {}}}, 401)

    async with box(tmp_path, handler) as fake, Http(control(tmp_path)) as http:
        http.cookies = {"island_access": "a1", "island_refresh": "r1"}
        with pytest.raises(Refusal) as caught:
            await http.call("POST", "/v1/x", NewTitle)
        assert caught.value.code == "session_ended" and len(fake.requests) == 2
        assert http.cookies == {}


async def test_connections_are_kept(tmp_path: Path) -> None:
    async def handler(request: h11.Request, _: bytes) -> Reply:
        return answer({"name": "abc"})

    async with box(tmp_path, handler) as fake, Http(control(tmp_path)) as http:
        for _ in range(5):
            await http.call("GET", "/v1/x", NewTitle)
        assert fake.connections == 1


async def test_a_body_is_read_in_chunks(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096

    async def handler(request: h11.Request, _: bytes) -> Reply:
        return 200, [("content-type", "application/octet-stream")], content

    async with box(tmp_path, handler), Http(control(tmp_path)) as http:
        async with http.open("GET", "/v1/x") as (_, chunks):
            assert b"".join([chunk async for chunk in chunks]) == content
        # Leaving early harms nothing: the next request gets a connection of its own.
        async with http.open("GET", "/v1/x") as (_, chunks):
            await anext(chunks)
        async with http.open("GET", "/v1/x") as (_, chunks):
            assert b"".join([chunk async for chunk in chunks]) == content


async def test_nobody_at_the_door(tmp_path: Path) -> None:
    async with Http(control(tmp_path)) as http:
        with pytest.raises(Unanswered) as caught:
            await http.exchange("GET", "/v1/state")
    assert caught.value.reason == "nobody"


async def test_no_data_folder_is_nobody(tmp_path: Path) -> None:
    async with Http(control(tmp_path / "none")) as http:
        with pytest.raises(Unanswered) as caught:
            await http.exchange("GET", "/v1/state")
    assert caught.value.reason == "nobody"


async def test_a_box_that_dies_in_the_middle(tmp_path: Path) -> None:
    socket = trio.socket.socket(trio.socket.AF_UNIX)
    with chdir(tmp_path):
        await socket.bind(CONTROL_NAME)
    socket.listen()

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, hang_up, [trio.SocketListener(socket)]))
        async with Http(control(tmp_path)) as http:
            with pytest.raises(Unanswered) as caught:
                await http.exchange("GET", "/v1/state")
        nursery.cancel_scope.cancel()
    assert caught.value.reason == "broken"


async def test_a_box_that_says_nothing(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async def dial(address: str, port: int, isolation: str) -> trio.abc.Stream:
        near, far = trio.testing.memory_stream_pair()
        kept.append(far)
        return near

    kept: list[trio.abc.Stream] = []
    async with Http(onion(dial, "abc.onion")) as http:
        with pytest.raises(Unanswered) as caught:
            await http.exchange("GET", "/v1/relay", seconds=5)
    assert caught.value.reason == "timeout"
    assert trio.current_time() == pytest.approx(5, abs=0.1)


async def test_a_long_data_folder_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30) / ("deeper" * 20)
    folder.mkdir(parents=True)

    async def handler(request: h11.Request, _: bytes) -> Reply:
        return answer({"name": "abc"})

    async with box(folder, handler), Http(control(folder)) as http:
        assert (await http.call("GET", "/v1/x", NewTitle)).name == "abc"


async def test_loopback_names_its_address_as_host() -> None:
    async def handler(request: h11.Request, _: bytes) -> Reply:
        return answer({"name": "abc"})

    fake = FakeBox(handler)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, fake.serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        async with Http(loopback(f"127.0.0.1:{port}")) as http:
            await http.call("GET", "/v1/x", NewTitle)
        nursery.cancel_scope.cancel()
    assert dict(fake.requests[0][0].headers)[b"host"] == f"127.0.0.1:{port}".encode()
