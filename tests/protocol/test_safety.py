"""Safety numbers: the vectors, and that they are the same from both sides and only for these two."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from appliance.protocol import safety
from tests.vectors.checks import check_safety

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "safety.json").read_text())
KEYS = st.binary(min_size=32, max_size=32)


def test_vectors() -> None:
    check_safety(VECTORS)


@given(KEYS, KEYS, KEYS)
def test_both_sides_agree_and_a_third_does_not(one: bytes, other: bytes, third: bytes) -> None:
    assert safety.digits(one, other) == safety.digits(other, one)
    assert len(safety.digits(one, other)) == 12
    assert safety.matches(safety.code(one, other), other, one)
    if third not in (one, other):
        assert not safety.matches(safety.code(one, third), one, other)
        assert safety.digits(one, third) != safety.digits(one, other)


@given(st.text(max_size=200))
def test_any_scanned_text_is_compared_without_error(text: str) -> None:
    assert not safety.matches(text, bytes(32), b"\1" * 32)
