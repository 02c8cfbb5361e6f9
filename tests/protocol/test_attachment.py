"""Attachments: the vectors, any size, and chunks in the wrong place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import attachment
from appliance.protocol.content import MAX_LISTED
from appliance.protocol.envelope import SIZES, check, envelope_id
from tests.vectors.checks import sha256

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "attachment.json").read_text())
KEY = bytes.fromhex(VECTORS["key"])
FILE = hashlib.shake_256(b"island vector attachment").digest(VECTORS["size"])


def pieces(data: bytes) -> list[bytes]:
    """A file cut as the plan says."""
    plan = attachment.plan(len(data))
    return [data[at * attachment.PIECE : (at + 1) * attachment.PIECE] for at in range(plan.count)]


def test_plans() -> None:
    for size, *rest in VECTORS["plans"]:
        plan = attachment.plan(size)
        assert [plan.pieces, plan.count, plan.indexes] == rest
    for size in VECTORS["too_large"]:
        with pytest.raises(Refusal, match="too_large"):
            attachment.plan(size)


def test_chunks_of_the_vectors() -> None:
    plan = attachment.plan(len(FILE))
    assert attachment.digest(FILE).hex() == VECTORS["digest"]
    made = [attachment.seal_chunk(KEY, plan, at, piece) for at, piece in enumerate(pieces(FILE))]
    assert made[-1].hex() == VECTORS["last"]
    for case, chunk in zip(VECTORS["chunks"], made, strict=True):
        check(chunk)
        assert (envelope_id(chunk).hex(), sha256(chunk)) == (case["id"], case["sha256"])
    opened = [attachment.open_chunk(KEY, plan, at, chunk) for at, chunk in enumerate(made)]
    assert b"".join(opened) == FILE
    for case in VECTORS["refused"]:
        with pytest.raises(Refusal, match="not_opened"):
            attachment.open_chunk(KEY, plan, case["number"], bytes.fromhex(case["envelope"]))


def test_the_index_of_the_vectors() -> None:
    plan = attachment.plan(VECTORS["index"]["size"])
    ids = [hashlib.shake_256(b"island vector large %d" % at).digest(16) for at in range(plan.count)]
    assert sha256(b"".join(ids)) == VECTORS["index"]["ids_sha256"]
    chunks = [
        attachment.seal_chunk(KEY, plan, plan.count + at, piece)
        for at, piece in enumerate(attachment.index_pieces(plan, ids))
    ]
    assert [sha256(chunk) for chunk in chunks] == VECTORS["index"]["chunks"]
    opened = [attachment.open_chunk(KEY, plan, plan.count + at, chunk) for at, chunk in enumerate(chunks)]
    assert attachment.read_index(plan, opened) == ids


@given(st.integers(0, 1984 * attachment.PIECE))
def test_every_size_has_a_plan_a_manifest_can_name(size: int) -> None:
    plan = attachment.plan(size)
    assert plan.pieces <= plan.count <= attachment.MAX_CHUNKS
    assert plan.count <= max(8, plan.pieces * 1.125)
    assert (plan.indexes or plan.count) <= MAX_LISTED
    ids = [at.to_bytes(16, "big") for at in range(plan.count)]
    filled = [piece + bytes(attachment.PIECE - len(piece)) for piece in attachment.index_pieces(plan, ids)]
    assert len(filled) == plan.indexes and (not filled or attachment.read_index(plan, filled) == ids)


@given(st.binary(max_size=40), st.integers(0, 3))
def test_small_files_read_back(data: bytes, more: int) -> None:
    data = data * 1000 + bytes(more)
    plan = attachment.plan(len(data))
    chunks = [attachment.seal_chunk(KEY, plan, at, piece) for at, piece in enumerate(pieces(data))]
    assert {len(chunk) for chunk in chunks} == {SIZES[-1]}
    assert b"".join(attachment.open_chunk(KEY, plan, at, each) for at, each in enumerate(chunks)) == data


def test_a_chunk_of_another_plan_or_key_does_not_open() -> None:
    plan = attachment.plan(10)
    chunk = attachment.seal_chunk(KEY, plan, 0, b"0123456789")
    assert attachment.open_chunk(KEY, plan, 0, chunk) == b"0123456789"
    for key, other, number in ((bytes(32), plan, 0), (KEY, attachment.plan(20_000), 0), (KEY, plan, 1)):
        with pytest.raises(Refusal, match="not_opened"):
            attachment.open_chunk(key, other, number, chunk)
