"""The frame reader against wsproto: the same bytes, cut anywhere, give the same messages and the same end."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from appliance.api.frames import Frames, binary, close, unmask

LIMIT = 1_000_000


def by_wsproto(data: bytes) -> tuple[list[bytes], bytes, int | None]:
    """Messages, pongs and close code as wsproto has them."""
    protocol = FrameProtocol(client=False, extensions=[])
    protocol.receive_bytes(data)
    messages, pongs, parts = [], b"", b""
    try:
        for frame in protocol.received_frames():
            if frame.opcode is Opcode.TEXT:
                return messages, pongs, 1003
            if frame.opcode is Opcode.CLOSE:
                return messages, pongs, 1000 if frame.payload[0] == 1005 else int(frame.payload[0])
            if frame.opcode is Opcode.PING:
                pongs += bytes(protocol.pong(frame.payload))
            if frame.opcode is Opcode.BINARY:
                parts += frame.payload
                if frame.message_finished:
                    messages.append(parts)
                    parts = b""
    except ParseFailed as error:
        return messages, pongs, int(error.code)
    return messages, pongs, None


def by_us(data: bytes, cuts: list[int]) -> tuple[list[bytes], bytes, int | None]:
    """The same from our reader, fed in pieces."""
    frames = Frames(LIMIT)
    messages = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, stop in pairwise(edges):
        if frames.closing is None:
            messages += frames.feed(data[start:stop])
    return messages, bytes(frames.replies), frames.closing


def frame(first: int, payload: bytes | int, masked: bool, key: bytes, width: int) -> bytes:
    """A frame, right or wrong; a payload may be given by its size, `width` 0 takes the shortest length."""
    payload = bytes(payload)
    size = len(payload)
    flag = 0x80 if masked else 0
    if width == 0:
        width = 1 if size < 126 else 2 if size < 65_536 else 8
    if width == 1 and size < 126:
        head = bytes((first, flag | size))
    elif width <= 2 and size < 65_536:
        head = bytes((first, flag | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, flag | 127)) + size.to_bytes(8, "big")
    return head + (key + unmask(key, payload) if masked else payload)


payloads = st.one_of(
    st.binary(max_size=130),
    st.integers(120, 300),
    st.just(66_000),
    st.sampled_from([b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"\x0b\xb8", b"\x03\xe8\xff", b"\x00\x00"]),
)
keys = st.binary(min_size=4, max_size=4)
starts = st.sampled_from([0x82, 0x02, 0x00, 0x80, 0x89, 0x8A])
good = st.tuples(starts, payloads, st.just(True), keys, st.just(0))
bad = st.tuples(st.integers(0, 255), payloads, st.booleans(), keys, st.integers(0, 8))


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.one_of(good, good, good, bad), max_size=6),
    st.binary(max_size=20),
    st.lists(st.integers(0, 10**6), max_size=6),
)
@example([], b"\x81\x81\0\0\0\0a", [])
@example([], b"\x88\x80\0\0\0\0", [])
@example([], b"\x02\x81\0\0\0\0a\x89\x80\0\0\0\0\x80\x81\0\0\0\0b", [1, 2, 3, 4, 5, 6])
def test_what_wsproto_reads_we_read(frames, tail, cuts):
    data = b"".join(frame(*one) for one in frames) + tail
    expected = by_wsproto(data)
    got = by_us(data, cuts)
    if expected[2] != got[2]:
        # Each refuses some frames a few bytes before the other: we at the end of the head, wsproto of
        # some within it and of others (text, control frames) after it.
        expected, got = by_wsproto(data + b"\xff" * 200), by_us(data + b"\xff" * 200, cuts)
        assert expected[2] and got[2]
        assert expected[2] == got[2] or got[2] == 1003
        assert expected[0][: len(got[0])] == got[0]
    else:
        assert got == expected


@given(st.binary(max_size=400), st.binary(min_size=4, max_size=4))
def test_masking_twice_changes_nothing(payload, key):
    assert unmask(key, unmask(key, payload)) == payload
    assert unmask(bytes(4), payload) == payload


@given(st.sampled_from([0, 1, 125, 126, 65_535, 65_536]))
def test_what_we_write_wsproto_reads(size):
    protocol = FrameProtocol(client=True, extensions=[])
    protocol.receive_bytes(binary(bytes(size)) + close(1011))
    frames = list(protocol.received_frames())
    assert b"".join(f.payload for f in frames[:-1]) == bytes(size)
    assert frames[-1].payload[0] == 1011


def test_a_message_that_is_too_big_is_refused_at_its_head():
    frames = Frames(1000)
    assert frames.feed(b"\x82\xfe\x04\x00") == []
    assert frames.closing is None
    frames.feed(bytes(4))
    assert frames.closing == 1009
    assert frames.pending == 0


def test_bytes_that_come_one_by_one_cost_no_more_than_their_number():
    frames = Frames(10_000_000)
    frames.feed(b"\x82\xff" + (5_000_000).to_bytes(8, "big") + bytes(4))
    for _ in range(200_000):
        assert frames.feed(b"x") == []
    assert frames.pending == 200_014
