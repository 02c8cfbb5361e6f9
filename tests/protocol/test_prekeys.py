"""Entries, bundles and prekeys: the vectors, and what follows what."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from appliance.errors import Refusal
from appliance.protocol import codec, prekeys
from appliance.protocol.directory import MAX_ENTRY_OCTETS, Entry
from tests.protocol.parties import BOX, HOUR, Someone
from tests.vectors.checks import check_prekeys

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "prekeys.json").read_text())
ADA = Someone("ada")
ENTRY = Entry(
    version=1,
    name="ada",
    onion=BOX.public,
    identity=ADA.identity.public,
    revision=1,
    issued_hour=HOUR,
    devices=[ADA.device],
)


def test_vectors() -> None:
    check_prekeys(VECTORS)


def test_an_entry_is_checked_against_what_was_asked_and_remembered() -> None:
    prekeys.check_entry(ENTRY, "ada", BOX.public)
    prekeys.check_entry(ENTRY, "ada", BOX.public, ADA.identity.public)
    for name, onion, identity in (
        ("bob", BOX.public, None),
        ("ada", ADA.identity.public, None),
        ("ada", BOX.public, BOX.public),
    ):
        with pytest.raises(Refusal, match="bad_entry"):
            prekeys.check_entry(ENTRY, name, onion, identity)


def test_an_entry_older_than_the_one_remembered_is_refused() -> None:
    second = msgspec.structs.replace(ENTRY, revision=2)
    prekeys.check_entry(second, "ada", BOX.public, ADA.identity.public, revision=2)
    with pytest.raises(Refusal, match="old_entry"):
        prekeys.check_entry(ENTRY, "ada", BOX.public, ADA.identity.public, revision=2)


def test_entries_follow_one_by_one_and_never_change_hands() -> None:
    second = msgspec.structs.replace(ENTRY, revision=2)
    prekeys.follows(ENTRY, None)
    prekeys.follows(second, ENTRY)
    for new, old, code in (
        (second, None, "bad_entry"),
        (ENTRY, ENTRY, "old_entry"),
        (ENTRY, second, "old_entry"),
        (msgspec.structs.replace(ENTRY, revision=3), ENTRY, "old_entry"),
        (msgspec.structs.replace(second, identity=BOX.public), ENTRY, "bad_entry"),
        (msgspec.structs.replace(second, name="eve"), ENTRY, "bad_entry"),
        (msgspec.structs.replace(second, onion=ADA.signing.public), ENTRY, "bad_entry"),
    ):
        with pytest.raises(Refusal, match=code):
            prekeys.follows(new, old)


def test_what_nobody_could_read_is_not_signed() -> None:
    with pytest.raises(Refusal, match="bad_entry"):
        prekeys.sign_entry(ADA.identity, msgspec.structs.replace(ENTRY, devices=[ADA.device] * 2))
    with pytest.raises(Refusal, match="bad_entry"):
        prekeys.sign_entry(ADA.signing, ENTRY)


def test_the_largest_entry_fits() -> None:
    devices = [Someone(f"device {at}").device for at in range(16)]
    largest = msgspec.structs.replace(ENTRY, name="a" * 32, revision=2**63, devices=devices)
    assert len(prekeys.sign_entry(ADA.identity, largest)) <= MAX_ENTRY_OCTETS


def test_a_bundle_of_another_device_of_the_same_person_is_refused() -> None:
    """Each device signs for itself only."""
    other = Someone("other")
    entry = msgspec.structs.replace(ENTRY, devices=[ADA.device, other.device])
    bundle = msgspec.structs.replace(ADA.bundle(), device=other.own.device)
    with pytest.raises(Refusal, match="bad_bundle"):
        prekeys.read_bundle(prekeys.sign_bundle(ADA.signing, bundle), entry)


def test_a_one_time_prekey_without_a_kem_key_is_refused() -> None:
    broken = msgspec.structs.replace(ADA.give(1), kem=b"\xff" * 1184)
    body = codec.encode([ADA.own.device, broken.id, broken.key, broken.kem])
    signed = msgspec.structs.replace(broken, signature=ADA.signing.sign("prekey", body))
    with pytest.raises(Refusal, match="bad_bundle"):
        prekeys.check_one_time(signed, ADA.device)


def test_secrets_stay_out_of_repr() -> None:
    assert repr(ADA.lasting) == "<LastingSecret>"
    assert repr(prekeys.one_time(1, bytes(96))) == "<OneTimeSecret>"
