"""Sessions: which envelope, which size, and when first envelopes end."""

from __future__ import annotations

import pytest

from appliance.errors import Refusal
from appliance.protocol import first, session
from appliance.protocol.envelope import SIZES
from tests.protocol.parties import Someone, acquainted, carry


@pytest.mark.parametrize(
    ("octets", "small", "size"),
    [
        (0, True, 960),
        (838, True, 960),
        (839, True, 4032),
        (0, False, 4032),
        (3910, False, 4032),
        (3911, False, 16320),
        (3911, True, 16320),
        (16_198, False, 16320),
    ],
)
def test_the_class_of_a_payload(octets: int, small: bool, size: int) -> None:
    assert session.class_of(octets, small) == size
    ada, to_bob, bob, to_ada = acquainted()
    sealed = ada.seal(to_bob, b"\x80" * octets, small)
    assert len(sealed.envelope) == size
    found = bob.open(to_ada, sealed.envelope)
    assert found and found[1] == b"\x80" * octets


def test_the_capacity_of_each_class() -> None:
    assert [session.room(size) for size in SIZES] == [838, 1862, 3910, 16_198]
    with pytest.raises(Refusal, match="wrong_size"):
        session.class_of(16_199, False)


def test_first_envelopes_go_on_until_an_answer_came() -> None:
    ada, bob = Someone("ada"), Someone("bob")
    to_bob, to_ada = ada.begin(ada.know(bob), bob, bob.give(1)), bob.know(ada)
    for at in range(3):
        sealed = ada.seal(to_bob, b"%d" % at)
        assert first.open_envelope(bob.own, sealed.envelope, bob.lasting.issued_hour)
        to_bob, to_ada = carry(ada, to_bob, bob, to_ada, b"hello")
    assert to_bob.sessions[0].initiation
    to_ada, to_bob = carry(bob, to_ada, ada, to_bob, b"hello yourself")
    assert to_bob.sessions[0].initiation is None
    sealed = ada.seal(to_bob, b"in session")
    assert first.open_envelope(bob.own, sealed.envelope, bob.lasting.issued_hour) is None


@pytest.mark.parametrize("size", first.SIZES)
def test_a_first_envelope_takes_what_is_promised(size: int) -> None:
    """Whatever the name: 32 letters here, the longest."""
    ada, bob = Someone("a" * 32), Someone("bob")
    to_bob, to_ada = ada.begin(ada.know(bob), bob, bob.give((1 << 32) - 1)), bob.know(ada)
    sealed = ada.seal(to_bob, b"\x80" * first.ROOM[size])
    assert len(sealed.envelope) == size
    found = bob.open(to_ada, sealed.envelope)
    assert found and found[1] == b"\x80" * first.ROOM[size]


def test_a_payload_too_long_for_a_first_envelope_changes_nothing() -> None:
    ada, bob = Someone("ada"), Someone("bob")
    to_bob = ada.begin(ada.know(bob), bob)
    with pytest.raises(Refusal, match="wrong_size"):
        ada.seal(to_bob, bytes(16_000))
    assert to_bob.sessions[0].ratchet.sent == 0
