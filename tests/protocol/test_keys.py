"""Keys: the exact set of accepted signatures, secrets out of sight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import keys
from appliance.protocol.keys import SigningKey

FOLDER = Path(__file__).parents[1] / "vectors"
SIGNATURES = json.loads((FOLDER / "signatures.json").read_text())
KEYS = json.loads((FOLDER / "keys.json").read_text())


@pytest.mark.parametrize("case", SIGNATURES["signed"])
def test_signatures_of_the_vectors(case: dict[str, str]) -> None:
    key, message = SigningKey(bytes.fromhex(case["seed"])), bytes.fromhex(case["message"])
    assert key.public.hex() == case["public"]
    assert key.sign(case["context"], message).hex() == case["signature"]
    keys.verify(key.public, bytes.fromhex(case["signature"]), case["context"], message)


@pytest.mark.parametrize("case", SIGNATURES["refused"], ids=lambda case: case["why"])
def test_signatures_that_must_be_refused(case: dict[str, str]) -> None:
    public, signature, message = (bytes.fromhex(case[name]) for name in ("public", "signature", "message"))
    with pytest.raises(Refusal, match="signature"):
        keys.verify(public, signature, "vector", message)


@given(st.binary(max_size=80), st.integers(0, 511))
def test_any_flipped_bit_is_refused(message: bytes, bit: int) -> None:
    key = SigningKey(bytes(32))
    signature = bytearray(key.sign("test", message))
    keys.verify(key.public, bytes(signature), "test", message)
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Refusal, match="signature"):
        keys.verify(key.public, bytes(signature), "test", message)


@given(st.binary(max_size=70), st.binary(max_size=70))
def test_any_bytes_end_in_a_refusal(public: bytes, signature: bytes) -> None:
    with pytest.raises(Refusal, match="signature"):
        keys.verify(public, signature, "test", b"")


def test_contexts_cannot_be_shifted() -> None:
    key = SigningKey(bytes(32))
    with pytest.raises(Refusal, match="signature"):
        keys.verify(key.public, key.sign("ab", b"c"), "a", b"bc")


@pytest.mark.parametrize("case", KEYS["hkdf"])
def test_hkdf_of_the_vectors(case: dict[str, Any]) -> None:
    secret, salt, info = (bytes.fromhex(case[name]) for name in ("secret", "salt", "info"))
    assert keys.hkdf(secret, salt, info, case["length"]).hex() == case["output"]


def test_hkdf_of_the_standard() -> None:
    """RFC 5869, test case 1."""
    output = keys.hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    assert output.hex().startswith("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")


def test_agreement_refuses_points_of_low_order() -> None:
    with pytest.raises(ValueError, match="shared"):
        keys.agree(b"\1" * 32, bytes(32))


def test_secrets_stay_out_of_repr() -> None:
    key = SigningKey(bytes(range(32)))
    assert key.seed.hex()[:8] not in repr(key) + str(key)
    assert not hasattr(key, "__dict__")
