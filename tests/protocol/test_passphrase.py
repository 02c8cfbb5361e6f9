"""Passphrases: the vectors, ruinous parameters, secrets in repr."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from appliance.errors import Refusal
from appliance.protocol import passphrase
from appliance.protocol.account import Kdf
from tests.vectors.checks import check_passphrase

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "passphrase.json").read_text())


def test_vectors() -> None:
    check_passphrase(VECTORS)
    composed, decomposed = VECTORS["cases"][-1], VECTORS["cases"][-2]
    assert composed["passphrase"] != decomposed["passphrase"]
    assert composed["authentication"] == decomposed["authentication"]


@pytest.mark.parametrize("changes", [{"memory_kib": (1 << 20) + 1}, {"passes": 17}, {"salt": b"short"}])
def test_a_box_cannot_ask_for_ruinous_or_broken_stretching(changes: dict[str, object]) -> None:
    kdf = msgspec.structs.replace(Kdf(bytes(16), 8, 1), **changes)
    with pytest.raises(Refusal, match="bad_setting"):
        passphrase.stretch("x", kdf)


@pytest.mark.parametrize(
    "wanted", [(19_456, 2), (65_536, 3), (47_104, 1), (12_288, 3), (9_216, 4), (7_168, 5)]
)
def test_what_is_usual_is_strong_enough(wanted: tuple[int, int]) -> None:
    passphrase.check_strength(Kdf(bytes(16), *wanted))


@pytest.mark.parametrize("wanted", [(7_167, 16), (7_168, 4), (17_919, 2), (35_839, 1), (8, 16)])
def test_what_is_cheap_to_guess_is_refused(wanted: tuple[int, int]) -> None:
    with pytest.raises(Refusal, match="weak_stretching"):
        passphrase.check_strength(Kdf(bytes(16), *wanted))


def test_the_two_keys_differ_and_stay_out_of_repr() -> None:
    keys = passphrase.stretch("x", Kdf(bytes(16), 8, 1))
    assert keys.authentication != keys.wrapping
    assert repr(keys) == "<Stretched>"


def test_no_bit_of_a_wrapped_key_can_be_changed() -> None:
    wrapped = passphrase.wrap(bytes(32), bytes(16), b"\7" * 32, bytes(24))
    for bit in range(len(wrapped) * 8):
        changed = bytearray(wrapped)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Refusal, match="not_opened"):
            passphrase.unwrap(bytes(32), bytes(16), bytes(changed))
