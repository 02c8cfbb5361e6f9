"""Vectors of the directory: entries, bundles, prekeys, certificates, and the transparency log."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from people import ALICE, BOB, BOX, HOUR, Vectors, account_device, seed, signing_of

from appliance.protocol import certificate, codec, keys, prekeys, transparency
from appliance.protocol.directory import Entry
from appliance.protocol.route import Route

PHONE = account_device("bob phone")
DESK = account_device("bob desk")
LASTING = prekeys.lasting(7, 8, HOUR, seed("bob lasting", 96))
ROUTES = [Route(BOX.public, seed("request box", 20), seed("request capability"))]


def entry(**changes: Any) -> Entry:
    """Bob's entry with two devices."""
    base = Entry(
        version=1,
        name="bob",
        onion=BOX.public,
        identity=BOB.public,
        revision=2,
        issued_hour=HOUR,
        devices=[PHONE, DESK],
    )
    return msgspec.structs.replace(base, **changes)


def signed(key: keys.SigningKey, context: str, value: Any) -> bytes:
    """A value signed without looking at it."""
    body = codec.encode(value)
    return key.sign(context, body) + body


def prekey_vectors() -> Vectors:
    """An entry, a bundle, one-time prekeys, and ones that must be refused."""
    good = prekeys.sign_entry(BOB, entry())
    device_key = signing_of("bob phone")
    bundle = prekeys.bundle_of(BOB.public, PHONE.device, LASTING, ROUTES, HOUR)
    shown = prekeys.sign_bundle(device_key, bundle)
    one_times = []
    for number in (1, 2**32 - 1):
        secret = prekeys.one_time(number, seed(f"one time {number}", 96))
        prekey = prekeys.make_one_time(PHONE.device, device_key, secret)
        one_times.append({"secret": _hex(secret), "prekey": _hex(prekey)})
    last = prekeys.make_one_time(PHONE.device, device_key, prekeys.one_time(3, seed("one time 3", 96)))
    replace = msgspec.structs.replace
    return {
        "about": "signed = signature(64) ‖ CBOR. `bundle` is of the first device of `entry`.",
        "identity_seed": BOB.seed.hex(),
        "signing_seed": device_key.seed.hex(),
        "entry": _hex(entry()),
        "signed_entry": good.hex(),
        "deleted_entry": prekeys.sign_entry(BOB, entry(revision=3, devices=[])).hex(),
        "refused_entries": _entries(good),
        "lasting": _hex(LASTING),
        "bundle": _hex(bundle),
        "signed_bundle": shown.hex(),
        "refused_bundles": _bundles(shown, bundle, device_key),
        "one_time": one_times,
        "refused_one_time": [
            {"why": "another id", "prekey": _hex(replace(last, id=4))},
            {"why": "another key", "prekey": _hex(replace(last, key=seed("other")))},
            {"why": "signature changed", "prekey": _hex(replace(last, signature=bytes(64)))},
            {
                "why": "of the other device",
                "prekey": _hex(
                    prekeys.make_one_time(
                        DESK.device, signing_of("bob desk"), prekeys.one_time(3, seed("one time 3", 96))
                    )
                ),
            },
        ],
    }


def _entries(good: bytes) -> list[Vectors]:
    torsion = bytes.fromhex("00" * 31 + "80")
    broken = {
        "changed": good[:-1] + bytes((good[-1] ^ 1,)),
        "signed by another": ALICE.sign("entry", good[64:]) + good[64:],
        "another context": BOB.sign("bundle", good[64:]) + good[64:],
        "one device twice": signed(BOB, "entry", entry(devices=[PHONE, PHONE])),
        "signing key of low order": signed(
            BOB, "entry", entry(devices=[msgspec.structs.replace(PHONE, signing=torsion)])
        ),
        "no onion": signed(BOB, "entry", entry(onion=bytes(32))),
        "name with a line end": signed(BOB, "entry", entry(name="bob\n")),
        "name in capitals": signed(BOB, "entry", entry(name="Bob")),
        "version 0": signed(BOB, "entry", entry(version=0)),
        "revision 0": signed(BOB, "entry", entry(revision=0)),
        "17 devices": signed(
            BOB, "entry", entry(devices=[account_device(f"device {at}") for at in range(17)])
        ),
        "unknown field": signed(
            BOB, "entry", msgspec.to_builtins(entry(), builtin_types=(bytes,)) | {"x": 1}
        ),
        "trailing byte": good + b"\0",
        "empty": b"",
    }
    found = [{"why": why, "code": "bad_entry", "signed": data.hex()} for why, data in broken.items()]
    newer = signed(BOB, "entry", entry(version=2))
    return [*found, {"why": "newer", "code": "unknown_version", "signed": newer.hex()}]


def _bundles(good: bytes, bundle: Any, key: keys.SigningKey) -> list[Vectors]:
    replace = msgspec.structs.replace
    broken = {
        "changed": good[:-1] + bytes((good[-1] ^ 1,)),
        "signed by the other device": signed(signing_of("bob desk"), "bundle", bundle),
        "signed by the identity": signed(BOB, "bundle", bundle),
        "of a device the entry has not": signed(key, "bundle", replace(bundle, device=bytes(16))),
        "of another identity": signed(key, "bundle", replace(bundle, identity=ALICE.public)),
        "KEM key not reduced": signed(key, "bundle", replace(bundle, kem=b"\xff" * 1184)),
        "route to no onion": signed(
            key, "bundle", replace(bundle, routes=[Route(bytes(32), bytes(20), bytes(32))])
        ),
        "prekey id 0": signed(key, "bundle", replace(bundle, prekey_id=0)),
        "nine routes": signed(key, "bundle", replace(bundle, routes=ROUTES * 9)),
        "empty": b"",
    }
    found = [{"why": why, "code": "bad_bundle", "signed": data.hex()} for why, data in broken.items()]
    newer = signed(key, "bundle", replace(bundle, version=2))
    return [*found, {"why": "newer", "code": "unknown_version", "signed": newer.hex()}]


def some_certificate(**changes: Any) -> certificate.Certificate:
    """Bob's phone, good for a week."""
    base = certificate.Certificate(
        version=1,
        name="bob",
        onion=BOX.public,
        identity=BOB.public,
        device=PHONE.device,
        agreement=PHONE.agreement,
        issued_hour=HOUR,
        expires_hour=HOUR + 168,
    )
    return msgspec.structs.replace(base, **changes)


def certificate_vectors() -> Vectors:
    """A sender certificate, the hours in which it is good, and ones that must be refused."""
    good = certificate.make(BOB, some_certificate())
    refused = [
        ("expired", good, HOUR + 170),
        ("too early", good, HOUR - 25),
        ("signed by another", ALICE.sign("sender", good[64:]) + good[64:], HOUR),
        ("changed", good[:-1] + bytes((good[-1] ^ 1,)), HOUR),
        ("lives too long", certificate.make(BOB, some_certificate(expires_hour=HOUR + 169)), HOUR),
        ("ends before it begins", certificate.make(BOB, some_certificate(expires_hour=HOUR)), HOUR),
        ("newer", certificate.make(BOB, some_certificate(version=2)), HOUR),
        ("no onion", certificate.make(BOB, some_certificate(onion=bytes(32))), HOUR),
        ("empty", b"", HOUR),
    ]
    return {
        "about": "Refused: bad_message. Good from 24 hours before it was issued to 1 after it expires.",
        "identity_seed": BOB.seed.hex(),
        "certificate": _hex(some_certificate()),
        "signed": good.hex(),
        "good_hours": [HOUR - 24, HOUR, HOUR + 168, HOUR + 169],
        "refused": [{"why": why, "signed": data.hex(), "hour": hour} for why, data, hour in refused],
    }


def transparency_vectors() -> Vectors:
    """A log of 21 leaves with all its proofs, and checkpoints."""
    leaves = [seed(f"leaf {at}", at * 3) for at in range(21)]
    node = transparency.nodes_of([transparency.leaf_hash(leaf) for leaf in leaves])
    roots = [transparency.root(node, size) for size in range(len(leaves) + 1)]
    inclusion = [
        {"index": index, "size": size, "hashes": _list(transparency.prove_inclusion(node, index, size))}
        for size in (1, 2, 3, 7, 8, 16, 21)
        for index in range(size)
    ]
    consistency = [
        {"first": first, "second": size, "hashes": _list(transparency.prove_consistency(node, first, size))}
        for size in (1, 2, 3, 7, 8, 16, 21)
        for first in range(size + 1)
    ]
    note = transparency.write_checkpoint(BOX, 21, roots[21])
    body, line = note.split("\n\n")
    origin, _, packed = body.split("\n")
    plain = line.rstrip("\n")
    return {
        "about": "RFC 6962; roots[n] is of the first n leaves. Refused, and every proof changed: bad_log.",
        "leaves": _list(leaves),
        "leaf_hashes": _list([transparency.leaf_hash(leaf) for leaf in leaves]),
        "roots": _list(roots),
        "inclusion": inclusion,
        "consistency": consistency,
        "checkpoint": {
            "box_seed": BOX.seed.hex(),
            "origin": origin,
            "size": 21,
            "root": roots[21].hex(),
            "note": note,
            "with_witness": f"{body}\n\n\u2014 witness.example AAAAAQIDBA==\n{line}",
        },
        "refused_notes": [
            "",
            body + "\n",
            f"{body}\n\n{plain}",
            note.replace("\n21\n", "\n22\n"),
            note.replace("\n21\n", "\n021\n"),
            note.replace(packed, base64.b64encode(roots[20]).decode()),
            f"{body}\nextension\n\n{line}",
            f"{body}\n\n- {origin} {plain.split()[2]}\n",
            f"{body}\n\n\u2014 other {plain.split()[2]}\n",
            transparency.write_checkpoint(ALICE, 21, roots[21]),
        ],
    }


def _list(values: list[bytes]) -> list[str]:
    return [value.hex() for value in values]


def _hex(value: Any) -> str:
    return codec.encode(value).hex()
