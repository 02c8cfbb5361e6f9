"""Bad bytes at every layer: a clear 4xx, the box stays up, a bystander's socket stays open."""

from __future__ import annotations

import contextlib
import random

import pytest
import trio

from appliance.protocol import codec
from appliance.protocol.messages import Deposit, DepositGroup
from appliance.protocol.stream import write_request

GOOD = codec.encode(Deposit([DepositGroup(b"m" * 20, b"c" * 32, 24, [b"e"])]))

BAD_HEADS = [
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost : localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\x00b\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n",
    b"POST /v1/deposit HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET \x80 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /v1/relay/stream HTTP/9\r\n\r\n",
    b"GET /v1/relay/stream HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n",
]


@pytest.mark.parametrize("data", BAD_HEADS)
async def test_bad_http_is_answered(house, data):
    async with house() as h, h.bystander(), await h.dial() as stream:
        await stream.send_all(data)
        status, _, body = await h.read(stream)
        assert (status, h.code(body)) == (400, "malformed")
        assert await h.ended(stream) == b""
        assert not h.box.faults


@pytest.mark.parametrize("path", [b"/", b"/v1/relay/stream"])
async def test_a_head_without_end_is_answered(house, path):
    async with house() as h, h.bystander():
        data = b"GET %s HTTP/1.1\r\nhost: localhost\r\nx: " % path + b"a" * 40_000
        assert await h.say(data) == (413, "too_large")


@pytest.mark.parametrize(
    "target", [b"*", b"http://localhost/", b"//", b"/%00", b"/%ff%fe", b"/../../etc/passwd"]
)
async def test_strange_targets_harm_nobody(house, target):
    async with house() as h, h.bystander(), await h.dial() as stream:
        await stream.send_all(b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n" % target)
        status, _, _ = await h.read(stream)
        assert status in (200, 404)
        assert not h.box.faults


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP6 " + b"f" * 4000,
        b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80 extra\r\nGET / HTTP/1.1\r\n\r\n",
        b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c",
        b"\n" * 200,
    ],
)
async def test_bad_proxy_lines_are_answered(house, line):
    async with house() as h, h.bystander("onion"), await trio.open_unix_socket(h.folder / "onion.sock") as s:
        await s.send_all(line)
        status, _, body = await h.read(s)
        assert (status, h.code(body)) == (400, "malformed")
        assert await h.ended(s) == b""
        assert not h.box.faults


async def test_half_a_proxy_line_is_given_up(house):
    async with house(head_seconds=0.2) as h, await trio.open_unix_socket(h.folder / "onion.sock") as stream:
        await stream.send_all(b"PROXY TCP6 fc00")
        assert await h.ended(stream, 2) == b""


def _nested(depth: int) -> bytes:
    return b"\xa1\x66groups" + b"\x81" * depth + b"\x00"


BAD_CBOR = {
    "nothing": b"",
    "trailing bytes": GOOD + b"\x00",
    "cut short": GOOD[:-1],
    "duplicate keys": b"\xa2\x66groups\x80\x66groups\x80",
    "a tag": b"\xd8\x23\x61(",
    "a tagged map": b"\xc1" + GOOD,
    "shared references": b"\xd8\x1c\x81\xd8\x1d\x00",
    "too deep": _nested(100),
    "much too deep": _nested(100_000),
    "a huge string": b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "a huge list": b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "a huge map": b"\xbb\x00\x00\xff\xff\xff\xff\xff\xff",
    "indefinite": b"\xbf\xff",
    "a float": b"\xa1\x66groups\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    "a number for a list": b"\xa1\x66groups\x01",
    "text for bytes": codec.encode({"groups": [{"mailbox": "m" * 20}]}),
    "an unknown field": codec.encode({"groups": [], "more": 1}),
    "an empty batch": codec.encode({"groups": []}),
    "a short mailbox": codec.encode(
        {"groups": [{"mailbox": b"m", "capability": b"c" * 32, "ttl_hours": 1, "envelopes": [b"e"]}]}
    ),
    "a key that is no text": b"\xa1\x01\x02",
    "bad utf-8": b"\xa1\x62\xff\xfe\x00",
}


@pytest.mark.parametrize("kind", ["loopback", "onion"])
async def test_bad_cbor_is_answered(house, kind):
    async with house(circuit_requests=1000) as h, h.bystander(kind):
        for name, data in BAD_CBOR.items():
            headers = {"content-type": "application/cbor"}
            status, _, body = await h.ask("POST", "/v1/deposit", kind=kind, body=data, headers=headers)
            assert status == 400, name
            assert codec.decode(body)["error"]["code"] == "malformed", name
        assert not h.box.faults


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"groups":1}',
        b'{"a":1,"a":1}',
        b"\xff",
        b"[" * 100_000,
        b'{"groups":NaN}',
    ],
)
async def test_bad_json_is_answered(house, data):
    async with house() as h, h.bystander():
        status, _, body = await h.ask("POST", "/v1/deposit", body=data)
        assert (status, h.code(body)) == (400, "malformed")
        assert not h.box.faults


@pytest.mark.parametrize(
    "media", ["text/plain", "", "application/x-www-form-urlencoded", "application/cbor+x"]
)
async def test_other_media_types_are_refused(house, media):
    async with house() as h:
        status, _, body = await h.ask("POST", "/v1/deposit", body=GOOD, headers={"content-type": media})
        assert (status, h.code(body)) == (415, "unknown_format")


@pytest.mark.parametrize("path", ["/v1/deposit", "/v1/mailboxes"])
async def test_a_body_that_is_too_large_is_refused_before_and_while_it_comes(house, path):
    async with house(body_octets=1000) as h, h.bystander():
        status, _, body = await h.ask("POST", path, body=b"x" * 1001)
        assert (status, h.code(body)) == (413, "too_large")
        async with await h.dial() as stream:
            head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cbor\r\n"
            await stream.send_all(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
            with contextlib.suppress(trio.BrokenResourceError):
                for _ in range(40):
                    await stream.send_all(b"64\r\n" + b"x" * 100 + b"\r\n")
            assert (await h.read(stream))[0] == 413


@pytest.mark.parametrize("name", sorted(set(BAD_CBOR) - {"nothing"}))
async def test_bad_cbor_on_a_stream_is_answered_and_closes_it(house, name):
    async with house() as h, h.bystander():
        socket = await h.socket()
        await socket.send(BAD_CBOR[name])
        frame = await socket.next_frame()
        assert b"malformed" in frame.payload
        assert await socket.close_code() == 1007
        await h.ended(socket.stream)
        assert not h.box.faults


@pytest.mark.parametrize(
    "message", [[1], [0, "deposit", {}], ["1", "deposit", {}], [1, 2, {}], [1, "deposit", {}, 0], {}, 7]
)
async def test_a_message_that_is_no_frame_closes_the_stream(house, message):
    async with house() as h:
        socket = await h.socket()
        await socket.send(codec.encode(message))
        assert await socket.close_code() == 1007
        await socket.stream.aclose()


async def test_a_bad_request_in_a_good_frame_leaves_the_stream_open(house):
    async with house() as h:
        socket = await h.socket()
        await socket.send(codec.encode([5, "deposit", {"groups": []}]))
        await socket.send(codec.encode([6, "format", {}]))
        await socket.send(write_request(7, Deposit([DepositGroup(b"m" * 20, b"c" * 32, 24, [b"e"])])))
        answers = {(reply.id, reply.status) for reply in [await socket.reply() for _ in range(3)]}
        assert answers == {(5, 400), (6, 405), (7, 200)}
        await socket.stream.aclose()


BAD_FRAMES = {
    "text": (b"\x81\x81\x00\x00\x00\x00a", 1003),
    "not masked": (b"\x82\x01a", 1002),
    "reserved bit": (b"\xc2\x81\x00\x00\x00\x00a", 1002),
    "unknown opcode": (b"\x83\x81\x00\x00\x00\x00a", 1002),
    "a long ping": (b"\x89\xfe\x00\x80\x00\x00\x00\x00" + b"a" * 128, 1002),
    "a ping in parts": (b"\x09\x80\x00\x00\x00\x00", 1002),
    "a continuation of nothing": (b"\x80\x81\x00\x00\x00\x00a", 1002),
    "a close of one byte": (b"\x88\x81\x00\x00\x00\x00a", 1002),
    "a huge length": (b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1002),
    "a close": (b"\x88\x82\x00\x00\x00\x00\x03\xe8", 1000),
    "a close without a code": (b"\x88\x80\x00\x00\x00\x00", 1000),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
async def test_bad_frames_close_the_stream_with_the_right_code(house, name):
    data, code = BAD_FRAMES[name]
    async with house() as h, h.bystander():
        socket = await h.socket()
        await socket.stream.send_all(data)
        assert await socket.close_code() == code
        await h.ended(socket.stream)
        assert not h.box.faults


@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_message_that_is_too_big_closes_with_1009(house, pieces):
    async with house(body_octets=10_000) as h, h.bystander():
        socket = await h.socket()
        for number in range(pieces):
            part = h.masked(b"x" * (12_000 // pieces), 2 if number == 0 else 0, number == pieces - 1)
            await socket.stream.send_all(part)
        assert await socket.close_code() == 1009
        await h.ended(socket.stream)


async def test_a_shower_of_random_bytes_harms_nobody(house):
    random.seed(20)
    starts = [
        b"",
        b"GET /v1/relay/stream HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n",
        b"PROXY TCP6 ",
    ]
    async with house(head_seconds=0.5) as h, h.bystander(), trio.open_nursery() as nursery:

        async def disturb(kind: str, data: bytes) -> None:
            async with await h.dial(kind) as stream:
                with contextlib.suppress(trio.BrokenResourceError):
                    await stream.send_all(data)
                await h.ended(stream)

        for _ in range(100):
            noise = random.choice(starts) + random.randbytes(random.randrange(200)) + b"\r\n\r\n"
            nursery.start_soon(disturb, random.choice(["loopback", "onion", "control"]), noise)
    assert not h.box.faults
