"""The five faults of the server stack, each over real sockets, while a bystander's socket stays open."""

from __future__ import annotations

import socket
import stat

import pytest
import trio

from appliance.api import server as server_module
from appliance.api.entrance import bind_unix
from appliance.errors import Refusal
from appliance.protocol.messages import Deposit, DepositGroup
from appliance.protocol.stream import write_request

UPGRADE = (
    b"GET %s HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


# 1. One packet kills the process.


@pytest.mark.parametrize("path", [b"/", b"/v1/relay", b"/v1/relay/stream/x", b"/nothing"])
async def test_an_upgrade_with_bytes_after_its_head_harms_nobody(house, path):
    async with house(head_seconds=0.3) as h, h.bystander():
        async with await h.dial() as stream:
            await stream.send_all(UPGRADE % path + b"\x82\x80\x00\x00\x00\x00 more")
            await h.ended(stream)
        assert not h.box.faults


async def test_a_stream_takes_the_bytes_that_came_with_its_head(house):
    async with house() as h:
        frame = h.masked(write_request(1, Deposit([DepositGroup(b"m" * 20, b"c" * 32, 24, [b"e"])])))
        socket_ = await h.socket(after=frame)
        assert (await socket_.reply()).status == 200
        await socket_.stream.aclose()


# 2. Idle connections stay for ever.


@pytest.mark.parametrize("path", ["/v1/relay", "/v1/nonces"])
async def test_an_idle_connection_is_closed_after_its_request(house, path):
    async with house(idle_seconds=0.2) as h, await h.dial() as stream:
        for _ in range(2):
            await stream.send_all(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            assert (await h.read(stream))[0] == 200
        assert await h.ended(stream, 3) == b""


async def test_a_connection_that_says_nothing_is_closed(house):
    async with house(head_seconds=0.2) as h, await h.dial() as stream, await h.dial("control") as control:
        assert await h.ended(stream, 3) == b""
        assert await h.ended(control, 3) == b""


# 3. A client that does not read blocks shutdown for ever.


async def test_a_peer_that_does_not_read_is_cut(house):
    async with house(write_seconds=0.3) as h:
        h.box.places.words = "x" * 10_000_000
        async with await h.dial("control") as stream:
            await stream.send_all(b"GET /v1/relays HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert await stream.receive_some(10)  # the answer is being written
            await trio.sleep(1)
            assert len(await h.ended(stream, 5)) < 9_000_000
        assert not h.box.faults


async def test_the_box_stops_though_a_peer_does_not_read(house, monkeypatch):
    monkeypatch.setattr(server_module, "GRACE_SECONDS", 0.3)
    with trio.fail_after(5):
        async with house() as h:
            h.box.places.words = "x" * 10_000_000
            stream = await h.dial("control")
            await stream.send_all(b"GET /v1/relays HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert await stream.receive_some(10)
    await stream.aclose()


async def test_the_box_finishes_what_it_does_before_it_stops(house):
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery, house() as h:
            h.box.relay.pause = 0.3
            frame = write_request(1, Deposit([DepositGroup(b"m" * 20, b"c" * 32, 24, [b"e"])]))
            socket_ = await h.socket()
            idle = await h.dial()
            await socket_.send(frame)

            async def check() -> None:
                assert await h.ended(idle) == b""
                assert (await socket_.reply()).status == 200
                assert await socket_.close_code() == 1001
                await socket_.stream.aclose()
                await idle.aclose()

            nursery.start_soon(check)
            await trio.sleep(0.1)


# 4. An empty binary frame kills its handler.


async def test_an_empty_binary_frame_is_answered(house):
    async with house() as h, h.bystander():
        socket_ = await h.socket()
        await socket_.send(b"")
        frame = await socket_.next_frame()
        assert b"malformed" in frame.payload
        assert await socket_.close_code() == 1007
        await socket_.stream.aclose()
        assert not h.box.faults


# 5. Reads without a deadline, wrong close codes, files left over, answers cut.


async def test_half_a_head_is_answered_in_time(house):
    async with house(head_seconds=0.2) as h, await h.dial() as stream:
        await stream.send_all(b"GET /v1/relay HTTP/1.1\r\nhost: loc")
        status, _, body = await h.read(stream)
        assert (status, h.code(body)) == (408, "too_slow")
        assert await h.ended(stream) == b""


@pytest.mark.parametrize("path", ["/v1/deposit", "/v1/session"])
async def test_half_a_body_is_answered_in_time(house, path):
    async with house(body_seconds=0.2) as h, await h.dial() as stream:
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n"
        await stream.send_all(head.encode() + b"content-type: application/json\r\n\r\n{")
        status, _, body = await h.read(stream)
        assert (status, h.code(body)) == (408, "too_slow")
        assert await h.ended(stream) == b""
        assert not h.box.faults


async def test_half_a_stream_head_is_answered_in_time(house):
    async with house(head_seconds=0.2) as h, await h.dial() as stream:
        await stream.send_all(b"GET /v1/relay/stream HTTP/1.1\r\nhost: loc")
        status, _, body = await h.read(stream)
        assert (status, h.code(body)) == (408, "too_slow")


async def test_a_bug_behind_a_stream_closes_it_with_1011_and_is_counted(house):
    async with house() as h, h.bystander():
        socket_ = await h.socket()
        await socket_.send(write_request(1, Deposit([DepositGroup(b"B" * 20, b"c" * 32, 24, [b"e"])])))
        assert await socket_.close_code() == 1011
        await socket_.stream.aclose()
        assert h.box.faults == {"stream": 1}


@pytest.mark.parametrize("path", ["/v1/readers"])
async def test_a_bug_behind_a_route_is_500_and_is_counted(house, path):
    async with house() as h, h.bystander():
        status, _, body = await h.ask("GET", path, kind="control")
        assert (status, h.code(body)) == (500, "fault")
        assert h.box.faults == {"GET /v1/readers": 1}


async def test_an_answer_is_not_lost_when_the_body_was_not_read(house):
    async with house() as h:
        body = b"x" * 3_000_000
        status, _, answer = await h.ask(
            "POST", "/v1/readers", body=body, headers={"content-type": "application/json"}
        )
        assert (status, h.code(answer)) == (401, "sign_in")


async def test_connection_close_ends_the_connection(house):
    async with house() as h, await h.dial() as stream:
        await stream.send_all(b"GET /v1/relay HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert (await h.read(stream))[0] == 200
        assert await h.ended(stream, 1) == b""


async def test_one_connection_serves_more_than_a_thousand_requests(house):
    async with house() as h, await h.dial("control") as stream:
        for _ in range(1100):
            await stream.send_all(b"GET /v1/nonces HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert (await h.read(stream))[0] == 200


async def test_the_socket_file_is_private_and_goes_with_the_box(house):
    async with house() as h:
        path = h.folder / "control.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_a_dead_socket_file_is_replaced_and_a_living_one_respected(tmp_path):
    path = tmp_path / "control.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    entrance = bind_unix("control", path)
    with pytest.raises(Refusal, match="in_use"):
        bind_unix("control", path)
    entrance.close()
    assert not path.exists()
    path.write_text("not a socket")
    with pytest.raises(FileExistsError):
        bind_unix("control", path)
