"""Vectors of envelopes and mailboxes."""

from __future__ import annotations

from people import ALICE, FETCH, HOST, Vectors, seed

from appliance.protocol import codec, envelope, mailbox
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
        "padme": [[n, envelope.padme(n)] for n in (1, 2, 3, 8, 9, 15, 17, 100, 101, 1000, 123_456)],
        "refused_padding": ["", "00", "0000000000000000", "6161", "618000000001"],
        "refused": [
            {"code": "wrong_size", "envelope": "01"},
            {"code": "wrong_size", "envelope": (b"\x01" + bytes(960)).hex()},
            {"code": "unknown_version", "envelope": (b"\x02" + bytes(959)).hex()},
        ],
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
