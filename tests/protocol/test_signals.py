"""Signals: the vectors, and that a sign says nothing to anybody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import first, peer, signals
from appliance.protocol.signals import Sign
from tests.protocol.parties import HOUR, Someone, acquainted
from tests.vectors.checks import check_signals

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "signals.json").read_text())
ADA, TO_BOB, BOB, TO_ADA = acquainted()
SIGNAL = signals.seal(TO_BOB, Sign("typing", 1000), ADA.fresh(24))


def test_vectors() -> None:
    check_signals(VECTORS)


def test_signals_and_messages_are_not_taken_for_each_other() -> None:
    assert signals.open_envelope(TO_ADA, SIGNAL, 1000) == Sign("typing", 1000)
    assert peer.open_envelope(TO_ADA, SIGNAL, HOUR, BOB.fresh(32)) is None
    assert first.open_envelope(BOB.own, SIGNAL, HOUR) is None
    message = ADA.seal(TO_BOB, b"read", small=True).envelope
    assert len(message) == len(SIGNAL)
    assert signals.open_envelope(TO_ADA, message, 1000) is None


def test_older_sessions_still_hear_signals() -> None:
    newer = BOB.begin(TO_ADA, ADA)
    assert signals.open_envelope(newer, SIGNAL, 1000) == Sign("typing", 1000)


def test_without_a_session_there_is_no_signal() -> None:
    with pytest.raises(Refusal, match="wrong_state"):
        signals.seal(ADA.know(Someone("carol")), Sign("here", 1), bytes(24))
    assert signals.open_envelope(ADA.know(BOB), SIGNAL, 1000) is None


@given(st.integers(8, 8 * 960 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    changed = bytearray(SIGNAL)
    changed[bit // 8] ^= 1 << bit % 8
    assert signals.open_envelope(TO_ADA, bytes(changed), 1000) is None
