"""Vault records: the vectors, sizes, and records in another's place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import record
from appliance.protocol.vault import MAX_RECORD
from tests.vectors.checks import check_record

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "record.json").read_text())
KEYS = record.VaultKeys(bytes(32))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**64 - 1) | st.text(max_size=8) | st.binary(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def test_vectors() -> None:
    check_record(VECTORS)


@given(VALUES, st.integers(1, 2**64 - 1))
def test_round_trip(value: object, version: int) -> None:
    ident = KEYS.id("x")
    data = KEYS.seal(ident, version, value, bytes(12))
    assert KEYS.open(ident, version, data) == value
    with pytest.raises(Refusal, match="not_opened"):
        KEYS.open(ident, version - 1, data)


@given(st.integers(0, 100_000))
def test_padding_hides_all_but_the_magnitude(octets: int) -> None:
    padded = record.padded_size(octets)
    assert octets < padded <= max(64, (octets + 1) * 1.125)


def test_another_vault_opens_nothing_and_knows_other_ids() -> None:
    other = record.VaultKeys(b"\1" * 32)
    data = KEYS.seal(KEYS.id("x"), 1, "secret", bytes(12))
    assert other.id("x") != KEYS.id("x") and repr(other) == "<VaultKeys>"
    with pytest.raises(Refusal, match="not_opened"):
        other.open(KEYS.id("x"), 1, data)


def test_a_value_larger_than_a_record_is_refused() -> None:
    assert len(KEYS.seal(bytes(16), 1, bytes(250_000), bytes(12))) <= MAX_RECORD
    with pytest.raises(Refusal, match="too_large"):
        KEYS.seal(bytes(16), 1, bytes(MAX_RECORD), bytes(12))


def test_no_bit_can_be_changed() -> None:
    data = KEYS.seal(bytes(16), 1, "x", bytes(12))
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Refusal, match=r"not_opened|unknown_version"):
            KEYS.open(bytes(16), 1, bytes(changed))
