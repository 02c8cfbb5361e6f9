"""Onion addresses: the vectors, and nothing that is almost an address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.keys import SigningKey

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "onion.json").read_text())


@pytest.mark.parametrize("case", VECTORS["addresses"])
def test_addresses_of_the_vectors(case: dict[str, str]) -> None:
    key = SigningKey(bytes.fromhex(case["seed"]))
    assert key.public.hex() == case["public"]
    assert onion.address(key.public) == case["address"]
    assert onion.public_key(case["address"]) == key.public
    assert onion.expanded_key(key.seed).hex() == case["expanded"]


def test_a_known_service() -> None:
    """The Tor Project's own address, so that our vectors are not only our own word."""
    address = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
    assert onion.address(onion.public_key(address)) == address


def test_letter_case_does_not_matter() -> None:
    case = VECTORS["upper_case"]
    assert onion.public_key(case["address"]).hex() == case["public"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_what_is_no_address(case: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="bad_address"):
        onion.public_key(case["address"])


@given(st.text(max_size=70) | st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=56, max_size=56))
def test_any_text_ends_in_a_refusal(text: str) -> None:
    for address in (text, text + ".onion"):
        with pytest.raises(Refusal, match="bad_address"):
            onion.public_key(address)


@given(st.binary(min_size=32, max_size=32))
def test_round_trip(seed: bytes) -> None:
    public = SigningKey(seed).public
    assert onion.public_key(onion.address(public)) == public
