"""HTTP/1.1 on one connection: kept connections, pipelines, long polls, many idle peers."""

from __future__ import annotations

import json
import resource

import pytest
import trio

from appliance.protocol import codec
from appliance.protocol.messages import Deposit, Deposited, DepositGroup, Outcome
from tests.api.fakes import SIGN_IN

GET = b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize("path", [b"/v1/relay", b"/v1/nonces", b"/"])
async def test_a_connection_is_kept(house, path):
    async with house() as h, await h.dial() as stream:
        for _ in range(5):
            await stream.send_all(GET % path)
            status, headers, _ = await h.read(stream)
            assert status == 200
            assert "connection" not in headers


async def test_requests_in_one_packet_are_answered_in_order(house):
    async with house() as h, await h.dial("control") as stream:
        await stream.send_all(GET % b"/v1/nonces" + GET % b"/v1/nothing" + GET % b"/v1/relay")
        data = b""
        with trio.fail_after(5):
            while data.count(b"HTTP/1.1 ") < 3 or b"policy" not in data:
                data += await stream.receive_some(65_536)
        assert [part[:3] for part in data.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200"]


async def test_nothing_tells_of_software_or_clock(house):
    async with house() as h:
        for path in ("/", "/v1/relay", "/v1/nothing"):
            _, headers, _ = await h.ask("GET", path, kind="onion")
            assert not {"server", "date", "x-powered-by"} & set(headers)


async def test_head_gives_no_body(house):
    async with house() as h, await h.dial() as stream:
        await stream.send_all(b"HEAD /v1/relay HTTP/1.1\r\nhost: localhost\r\n\r\n" + GET % b"/v1/relay")
        data = b""
        with trio.fail_after(5):
            while b'"policy"' not in data:
                data += await stream.receive_some(65_536)
        assert data.count(b"HTTP/1.1 200") == 2
        assert data.count(b'"policy"') == 1


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/deposit", 405),
        ("POST", "/v1/relay", 405),
        ("OPTIONS", "/v1/deposit", 405),
        ("TRACE", "/", 405),
        ("GET", "/v1/relay/", 404),
        ("GET", "/v1/", 404),
        ("POST", "/v1/nothing", 404),
        ("POST", "/", 405),
    ],
)
async def test_other_methods_and_paths_are_refused(house, method, path, expected):
    async with house() as h:
        status, headers, body = await h.ask(method, path, headers={"content-length": "0"})
        assert status == expected
        assert h.code(body) == {404: "not_found", 405: "method"}[expected]
        assert headers["content-type"] == "application/json"


async def test_media_types_are_chosen_by_accept_and_content_type(house):
    deposit = Deposit([DepositGroup(b"m" * 20, b"c" * 32, 24, [b"e"])])
    expected = Deposited([[Outcome("held", 1)]])
    async with house() as h:
        for media, accept, answer in (
            (codec.CBOR, "", codec.CBOR),
            (codec.JSON, "", codec.JSON),
            (codec.JSON, "text/html, application/cbor;q=0.9", codec.CBOR),
            (codec.CBOR + "; charset=x", "*/*", codec.CBOR),
            (codec.CBOR, "application/json", codec.JSON),
        ):
            headers = {"content-type": media} | ({"accept": accept} if accept else {})
            body = codec.write(deposit, media.partition(";")[0])
            status, headers, data = await h.ask("POST", "/v1/deposit", body=body, headers=headers)
            assert (status, headers["content-type"]) == (200, answer)
            assert codec.read(data, Deposited, answer) == expected


async def test_a_deposit_that_is_refused_alike_has_that_status(house):
    async with house() as h:
        deposit = Deposit([DepositGroup(b"F" * 20, b"c" * 32, 24, [b"e", b"f"])])
        body = codec.write(deposit, codec.JSON)
        status, _, answer = await h.ask("POST", "/v1/deposit", body=body)
        assert (status, h.code(answer)) == (507, "mailbox_full")


async def test_a_long_poll_is_answered_at_the_change(house):
    async with house() as h, trio.open_nursery() as nursery:
        answers = []

        async def poll() -> None:
            answers.append(await h.ask("GET", "/v1/state?after=1"))

        nursery.start_soon(poll)
        await trio.sleep(0.1)
        assert not answers
        h.box.changes.touch()
        with trio.fail_after(5):
            while not answers:
                await trio.sleep(0.01)
        assert json.loads(answers[0][2])["revision"] == 2


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=1.5", "after=", "after=9999999999999999999"])
async def test_a_bad_number_in_the_query_is_refused(house, query):
    async with house() as h:
        status, _, body = await h.ask("GET", f"/v1/state?{query}")
        assert (status, h.code(body)) == (400, "malformed")


async def test_a_poller_that_leaves_ends_its_request(house):
    async with house() as h:
        async with await h.dial() as stream:
            await stream.send_all(GET % b"/v1/state?after=1")
            await trio.sleep(0.1)
        with trio.fail_after(5):
            while h.server._gate.limits.open_connections:
                await trio.sleep(0.01)
        assert not h.box.faults


async def test_a_client_is_told_to_go_on_with_its_body(house):
    async with house() as h, await h.dial() as stream:
        await stream.send_all(
            b"POST /v1/session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nexpect: 100-continue\r\n\r\n" % len(SIGN_IN)
        )
        with trio.fail_after(5):
            assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 100")
        await stream.send_all(SIGN_IN)
        assert (await h.read(stream))[0] == 200


async def test_a_thousand_idle_connections_cost_little(house):
    async with house(circuit_connections=2000) as h, h.bystander("onion"):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(1000):
            stream = await h.dial("onion", circuit=number % 50)
            await stream.send_all(b"GET /v1/nonces HTTP/1.1\r\n")
        with trio.fail_after(20):
            while h.server._gate.limits.open_connections < 1001:
                await trio.sleep(0.01)
        assert (await h.ask("GET", "/v1/relay"))[0] == 200
        assert (await h.ask("GET", "/v1/relay", kind="onion", circuit=999))[0] == 200
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 100_000  # KiB, for both ends of a thousand connections
