"""Vectors of addresses, signatures and keys; most of them are to be refused."""

from __future__ import annotations

import edwards
from people import ALICE, BOB, Vectors, seed

from appliance.protocol import keys, onion, prekeys


def onion_vectors() -> Vectors:
    """Addresses from seeds, and texts that are none."""
    good = onion.address(ALICE.public)
    mixed = edwards.encode(edwards.add(edwards.multiply(5, edwards.BASE), edwards.torsion()))
    flipped = good[:10] + ("a" if good[10] != "a" else "b") + good[11:]
    refused = {
        "no suffix": good[:-6],
        "short": good[1:],
        "wrong checksum": flipped,
        "wrong version": good[:55] + "e.onion",
        "digit 1": "1" + good[1:],
        "sub-domain": "www." + good,
        "white space": good + " ",
        "fullwidth letter": "ａ" + good[1:],
        "small order point": onion.address(edwards.encode(edwards.IDENTITY)),
        "point with torsion": onion.address(mixed),
        "no point": onion.address((2).to_bytes(32, "little")),
    }
    keys_ = [keys.SigningKey(seed(f"onion {i}")) for i in range(4)]
    return {
        "about": "seed → Ed25519 public key → address; expanded is Tor's. Refused: bad_address.",
        "addresses": [
            {
                "seed": key.seed.hex(),
                "public": key.public.hex(),
                "expanded": onion.expanded_key(key.seed).hex(),
                "address": onion.address(key.public),
            }
            for key in keys_
        ],
        "upper_case": {"address": good.upper(), "public": ALICE.public.hex()},
        "refused": [{"why": why, "address": text} for why, text in refused.items()],
    }


def signature_vectors() -> Vectors:
    """Signatures to make, and the exact set to accept (SPEC.md, "Signatures")."""
    signed = [
        {
            "seed": ALICE.seed.hex(),
            "public": ALICE.public.hex(),
            "context": context,
            "message": message.hex(),
            "signature": ALICE.sign(context, message).hex(),
        }
        for context, message in (("vector", b""), ("vector", b"abc"), ("card", seed("message", 300)))
    ]
    return {
        "about": "Ed25519 over 'island/v1/' + context + 0x00 + message. All 'refused' use context 'vector'.",
        "signed": signed,
        "refused": refused_signatures(),
    }


def refused_signatures() -> list[Vectors]:
    """Signatures about which common verifiers disagree, all refused here, and plainly wrong ones."""
    good, message = ALICE.sign("vector", b"abc"), b"abc"
    a, r = 123456789, 987654321
    point = edwards.multiply(a, edwards.BASE)
    public, nonce = edwards.encode(point), edwards.multiply(r, edwards.BASE)
    eight = edwards.torsion()
    mixed = edwards.encode(edwards.add(point, eight))
    identity = edwards.encode(edwards.IDENTITY)
    negative_zero = identity[:31] + b"\x80"
    wide_identity = (edwards.P + 1).to_bytes(32, "little")
    high = (int.from_bytes(good[32:], "little") + edwards.ORDER).to_bytes(32, "little")

    def forge(public: bytes, r_bytes: bytes, r_scalar: int, scalar: int, text: bytes = message) -> bytes:
        return edwards.forge(public, r_bytes, r_scalar, scalar, keys.signed_bytes("vector", text))

    def lucky(label: bytes) -> bytes:
        """A message whose hash makes the torsion of a mixed key vanish: cofactorless verifiers accept."""
        for number in range(1000):
            text = label + str(number).encode()
            if edwards.challenge(edwards.encode(nonce), mixed, keys.signed_bytes("vector", text)) % 8 == 0:
                return text
        raise AssertionError("no lucky message")

    text = lucky(b"lucky ")
    r_bytes, torsion_r = edwards.encode(nonce), edwards.encode(edwards.add(nonce, eight))
    rows: list[tuple[str, bytes, bytes, bytes]] = [
        ("another message", ALICE.public, good, b"abd"),
        ("another context", ALICE.public, ALICE.sign("other", message), message),
        ("another key", BOB.public, good, message),
        ("S not reduced", ALICE.public, good[:32] + high, message),
        ("R is the identity", public, forge(public, identity, 0, a), message),
        ("R of order eight", public, forge(public, edwards.encode(eight), 0, a), message),
        ("R with torsion: only a cofactored check accepts", public, forge(public, torsion_r, r, a), message),
        ("R not canonical", public, forge(public, wide_identity, 0, a), message),
        ("A with torsion", mixed, forge(mixed, r_bytes, r, a), message),
        ("A with torsion: every equation holds", mixed, forge(mixed, r_bytes, r, a, text), text),
        ("A is the identity", identity, forge(identity, r_bytes, r, 0), message),
        ("A is minus zero", negative_zero, forge(negative_zero, r_bytes, r, 0), message),
        ("A not canonical", wide_identity, forge(wide_identity, r_bytes, r, 0), message),
        ("A of order eight", edwards.encode(eight), forge(edwards.encode(eight), r_bytes, r, 0), message),
        ("A is no point", (2).to_bytes(32, "little"), good, message),
        ("short signature", ALICE.public, good[:63], message),
        ("long signature", ALICE.public, good + b"\0", message),
        ("short key", ALICE.public[:31], good, message),
    ]
    return [
        {"why": why, "public": key.hex(), "signature": signature.hex(), "message": text.hex()}
        for why, key, signature, text in rows
    ]


def key_vectors() -> Vectors:
    """Public keys from seeds, and HKDF."""
    x25519_seed, kem_seed = seed("bob x25519"), seed("bob kem", 64)
    return {
        "about": "X25519 and ML-KEM-768 (seed d ‖ z) public keys; HKDF-SHA-256.",
        "sealing": {
            "x25519_seed": x25519_seed.hex(),
            "kem_seed": kem_seed.hex(),
            "x25519": prekeys.x25519_public(x25519_seed).hex(),
            "kem": prekeys.kem_public(kem_seed).hex(),
        },
        "hkdf": [
            {
                "secret": secret.hex(),
                "salt": salt.hex(),
                "info": info.hex(),
                "length": length,
                "output": keys.hkdf(secret, salt, info, length).hex(),
            }
            for secret, salt, info, length in ((seed("s"), b"", b"x", 32), (b"ab", seed("salt"), b"", 80))
        ],
    }
