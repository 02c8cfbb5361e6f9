"""Stream frames: what one side writes the other reads; everything else is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import REFUSALS, Refusal
from appliance.protocol import codec, stream
from appliance.protocol.messages import (
    Acknowledged,
    Authorisation,
    Deposit,
    Deposited,
    DepositGroup,
    Subscribe,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "stream.json").read_text())
PREFIX = bytes.fromhex(VECTORS["prefix"])


def test_the_frames_of_the_vectors() -> None:
    frame = stream.read_request(bytes.fromhex(VECTORS["subscribe"]))
    request = frame.message()
    assert isinstance(request, Subscribe)
    assert (frame.id, frame.operation) == (7, "subscribe")
    assert stream.counter(PREFIX, request.auth.nonce) == 258
    assert stream.write_request(7, request).hex() == VECTORS["subscribe"]
    hello = stream.read_reply(bytes.fromhex(VECTORS["hello"]))
    assert hello == stream.Hello(PREFIX, stream.VERSION)
    assert stream.read_reply(bytes.fromhex(VECTORS["look"])) == stream.Look(request.mailbox)
    answer = stream.read_reply(bytes.fromhex(VECTORS["answer"]))
    assert isinstance(answer, stream.Answer) and answer.id == 7
    assert answer.message(Acknowledged) == Acknowledged(3)


@pytest.mark.parametrize("data", VECTORS["refused_requests"])
def test_frames_that_must_be_refused(data: str) -> None:
    with pytest.raises(Refusal, match="malformed"):
        stream.read_request(bytes.fromhex(data))


def test_a_bad_body_can_still_be_answered() -> None:
    frame = stream.read_request(codec.encode([5, "fetch", {"mailbox": 1}]))
    assert frame.id == 5
    with pytest.raises(Refusal, match="malformed"):
        frame.message()
    with pytest.raises(Refusal, match="method"):
        stream.read_request(codec.encode([5, "create", {}])).message()


def test_nonces_count_within_their_stream() -> None:
    nonce = stream.nonce(PREFIX, 258)
    assert nonce.hex() == VECTORS["nonce_258"] and len(nonce) == 32
    for other in (bytes(32), nonce[:-1], nonce + b"\0", b""):
        with pytest.raises(Refusal, match="nonce"):
            stream.counter(PREFIX, other)


@given(st.integers(0, 2**64 - 1))
def test_nonce_round_trip(counter: int) -> None:
    assert stream.counter(PREFIX, stream.nonce(PREFIX, counter)) == counter


@pytest.mark.parametrize("code", REFUSALS)
def test_refusals_cross_the_wire(code: str) -> None:
    refusal = Refusal(code, limit=3)
    refusal.details["self"] = 1  # a name no keyword argument could carry
    answer = stream.read_reply(stream.write_refusal(9, refusal))
    assert isinstance(answer, stream.Answer)
    assert (answer.id, answer.status) == (9, REFUSALS[code].status)
    with pytest.raises(Refusal, match=code) as caught:
        answer.message(Acknowledged)
    assert caught.value.details == {"limit": 3, "self": 1}


@pytest.mark.parametrize(
    "frame",
    [
        [],
        [1, 200],
        [0, "news", {}],
        [0, "hello", {}],
        [0, "look", {"mailbox": bytes(19)}],
        [0, 200, {}],
        [-1, 200, {}],
        [1, "200", {}],
        {"id": 1},
    ],
)
def test_a_client_trusts_no_reply(frame: object) -> None:
    with pytest.raises(Refusal, match="bad_answer"):
        stream.read_reply(codec.encode(frame))


@pytest.mark.parametrize("body", [None, {}, {"error": {"code": "no_such", "message": ""}}, {"error": "x"}])
def test_unknown_refusals_are_a_bad_answer(body: object) -> None:
    with pytest.raises(Refusal, match="bad_answer"):
        stream.Answer(1, 400, body).message(Acknowledged)
    with pytest.raises(Refusal, match="bad_answer"):
        stream.Answer(1, 200, {"removed": "many"}).message(Acknowledged)


@given(st.integers(1, stream.MAX_ID), st.binary(max_size=2000))
def test_round_trip(id: int, envelope: bytes) -> None:
    request = Deposit([DepositGroup(bytes(20), bytes(32), 168, [envelope])])
    frame = stream.read_request(stream.write_request(id, request))
    assert frame.id == id and frame.message() == request
    answer = stream.read_reply(stream.write_answer(id, Deposited([[]])))
    assert isinstance(answer, stream.Answer) and answer.message(Deposited) == Deposited([[]])


@given(st.binary(max_size=60))
def test_any_bytes_end_in_a_value_or_a_refusal(data: bytes) -> None:
    for read, code in ((stream.read_request, "malformed"), (stream.read_reply, "bad_answer")):
        try:
            read(data)
        except Refusal as error:
            assert error.code == code


def test_an_authorisation_shows_nothing() -> None:
    assert "00" not in repr(Authorisation(bytes(32), bytes(64)))
