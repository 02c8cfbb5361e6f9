"""Items: cut to fill envelopes, joined again, nothing inconsistent read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import codec, item, sealing
from appliance.protocol.envelope import SIZES
from appliance.protocol.item import Header, Part

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "item.json").read_text())
ITEM = bytes.fromhex(VECTORS["item"])


def header(content: bytes, card: bytes = b"", name: str = "a.bin") -> Header:
    """The header of a file."""
    return Header("file", name, len(content), item.content_digest(content), 498_000, card)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: str(case["size"]))
def test_items_of_the_vectors(case: dict[str, Any]) -> None:
    content = hashlib.shake_256(b"island vector content").digest(case["size"])
    head = codec.read(bytes.fromhex(case["header"]), Header)
    plan = item.plan(head)
    assert [plan.first, plan.rest, plan.count, plan.envelope_size] == case["plan"]
    parts = [item.write_part(part) for part in item.split(ITEM, head, content)]
    assert [hashlib.sha256(part).hexdigest() for part in parts] == case["parts_sha256"]
    if case["part_0"]:
        assert parts[0].hex() == case["part_0"]
    assert item.join([item.read_part(part) for part in parts]) == content


def test_the_receipt_of_the_vectors() -> None:
    part = item.read_part(bytes.fromhex(VECTORS["receipt"]))
    assert part.header is not None
    assert part.header.kind == "receipt" and part.header.reply_to is not None
    assert item.plan(part.header).envelope_size == 1984


@pytest.mark.parametrize("data", VECTORS["refused"])
def test_parts_that_must_be_refused(data: str) -> None:
    with pytest.raises(Refusal, match="malformed"):
        item.read_part(bytes.fromhex(data))


@pytest.mark.parametrize(("count", "rounded"), VECTORS["padme"])
def test_padme_of_the_vectors(count: int, rounded: int) -> None:
    assert item.padme(count) == rounded


@given(st.integers(1, item.MAX_PARTS))
def test_padme_costs_at_most_an_eighth(count: int) -> None:
    rounded = item.padme(count)
    assert count <= rounded <= count * 1.125 + 1
    assert item.padme(rounded) == rounded


@given(st.integers(0, 70_000), st.binary(max_size=300), st.text(max_size=255))
def test_every_part_fits_its_envelope(size: int, card: bytes, name: str) -> None:
    content = bytes(size)
    head = header(content, card, name)
    plan = item.plan(head)
    room = sealing.capacity(plan.envelope_size)
    parts = item.split(ITEM, head, content)
    payloads = [item.write_part(part) for part in parts]
    assert len(parts) == plan.count and all(len(payload) <= room for payload in payloads)
    read = [item.read_part(payload) for payload in payloads]
    assert item.join(read) == content
    if len(parts) == 1 and plan.envelope_size > 1984:
        smaller = SIZES[SIZES.index(plan.envelope_size) - 1]
        # The reckoning leaves a few octets, never more, for heads of other lengths.
        assert len(payloads[0]) > sealing.capacity(smaller) - 16


@given(st.integers(0, 1 << 33))
def test_spans_follow_one_another_and_end_at_the_size(size: int) -> None:
    plan = item.plan(header(b"").__class__("file", "", size, bytes(32), 0))
    picks = sorted({0, 1, plan.count // 2, plan.count - 2, plan.count - 1} & set(range(plan.count)))
    for index in picks:
        start, length = plan.span(index)
        assert 0 <= length <= max(plan.first, plan.rest) and start + length <= size
        if index + 1 < plan.count:
            assert plan.span(index + 1)[0] == start + length
    start, length = plan.span(plan.count - 1)
    assert start + length == size


def test_too_large_is_refused() -> None:
    with pytest.raises(Refusal, match="too_large"):
        item.plan(Header("file", "", 1 << 40, bytes(32), 0))


def test_names_are_made_harmless_on_reading() -> None:
    part = Part(ITEM, 0, 1, b"", header(b"", name="../a\u202eb"))
    read = item.read_part(item.write_part(part)).header
    assert read is not None and read.name == "ab"


def test_joining_wants_all_parts_in_order_and_the_right_content() -> None:
    content = bytes(range(256)) * 200
    parts = item.split(ITEM, header(content), content)
    wrong = [*parts[:-1], msgspec.structs.replace(parts[-1], data=b"x")]
    other = [parts[0], msgspec.structs.replace(parts[1], data=bytes(len(parts[1].data))), *parts[2:]]
    for broken in ([], parts[:-1], parts[1:], parts[::-1], [*parts, parts[-1]], wrong, other):
        with pytest.raises(Refusal, match="malformed"):
            item.join(broken)


@given(st.binary(max_size=100))
def test_any_payload_ends_in_a_refusal(data: bytes) -> None:
    with pytest.raises(Refusal, match="malformed"):
        item.read_part(data)
