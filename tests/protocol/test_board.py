"""Boards: the vectors, and that nothing signed can be changed, read as another kind, or signed by another."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from appliance.errors import Refusal
from appliance.protocol import board, codec
from appliance.protocol.keys import SigningKey
from appliance.protocol.log import MAX_BODY
from tests.services import refused

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "board.json").read_text())
ADA = SigningKey(bytes(range(32)))
BOX = SigningKey(bytes(32))
POST = board.Post(
    v=1,
    id=b"i" * 16,
    board=b"b" * 16,
    sent=5,
    name="ada",
    onion=BOX.public,
    identity=ADA.public,
    body="words",
    thread=b"t" * 16,
)


@pytest.mark.parametrize("case", VECTORS["values"], ids=lambda case: case["kind"])
def test_vectors(case: dict[str, str]) -> None:
    signed = bytes.fromhex(case["signed"])
    value, vouched = board.read(signed)
    key = SigningKey(bytes.fromhex(VECTORS["box_seed" if case["vouched"] else "identity_seed"]))
    assert board.write(key, value) == signed and vouched == case["vouched"]
    assert board.digest(signed).hex() == case["digest"]
    assert board.KINDS[case["kind"]] == (board.entry_kind(value), type(value))


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_what_is_refused(case: dict[str, str]) -> None:
    with refused(case["code"]):
        board.read(bytes.fromhex(case["signed"]))


def test_no_bit_can_be_changed() -> None:
    signed = board.write(ADA, POST)
    for bit in range(len(signed) * 8):
        changed = bytearray(signed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Refusal) as caught:
            board.read(bytes(changed))
        assert caught.value.code in ("bad_post", "unknown_version")


def test_a_signature_serves_one_kind_only() -> None:
    signed = board.write(ADA, POST)
    fields = codec.decode(signed[64:])
    fields["kind"] = "delete"
    with refused("bad_post"):
        board.read(signed[:64] + codec.encode(fields))


def test_what_nobody_could_read_is_not_written() -> None:
    for change in ({"body": ""}, {"subject": "x"}, {"name": "Ada"}, {"identity": BOX.public}):
        with refused("bad_post"):
            board.write(ADA, msgspec.structs.replace(POST, **change))
    with refused("too_large"):
        board.write(ADA, msgspec.structs.replace(POST, body="x" * board.MAX_SIGNED))


def test_the_largest_post_fits_an_entry_of_the_log() -> None:

    largest = msgspec.structs.replace(
        POST, body="x" * board.MAX_POST_OCTETS, thread=None, subject="\U0001f44d" * 200
    )
    assert len(board.write(ADA, largest)) <= board.MAX_SIGNED <= MAX_BODY
