"""Vectors of envelopes, mailboxes, cards and items."""

from __future__ import annotations

import hashlib
from typing import Any

import mlkem
import msgspec
from people import ALICE, BOB, BOB_SEALING, FETCH, HOST, HOUR, Vectors, seed

from appliance.protocol import card, codec, envelope, item, keys, mailbox, onion, sealing
from appliance.protocol import messages as m


def envelope_vectors() -> Vectors:
    """Envelope ids, size classes and padding."""
    blocks = [bytes((1,)) + seed(f"block {size}", size - 1) for size in envelope.SIZES]
    return {
        "about": "id = BLAKE2b-128; pad = content ‖ 80 ‖ zeros.",
        "sizes": list(envelope.SIZES),
        "ids": [{"envelope": e.hex(), "id": envelope.envelope_id(e).hex()} for e in blocks[:2]],
        "padding": [
            {"content": c.hex(), "size": 8, "padded": envelope.pad(c, 8).hex()}
            for c in (b"", b"a", b"a\x80\0", b"1234567")
        ],
        "refused_padding": ["", "00", "0000000000000000", "6161", "618000000001"],
        "refused": [
            {"code": "wrong_size", "envelope": "01"},
            {"code": "wrong_size", "envelope": (b"\x01" + bytes(960)).hex()},
            {"code": "unknown_version", "envelope": (b"\x02" + bytes(959)).hex()},
        ],
    }


def sealed(label: str, payload: bytes, size: int | None = None) -> tuple[Vectors, bytes]:
    """One sealed envelope with everything that made it."""
    coins, ephemeral = seed(label + " coins"), seed(label + " ephemeral")
    secret, ciphertext = mlkem.encapsulate(BOB_SEALING.public.kem, coins)
    randomness = sealing.SealRandomness(ephemeral, secret, ciphertext)
    whole = sealing.seal(BOB_SEALING.public, BOB.public, ALICE, payload, randomness, size)
    case = {
        "payload": payload.hex(),
        "size": len(whole),
        "ephemeral": ephemeral.hex(),
        "kem_coins": coins.hex(),
        "kem_secret": secret.hex(),
        "envelope": whole.hex(),
    }
    return case, whole


def sealing_vectors() -> Vectors:
    """Envelopes from Alice to Bob, and ones Bob must not open."""
    cases = [
        sealed("short", b"hello")[0],
        sealed("empty", b"", 4032)[0],
        sealed("full", seed("full payload", sealing.capacity(1984)))[0],
        sealed("large", seed("large payload", 5000))[0],
    ]
    _, whole = sealed("short", b"hello")

    def flip(at: int) -> str:
        return (whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]).hex()

    refused = [
        {"why": "newer version", "code": "unknown_version", "envelope": "02" + whole[1:].hex()},
        {"why": "ephemeral key changed", "code": "not_opened", "envelope": flip(5)},
        {"why": "KEM ciphertext changed", "code": "not_opened", "envelope": flip(600)},
        {"why": "content changed", "code": "not_opened", "envelope": flip(1500)},
        {"why": "tag changed", "code": "not_opened", "envelope": flip(1983)},
        {"why": "cut", "code": "not_opened", "envelope": whole[:-1].hex()},
        {"why": "smaller class", "code": "not_opened", "envelope": whole[:960].hex()},
        {
            "why": "zero ephemeral key",
            "code": "not_opened",
            "envelope": (b"\1" + bytes(32) + whole[33:]).hex(),
        },
        {"why": "empty", "code": "not_opened", "envelope": ""},
    ]
    return {
        "about": "From 'sender_seed' to 'identity_seed' with sealing seeds of keys.json.",
        "sender_seed": ALICE.seed.hex(),
        "identity_seed": BOB.seed.hex(),
        "capacity": {str(size): sealing.capacity(size) for size in envelope.SIZES[1:]},
        "sealed": cases,
        "refused": refused,
    }


def mailbox_vectors() -> Vectors:
    """Mailbox ids, capability hashes, signed requests and a peer's proof."""
    nonce, box = seed("nonce"), mailbox.mailbox_id(FETCH.public)
    requests: list[mailbox.SignedRequest] = [
        m.CreateMailbox(seed("grant"), FETCH.public, seed("hash"), "request", mailbox.BLANK),
        m.DeleteMailbox(box, mailbox.BLANK),
        m.Fetch(box, mailbox.BLANK),
        m.Fetch(box, mailbox.BLANK, limit=100, after=5, acknowledge=[seed("id", 16)]),
        m.Acknowledge(box, [seed("id", 16), seed("id 2", 16)], mailbox.BLANK),
        m.Subscribe(box, mailbox.BLANK),
    ]
    signed = [mailbox.sign_request(FETCH, HOST, nonce, request) for request in requests]
    return {
        "about": "signed by 'fetch_seed', 'mailbox': CBOR [host, operation, mailbox, SHA-256(body), nonce].",
        "fetch_seed": FETCH.seed.hex(),
        "mailbox": box.hex(),
        "capability": seed("capability").hex(),
        "capability_hash": mailbox.capability_hash(seed("capability")).hex(),
        "host": HOST,
        "nonce": nonce.hex(),
        "requests": [
            {
                "type": type(request).__name__,
                "operation": mailbox.OPERATIONS[type(request)],
                "body": mailbox.unsigned(request).hex(),
                "signed": codec.encode(request).hex(),
            }
            for request in signed
        ],
        "peer": {
            "seed": ALICE.seed.hex(),
            "proof": codec.encode(mailbox.prove_peer(ALICE, HOST, nonce)).hex(),
        },
    }


def some_card(**changes: Any) -> card.Card:
    """Bob's card with two routes."""
    routes = [
        card.Route(BOB.public, seed("box 1", 20), seed("capability 1")),
        card.Route(onion.public_key(HOST), seed("box 2", 20), seed("capability 2")),
    ]
    base = card.Card(card.VERSION, BOB.public, "Bob 水", BOB_SEALING.public, routes, HOUR)
    return msgspec.structs.replace(base, **changes)


def signed_anyhow(value: card.Card) -> bytes:
    """A card signed without looking at it."""
    body = codec.encode(value)
    return BOB.sign("card", body) + body


def card_vectors() -> Vectors:
    """A card and ones that must be refused."""
    signed = card.sign_card(BOB, some_card())
    refused = {
        "changed": signed[:-1] + bytes((signed[-1] ^ 1,)),
        "signed by another": ALICE.sign("card", signed[64:]) + signed[64:],
        "control in the name": signed_anyhow(some_card(name="a\nb")),
        "turned text in the name": signed_anyhow(some_card(name="a\u202eb")),
        "long name": signed_anyhow(some_card(name="x" * 65)),
        "nine routes": signed_anyhow(some_card(routes=some_card().routes[:1] * 9)),
        "route to no onion": signed_anyhow(some_card(routes=[card.Route(bytes(32), bytes(20), bytes(32))])),
        "KEM key not reduced": signed_anyhow(
            some_card(sealing=keys.SealingPublic(BOB_SEALING.public.x25519, b"\xff" * 1184))
        ),
        "version 0": signed_anyhow(some_card(version=0)),
        "trailing byte": signed + b"\0",
        "empty": b"",
    }
    text = card.card_text(signed)
    return {
        "about": "signed = signature(64) ‖ CBOR, by its identity in context 'card'. Refused: bad_card.",
        "seed": BOB.seed.hex(),
        "signed": signed.hex(),
        "text": text,
        "fingerprint": card.fingerprint(BOB.public),
        "same_text": [text.lower(), f" {text[:50]}\r\n\t{text[50:]} \n"],
        "refused_text": [text[7:], text[:-1], text + "A", text + "=", "ISLAND:1", "", "ISLAND:"],
        "newer": signed_anyhow(some_card(version=2)).hex(),
        "refused": [{"why": why, "signed": data.hex()} for why, data in refused.items()],
    }


def item_vectors() -> Vectors:
    """How items are cut, and their parts."""
    ident, signed = seed("item", 16), card.sign_card(BOB, some_card())
    cases = []
    for size, carried in ((0, b""), (5, b""), (600, b""), (900, signed), (5000, signed), (60_000, signed)):
        content = seed("content", size)
        header = item.Header("file", "a.bin", size, item.content_digest(content), HOUR, carried)
        plan = item.plan(header)
        parts = [item.write_part(part) for part in item.split(ident, header, content)]
        cases.append(
            {
                "size": size,
                "header": codec.encode(header).hex(),
                "plan": [plan.first, plan.rest, plan.count, plan.envelope_size],
                "parts_sha256": [hashlib.sha256(part).hexdigest() for part in parts],
                "part_0": parts[0].hex() if size <= 600 else None,
            }
        )
    receipt = item.Header("receipt", "", 0, item.content_digest(b""), HOUR, reply_to=seed("other", 16))
    return {
        "about": "content = SHAKE-256('island vector content')[:size]; plan = [first, rest, count, size].",
        "item": ident.hex(),
        "cases": cases,
        "receipt": item.write_part(item.Part(ident, 0, 1, b"", receipt)).hex(),
        "padme": [[n, item.padme(n)] for n in (1, 2, 3, 8, 9, 15, 17, 100, 101, 1000, 123_456)],
        "refused": [
            codec.encode(part).hex()
            for part in (
                item.Part(ident, 0, 1, b"x"),
                item.Part(ident, 1, 1, b"x"),
                item.Part(ident, 1, 2, b"x", receipt),
                item.Part(ident, 0, 1, b"", msgspec.structs.replace(receipt, reply_to=None)),
                item.Part(ident, 0, 1, b"", msgspec.structs.replace(receipt, size=1 << 40)),
                item.Part(ident[:15], 0, 1, b"", receipt),
            )
        ],
    }
