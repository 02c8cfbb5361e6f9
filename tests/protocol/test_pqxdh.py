"""PQXDH: the vectors, and that every input counts."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from appliance.errors import Refusal
from appliance.protocol import pqxdh, prekeys
from tests.protocol.parties import Someone
from tests.vectors.checks import check_pqxdh

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "pqxdh.json").read_text())
ADA, BOB = Someone("ada"), Someone("bob")
ONE_TIME = BOB.give(1)
SECRET = BOB.one_time[1]


def test_vectors() -> None:
    check_pqxdh(VECTORS)


def begun(with_one_time: bool) -> tuple[pqxdh.Agreed, pqxdh.Initiation]:
    """Ada's side."""
    once = ONE_TIME if with_one_time else None
    bundle = BOB.bundle()
    kem = pqxdh.encapsulate(pqxdh.kem_key(bundle, once))
    return pqxdh.initiate(ADA.own, BOB.party, bundle, once, ADA.fresh(32), kem)


@pytest.mark.parametrize("with_one_time", [True, False])
def test_both_sides_agree_and_every_input_counts(with_one_time: bool) -> None:
    agreed, initiation = begun(with_one_time)
    secret = SECRET if with_one_time else None
    assert pqxdh.respond(BOB.own, ADA.party, BOB.lasting, secret, initiation) == agreed
    replace, other = msgspec.structs.replace, Someone("other")
    attempts = [
        (replace(BOB.own, agreement=other.own.agreement), ADA.party, BOB.lasting, secret, initiation),
        (replace(BOB.own, identity=bytes(32)), ADA.party, BOB.lasting, secret, initiation),
        (replace(BOB.own, device=bytes(16)), ADA.party, BOB.lasting, secret, initiation),
        (BOB.own, replace(ADA.party, identity=bytes(32)), BOB.lasting, secret, initiation),
        (BOB.own, replace(ADA.party, device=bytes(16)), BOB.lasting, secret, initiation),
        (BOB.own, other.party, BOB.lasting, secret, initiation),
        (BOB.own, ADA.party, other.lasting, secret, initiation),
        (BOB.own, ADA.party, BOB.lasting, None if secret else SECRET, initiation),
        (BOB.own, ADA.party, BOB.lasting, secret, replace(initiation, ephemeral=other.party.agreement)),
        (BOB.own, ADA.party, BOB.lasting, secret, replace(initiation, kem_ciphertext=bytes(1088))),
        (BOB.own, ADA.party, BOB.lasting, secret, replace(initiation, prekey_id=2)),
        (BOB.own, ADA.party, BOB.lasting, secret, replace(initiation, one_time_id=9)),
    ]
    for attempt in attempts:
        found = pqxdh.respond(*attempt)
        assert (found.root, found.associated) != (agreed.root, agreed.associated)


def test_the_five_keys_differ() -> None:
    agreed, _ = begun(True)
    assert len(set(msgspec.structs.astuple(agreed))) == 6
    assert repr(agreed) == "<Agreed>"


def test_keys_of_low_order_are_refused_on_both_sides() -> None:
    bundle = BOB.bundle()
    kem = pqxdh.encapsulate(bundle.kem)
    replace = msgspec.structs.replace
    for party, shown, once in (
        (replace(BOB.party, agreement=bytes(32)), bundle, None),
        (BOB.party, replace(bundle, prekey=bytes(32)), None),
        (BOB.party, bundle, replace(ONE_TIME, key=bytes(32))),
    ):
        with pytest.raises(Refusal, match="bad_bundle"):
            pqxdh.initiate(ADA.own, party, shown, once, ADA.fresh(32), kem)
    _, initiation = begun(True)
    for party, given in (
        (replace(ADA.party, agreement=bytes(32)), initiation),
        (ADA.party, replace(initiation, ephemeral=bytes(32))),
    ):
        with pytest.raises(Refusal, match="bad_message"):
            pqxdh.respond(BOB.own, party, BOB.lasting, SECRET, given)


def test_what_is_no_kem_key_is_refused() -> None:
    with pytest.raises(Refusal, match="bad_bundle"):
        pqxdh.encapsulate(b"\xff" * 1184)


def test_the_session_rests_on_the_kem_also_without_a_one_time_prekey() -> None:
    """Another KEM secret under the same X25519 keys gives another root."""
    bundle, seed = BOB.bundle(), bytes(range(32))
    one, other = pqxdh.encapsulate(bundle.kem), pqxdh.encapsulate(bundle.kem)
    first, _ = pqxdh.initiate(ADA.own, BOB.party, bundle, None, seed, one)
    second, _ = pqxdh.initiate(ADA.own, BOB.party, bundle, None, seed, other)
    assert first.root != second.root and first.associated == second.associated
    assert prekeys.kem_public(BOB.lasting.kem) == bundle.kem
