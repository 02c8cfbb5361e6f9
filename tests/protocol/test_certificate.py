"""Sender certificates: the vectors, and their time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol import certificate
from tests.protocol.parties import HOUR, Someone
from tests.vectors.checks import check_certificate

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "certificate.json").read_text())
SIGNED = Someone("ada").certificate


def test_vectors() -> None:
    check_certificate(VECTORS)


@pytest.mark.parametrize("hour", [HOUR - 25, HOUR + 170, 0])
def test_only_time_is_told_apart(hour: int) -> None:
    with pytest.raises(Refusal, match="bad_message") as caught:
        certificate.read(SIGNED, hour)
    assert caught.value.details == {"reason": "expired"}
    assert certificate.read(SIGNED, None) == certificate.read(SIGNED, HOUR)
    with pytest.raises(Refusal, match="bad_message") as caught:
        certificate.read(SIGNED[:-1] + bytes((SIGNED[-1] ^ 1,)), HOUR)
    assert caught.value.details == {}


def test_no_bit_can_be_changed() -> None:
    for bit in range(len(SIGNED) * 8):
        changed = bytearray(SIGNED)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Refusal, match="bad_message"):
            certificate.read(bytes(changed), HOUR)
