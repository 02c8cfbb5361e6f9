"""Address cards: signed by the address they name, readable as text, nothing deceptive in them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import card
from appliance.protocol.card import Card, Route
from appliance.protocol.keys import SealingKey, SigningKey

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "card.json").read_text())
SIGNED = bytes.fromhex(VECTORS["signed"])
BOB = SigningKey(bytes.fromhex(VECTORS["seed"]))
CARD = card.read_card(SIGNED)


def test_the_card_of_the_vectors() -> None:
    assert CARD.identity == BOB.public and len(CARD.routes) == 2
    assert card.sign_card(BOB, CARD) == SIGNED
    assert card.card_text(SIGNED) == VECTORS["text"]
    assert card.parse_card_text(VECTORS["text"]) == SIGNED
    assert card.fingerprint(CARD.identity) == VECTORS["fingerprint"]


@pytest.mark.parametrize("text", VECTORS["same_text"])
def test_letter_case_and_white_space_do_not_matter(text: str) -> None:
    assert card.parse_card_text(text) == SIGNED


@pytest.mark.parametrize("text", VECTORS["refused_text"])
def test_texts_that_must_be_refused(text: str) -> None:
    with pytest.raises(Refusal, match="bad_card"):
        card.read_card(card.parse_card_text(text))


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_cards_that_must_be_refused(case: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="bad_card"):
        card.read_card(bytes.fromhex(case["signed"]))


def test_a_newer_card_says_so() -> None:
    with pytest.raises(Refusal, match="unknown_version"):
        card.read_card(bytes.fromhex(VECTORS["newer"]))


def test_nobody_signs_a_card_others_would_refuse() -> None:
    for key, value in (
        (SigningKey(bytes(32)), CARD),
        (BOB, msgspec.structs.replace(CARD, name="a\tb")),
        (BOB, msgspec.structs.replace(CARD, routes=CARD.routes * 5)),
    ):
        with pytest.raises(Refusal, match="bad_card"):
            card.sign_card(key, value)


@given(st.integers(0, len(SIGNED) * 8 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    changed = bytearray(SIGNED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Refusal, match=r"bad_card|unknown_version"):
        card.read_card(bytes(changed))


@given(st.text(max_size=80))
def test_any_text_ends_in_a_refusal(text: str) -> None:
    for candidate in (text, "ISLAND:" + text):
        with pytest.raises(Refusal, match="bad_card"):
            card.read_card(card.parse_card_text(candidate))


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_refusal(data: bytes) -> None:
    for candidate in (data, SIGNED[:64] + data):
        with pytest.raises(Refusal, match=r"bad_card|unknown_version"):
            card.read_card(candidate)


def test_the_largest_card_is_within_its_bound_and_a_qr_code() -> None:
    sealing = SealingKey(bytes(32), bytes(64)).public
    route = Route(BOB.public, b"\xff" * 20, b"\xff" * 32)
    largest = Card(card.VERSION, BOB.public, "𐅑" * 64, sealing, [route] * card.MAX_ROUTES, 2**32 - 1)
    signed = card.sign_card(BOB, largest)
    assert card.read_card(signed) == largest
    assert len(signed) <= card.MAX_CARD
    assert len(card.card_text(signed)) <= 4296  # version 40-L, alphanumeric


def test_capabilities_stay_out_of_repr() -> None:
    assert CARD.routes[0].capability.hex()[:8] not in repr(CARD) + repr(CARD.routes)
    assert repr(CARD.routes[0].capability) not in repr(CARD)
