"""Envelopes: ids, size classes, padding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import envelope

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "envelope.json").read_text())


def test_sizes_are_those_of_the_vectors() -> None:
    assert list(envelope.SIZES) == VECTORS["sizes"]


@pytest.mark.parametrize("case", VECTORS["ids"])
def test_ids_of_the_vectors(case: dict[str, str]) -> None:
    whole = bytes.fromhex(case["envelope"])
    envelope.check(whole)
    assert envelope.envelope_id(whole).hex() == case["id"]


@pytest.mark.parametrize("case", VECTORS["refused"])
def test_envelopes_that_must_be_refused(case: dict[str, str]) -> None:
    with pytest.raises(Refusal, match=case["code"]):
        envelope.check(bytes.fromhex(case["envelope"]))


@pytest.mark.parametrize("case", VECTORS["padding"])
def test_padding_of_the_vectors(case: dict[str, str]) -> None:
    content, padded = bytes.fromhex(case["content"]), bytes.fromhex(case["padded"])
    assert envelope.pad(content, 8) == padded
    assert envelope.unpad(padded) == content


@pytest.mark.parametrize("padded", VECTORS["refused_padding"])
def test_padding_that_must_be_refused(padded: str) -> None:
    with pytest.raises(Refusal, match="malformed"):
        envelope.unpad(bytes.fromhex(padded))


@given(st.binary(max_size=100), st.integers(1, 100))
def test_padding_round_trip(content: bytes, more: int) -> None:
    padded = envelope.pad(content, len(content) + more)
    assert len(padded) == len(content) + more
    assert envelope.unpad(padded) == content


def test_padding_needs_one_octet() -> None:
    with pytest.raises(Refusal, match="wrong_size"):
        envelope.pad(b"12345678", 8)


@given(st.integers(0, 17_000), st.integers(0, 2_000))
def test_the_smallest_class_that_fits(octets: int, overhead: int) -> None:
    needed = octets + 1 + overhead
    if needed > envelope.SIZES[-1]:
        with pytest.raises(Refusal, match="wrong_size"):
            envelope.size_for(octets, overhead)
    else:
        assert envelope.size_for(octets, overhead) == min(s for s in envelope.SIZES if s >= needed)


@pytest.mark.parametrize(("count", "rounded"), VECTORS["padme"])
def test_padme_of_the_vectors(count: int, rounded: int) -> None:
    assert envelope.padme(count) == rounded


@given(st.integers(1, 1 << 20))
def test_padme_costs_at_most_an_eighth(count: int) -> None:
    rounded = envelope.padme(count)
    assert count <= rounded <= count * 1.125 + 1
    assert envelope.padme(rounded) == rounded
