"""Sealing: only the recipient opens, only the named sender can have sealed, nothing can be changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import keys, sealing
from appliance.protocol.envelope import SIZES, pad
from appliance.protocol.keys import SealingKey, SigningKey
from appliance.protocol.sealing import SealRandomness

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = json.loads((FOLDER / "sealing.json").read_text())
SEEDS = json.loads((FOLDER / "keys.json").read_text())["sealing"]

ALICE = SigningKey(bytes.fromhex(VECTORS["sender_seed"]))
BOB = SigningKey(bytes.fromhex(VECTORS["identity_seed"]))
BOB_SEALING = SealingKey(bytes.fromhex(SEEDS["x25519_seed"]), bytes.fromhex(SEEDS["kem_seed"]))
OTHER = SealingKey(b"\7" * 32, b"\7" * 64)


def seal(payload: bytes, sender: SigningKey = ALICE, size: int | None = None) -> bytes:
    """An envelope to Bob with fresh KEM coins."""
    randomness = sealing.draw(BOB_SEALING.public, b"\5" * 32)
    return sealing.seal(BOB_SEALING.public, BOB.public, sender, payload, randomness, size)


@pytest.mark.parametrize("case", VECTORS["sealed"], ids=lambda case: str(case["size"]))
def test_envelopes_of_the_vectors(case: dict[str, Any]) -> None:
    whole, payload = bytes.fromhex(case["envelope"]), bytes.fromhex(case["payload"])
    randomness = SealRandomness(
        bytes.fromhex(case["ephemeral"]), bytes.fromhex(case["kem_secret"]), whole[33 : 33 + 1088]
    )
    made = sealing.seal(BOB_SEALING.public, BOB.public, ALICE, payload, randomness, case["size"])
    assert made == whole and len(whole) == case["size"]
    opened = sealing.open_envelope(BOB_SEALING, BOB.public, whole)
    assert (opened.sender, opened.payload) == (ALICE.public, payload)


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_envelopes_that_must_not_open(case: dict[str, str]) -> None:
    with pytest.raises(Refusal, match=case["code"]):
        sealing.open_envelope(BOB_SEALING, BOB.public, bytes.fromhex(case["envelope"]))


def test_capacity_is_that_of_the_vectors() -> None:
    assert {str(size): sealing.capacity(size) for size in SIZES[1:]} == VECTORS["capacity"]
    for size in (SIZES[0], 1000, 0, 1 << 20):
        with pytest.raises(Refusal, match="wrong_size"):
            sealing.capacity(size)


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_class_takes_exactly_its_capacity(size: int) -> None:
    room = sealing.capacity(size)
    whole = seal(b"\x80" * room)
    assert len(whole) == size
    assert sealing.open_envelope(BOB_SEALING, BOB.public, whole).payload == b"\x80" * room
    with pytest.raises(Refusal, match="wrong_size"):
        seal(bytes(room + 1), size=size)


@given(st.binary(max_size=3000))
def test_round_trip(payload: bytes) -> None:
    whole = seal(payload)
    assert len(whole) in SIZES
    assert sealing.open_envelope(BOB_SEALING, BOB.public, whole).payload == payload


def test_nobody_else_opens() -> None:
    whole = seal(b"for Bob")
    for key, identity in ((OTHER, BOB.public), (BOB_SEALING, ALICE.public)):
        with pytest.raises(Refusal, match="not_opened"):
            sealing.open_envelope(key, identity, whole)


@given(st.integers(0, 8 * 1984 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    whole = bytearray(seal(b"hello"))
    whole[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Refusal, match=r"not_opened|unknown_version"):
        sealing.open_envelope(BOB_SEALING, BOB.public, bytes(whole))


@given(st.sampled_from(SIZES), st.randoms(use_true_random=False))
def test_any_block_is_refused(size: int, random: Any) -> None:
    with pytest.raises(Refusal, match=r"not_opened|unknown_version"):
        sealing.open_envelope(BOB_SEALING, BOB.public, random.randbytes(size))


def test_a_recipient_cannot_pass_a_payload_on_as_the_senders() -> None:
    """Bob opens what Alice sealed and seals her signature again to somebody else: it does not open."""
    whole = seal(b"hello")
    head = whole[:1121]
    carol, carol_sealing = SigningKey(b"\3" * 32), OTHER
    randomness = sealing.draw(carol_sealing.public, b"\6" * 32)
    ephemeral, agreed = keys.agree(randomness.ephemeral, carol_sealing.public.x25519)
    new_head = b"\1" + ephemeral + randomness.kem_ciphertext
    stolen = ALICE.sign("seal", BOB.public + head + b"hello")
    inside = pad(ALICE.public + stolen + b"hello", 1984 - 1121 - 16)
    key = sealing._key(carol_sealing.public, carol.public, new_head, randomness.kem_secret, agreed)
    forged = new_head + sealing.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        inside, new_head, bytes(24), key
    )
    with pytest.raises(Refusal, match="not_opened"):
        sealing.open_envelope(carol_sealing, carol.public, forged)


def test_both_secrets_are_needed() -> None:
    """A wrong KEM secret, or a wrong X25519 one, alone closes the envelope."""
    fresh = sealing.draw(BOB_SEALING.public, b"\5" * 32)
    wrong_kem = SealRandomness(fresh.ephemeral, bytes(32), fresh.kem_ciphertext)
    whole = sealing.seal(BOB_SEALING.public, BOB.public, ALICE, b"", wrong_kem)
    with pytest.raises(Refusal, match="not_opened"):
        sealing.open_envelope(BOB_SEALING, BOB.public, whole)
    half = keys.SealingPublic(OTHER.public.x25519, BOB_SEALING.public.kem)
    whole = sealing.seal(half, BOB.public, ALICE, b"", sealing.draw(half, b"\5" * 32))
    with pytest.raises(Refusal, match="not_opened"):
        sealing.open_envelope(BOB_SEALING, BOB.public, whole)


def test_a_recipient_key_of_low_order_is_refused() -> None:
    broken = keys.SealingPublic(bytes(32), BOB_SEALING.public.kem)
    with pytest.raises(Refusal, match="malformed"):
        sealing.seal(broken, BOB.public, ALICE, b"", sealing.draw(broken, b"\5" * 32))


def test_secrets_stay_out_of_repr() -> None:
    randomness = sealing.draw(BOB_SEALING.public, b"\5" * 32)
    opened = sealing.open_envelope(BOB_SEALING, BOB.public, seal(b"hello"))
    assert "05" not in repr(randomness) and "hello" not in repr(opened)
