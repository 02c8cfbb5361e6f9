"""First envelopes: who opens one, what is in it, and what must not be."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import codec, first, peer
from appliance.protocol.envelope import SIZES
from tests.protocol.parties import HOUR, Someone
from tests.vectors.checks import check_first

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "first.json").read_text())
ADA, BOB, EVE = Someone("ada"), Someone("bob"), Someone("eve")
TO_BOB = ADA.begin(ADA.know(BOB), BOB)
WHOLE = ADA.seal(TO_BOB, b"hello").envelope


def test_vectors() -> None:
    check_first(VECTORS)


def test_only_the_recipient_opens_it_and_learns_who_sent_it() -> None:
    opened = first.open_envelope(BOB.own, WHOLE, HOUR)
    assert opened and opened.certificate.name == "ada"
    assert opened.certificate.identity == ADA.identity.public
    assert first.open_envelope(EVE.own, WHOLE, HOUR) is None
    assert first.open_envelope(ADA.own, WHOLE, HOUR) is None


def test_nothing_of_the_sender_is_to_be_seen() -> None:
    initiation = TO_BOB.sessions[0].initiation
    assert initiation
    for part in (ADA.identity.public, ADA.party.agreement, ADA.own.device, initiation.ephemeral, b"ada"):
        assert part not in WHOLE


def test_the_top_bit_of_the_key_is_noise() -> None:
    """Of 64 envelopes about half have it set; all open."""
    tops = []
    for _ in range(64):
        sealed = ADA.seal(TO_BOB, b"hello")
        assert first.open_envelope(BOB.own, sealed.envelope, HOUR)
        tops.append(sealed.envelope[32] >> 7)
    assert 8 < sum(tops) < 56


@given(st.integers(0, 8 * 4032 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    changed = bytearray(WHOLE)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        assert first.open_envelope(BOB.own, bytes(changed), HOUR) is None
    except Refusal as error:
        assert error.code == "unknown_version" and bit < 8


@pytest.mark.parametrize("size", SIZES)
def test_any_block_is_for_nobody(size: int) -> None:
    assert first.open_envelope(BOB.own, b"\1" + ADA.fresh(size - 1), HOUR) is None
    assert first.open_envelope(BOB.own, b"\1" + bytes(size - 1), HOUR) is None


def test_the_certificate_counts() -> None:
    """An expired one, another's, and one that is none: the layer opens, the message is refused."""
    with pytest.raises(Refusal, match="bad_message") as caught:
        first.open_envelope(BOB.own, WHOLE, HOUR + 200)
    assert caught.value.details == {"reason": "expired"}
    initiation = TO_BOB.sessions[0].initiation
    assert initiation
    for certificate in (b"", bytes(64), ADA.certificate[:-1] + b"\0", bytes(513)):
        sealed = first.seal(BOB.party.agreement, certificate, initiation, b"x" * 130, ADA.fresh(32))
        with pytest.raises(Refusal, match="bad_message"):
            first.open_envelope(BOB.own, sealed, HOUR)


def test_eve_cannot_use_adas_certificate_for_a_session_of_her_own() -> None:
    to_bob = EVE.begin(EVE.know(BOB), BOB)
    sealed = peer.seal(to_bob, ADA.certificate, b"I am Ada", False, EVE.fresh(80))
    opened = first.open_envelope(BOB.own, sealed.envelope, HOUR)
    assert opened and opened.certificate.name == "ada"
    with pytest.raises(Refusal, match="bad_message"):
        peer.accept(BOB.own, opened, [BOB.lasting], {}, None, HOUR, BOB.fresh(32))


def test_bob_cannot_pass_a_first_message_on_as_if_to_eve() -> None:
    opened = first.open_envelope(BOB.own, WHOLE, HOUR)
    assert opened
    passed = first.seal(
        EVE.party.agreement, ADA.certificate, opened.initiation, opened.message, BOB.fresh(32)
    )
    again = first.open_envelope(EVE.own, passed, HOUR)
    assert again
    with pytest.raises(Refusal, match="bad_message"):
        peer.accept(EVE.own, again, [EVE.lasting], {}, None, HOUR, EVE.fresh(32))


def test_what_the_layer_hides_must_be_an_initial() -> None:
    initiation = TO_BOB.sessions[0].initiation
    assert initiation
    for changes in ({"prekey_id": 0}, {"ephemeral": b""}, {"kem_ciphertext": b""}, {"one_time_id": -1}):
        broken = msgspec.structs.replace(initiation, **changes)
        sealed = first.seal(BOB.party.agreement, ADA.certificate, broken, b"x" * 130, ADA.fresh(32))
        with pytest.raises(Refusal, match="bad_message"):
            first.open_envelope(BOB.own, sealed, HOUR)


def test_a_recipient_key_of_low_order_is_refused() -> None:
    initiation = TO_BOB.sessions[0].initiation
    assert initiation and codec.encode(initiation)
    with pytest.raises(Refusal, match="bad_bundle"):
        first.seal(bytes(32), ADA.certificate, initiation, b"x" * 130, ADA.fresh(32))
