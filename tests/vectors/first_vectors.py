"""Vectors of first envelopes: one that opens, and ones that must not, or not so."""

from __future__ import annotations

from typing import Any

from nacl import bindings
from people import ALICE, BOB, HOUR, Vectors, own_device, seed
from session_vectors import CERTIFICATES, B, Meeting

from appliance.protocol import codec, first, keys, pqxdh
from appliance.protocol.envelope import pad


def layer(body: bytes, size: int = 4032, mark: bool = True) -> bytes:
    """The outer layer to Bob's phone around any octets."""
    once, agreement = seed("layer"), pqxdh.party_of(B).agreement
    public, agreed = keys.agree(once, agreement)
    key = keys.hkdf(agreed, b"", keys.domain("first") + public + agreement, 32)
    inside = pad(body, size - 49) if mark else body + bytes(size - 49 - len(body))
    head = b"\1" + public
    return head + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(inside, head, bytes(24), key)


def first_vectors() -> Vectors:
    """What Bob's phone says to each; code null: it is not for this device."""
    talk = Meeting("first")
    talk.begin("a")
    good = talk.envelopes[talk.send("a", "hello")]
    initiation = talk.peers["a"].sessions[0].initiation
    assert initiation
    known = first.open_envelope(B, good, HOUR)
    assert known
    fields: dict[str, Any] = {
        "certificate": CERTIFICATES["a"],
        "ephemeral": initiation.ephemeral,
        "prekey_id": initiation.prekey_id,
        "one_time_id": 0,
        "kem_ciphertext": initiation.kem_ciphertext,
        "message": known.message,
    }

    def inside(**changes: Any) -> bytes:
        return layer(codec.encode(fields | changes))

    body = CERTIFICATES["a"][64:]
    forged = BOB.sign("sender", body) + body
    other_context = ALICE.sign("entry", body) + body
    refused = [
        ("certificate expired", "bad_message", good, HOUR + 170),
        ("certificate of the future", "bad_message", good, HOUR - 25),
        ("certificate signed by another", "bad_message", inside(certificate=forged), HOUR),
        ("certificate in another context", "bad_message", inside(certificate=other_context), HOUR),
        ("no certificate", "bad_message", inside(certificate=b""), HOUR),
        ("certificate too long", "bad_message", inside(certificate=bytes(513)), HOUR),
        ("prekey id 0", "bad_message", inside(prekey_id=0), HOUR),
        ("KEM ciphertext cut", "bad_message", inside(kem_ciphertext=bytes(1087)), HOUR),
        ("ephemeral key cut", "bad_message", inside(ephemeral=bytes(31)), HOUR),
        ("unknown field", "bad_message", inside(more=1), HOUR),
        ("not CBOR", "bad_message", layer(b"\xff"), HOUR),
        ("no mark of padding", "bad_message", layer(b"", mark=False), HOUR),
        ("for another device", None, first_to_other(initiation), HOUR),
        ("top bit changed", None, good[:32] + bytes((good[32] ^ 0x80,)) + good[33:], HOUR),
        ("key of low order", None, b"\1" + bytes(32) + good[33:], HOUR),
        ("content changed", None, good[:-1] + bytes((good[-1] ^ 1,)), HOUR),
        ("smaller class", None, good[:1984], HOUR),
        ("no class", "wrong_size", good[:-1], HOUR),
        ("newer", "unknown_version", b"\2" + good[1:], HOUR),
    ]
    return {
        "about": "Opened by `own` (peer.json's b) at `hour`. code null: not for this device.",
        "own": codec.encode(B).hex(),
        "good": {
            "envelope": good.hex(),
            "hour": HOUR,
            "certificate": codec.encode(known.certificate).hex(),
            "initiation": codec.encode(known.initiation).hex(),
            "message": known.message.hex(),
        },
        "refused": [
            {"why": why, "code": code, "hour": hour, "envelope": data.hex()}
            for why, code, data, hour in refused
        ],
    }


def first_to_other(initiation: pqxdh.Initiation) -> bytes:
    """A first envelope to Bob's other device."""
    other = pqxdh.party_of(own_device(BOB, "bob desk"))
    return first.seal(other.agreement, CERTIFICATES["a"], initiation, bytes(200), seed("other layer"))
