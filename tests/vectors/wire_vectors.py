"""Vectors of the codec, the puzzle and the stream."""

from __future__ import annotations

from typing import Any

from people import FETCH, HOUR, Vectors, seed

from appliance.protocol import codec, mailbox, stream, work
from appliance.protocol import messages as m


def codec_vectors() -> Vectors:
    """CBOR that must be read, with its value, and CBOR that must be refused."""
    values: list[Any] = [
        0,
        23,
        24,
        255,
        256,
        65535,
        65536,
        2**32 - 1,
        2**32,
        2**64 - 1,
        -1,
        -24,
        -25,
        -(2**64),
    ]
    values += [True, False, None, "", "a", "ü", "水", "𐅑", b"", b"\x01\x02", bytes(24), [], [1, [2, [3]]], {}]
    values += [{"b": 1, "a": 2, "aa": 3, "": 4, "ä": 5}, {"x" * 24: b"\x00" * 256, "y": [None] * 24}]
    refused = {
        "empty input": "",
        "trailing byte": "0000",
        "one encoded in two bytes": "1801",
        "24-bit length where 8 do": "5900010a",
        "long head of a list": "9800",
        "long head of a map": "b800",
        "long head of a text": "780161",
        "duplicate key": "a2616100616101",
        "keys out of order": "a2616201616102",
        "longer key first": "a262616101616202",
        "integer key": "a10102",
        "byte string key": "a1410001",
        "list as key": "a18001",
        "indefinite list": "9fff",
        "indefinite map": "bfff",
        "indefinite bytes": "5f4100ff",
        "indefinite text": "7f6161ff",
        "lone break": "ff",
        "float 16": "f93e00",
        "float 32": "fa47c35000",
        "float 64": "fb3ff8000000000000",
        "NaN": "f97e00",
        "infinity": "f97c00",
        "undefined": "f7",
        "simple value 0": "e0",
        "simple value 255": "f8ff",
        "false in two bytes": "f814",
        "text that is not UTF-8": "61ff",
        "text with a surrogate": "63eda080",
        "bytes cut short": "58",
        "bytes shorter than said": "4301",
        "list shorter than said": "8201",
        "map without its value": "a16161",
        "bytes of 2^63": "5b8000000000000000",
        "list of 2^63": "9b8000000000000000",
        "map of 2^56": "bb0100000000000000",
        "reserved length 28": "1c",
        "depth 17": "81" * 16 + "80",
        "depth 1000": "81" * 1000 + "80",
        "tag: date": "c074323031332d30332d32315432303a30343a30305a",
        "tag: time": "c11a514b67b0",
        "tag: bignum": "c249010000000000000000",
        "tag: pattern": "d82363282928",
        "tag: shared": "d81c81d81d00",
        "tag: string reference": "d9010081d81900",
        "tag: self-described": "d9d9f700",
        "tag: unknown": "da7fffffff00",
    }
    refused_json = [
        '{"a":1,"a":2}',
        "1.5",
        "1e3",
        "NaN",
        "[1] 2",
        "18446744073709551616",
        '"\\ud800"',
        "",
        "[" * 999,
    ]
    return {
        "about": "encode(value) = cbor and decode(cbor) = value; every refused one is malformed.",
        "values": [{"value": plain(value), "cbor": codec.encode(value).hex()} for value in values],
        "deepest": ("81" * 15) + "80",
        "refused": [{"why": why, "cbor": data} for why, data in refused.items()],
        "refused_json": refused_json,
        "refused_base64url": ["A", "AA==", "AB", "AAA=", "+_8", "A A", "AAAA\n"],
        "messages": [message_case(value) for value in some_messages()],
    }


def plain(value: Any) -> Any:
    """A value as JSON: bytes as {"bytes": hex}, maps as {"map": pairs}, large integers as {"int": text}."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {"map": [[key, plain(entry)] for key, entry in value.items()]}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return {"int": str(value)}
    return value


def some_messages() -> list[m.Message]:
    """One message of each kind that is hashed, or hot."""
    auth = m.Authorisation(seed("nonce"), seed("signature", 64))
    box = mailbox.mailbox_id(FETCH.public)
    group = m.DepositGroup(box, seed("capability"), 168, [seed("envelope", 1984)])
    return [
        m.Nonces([seed("nonce")], 60),
        m.CreateMailbox(seed("grant"), FETCH.public, seed("hash"), "contact", auth),
        m.DeleteMailbox(box, auth),
        m.Deposit([group]),
        m.Deposited([[m.Outcome("held", HOUR + 168), m.Outcome("mailbox_full")]]),
        m.Fetch(box, auth),
        m.Fetch(box, auth, limit=7, after=9, acknowledge=[seed("id", 16)]),
        m.Fetched([m.FetchedEnvelope(7, HOUR, seed("envelope", 960))], True, 1, seed("nonce")),
        m.Acknowledge(box, [seed("id", 16)], auth),
        m.Acknowledged(1),
        m.GrantRequest(work=m.WorkSolution(seed("challenge"), seed("solution", 8))),
    ]


def message_case(value: m.Message) -> Vectors:
    """A message in both media."""
    json_text = codec.write(value, codec.JSON).decode()
    return {"type": type(value).__name__, "json": json_text, "cbor": codec.write(value).hex()}


def work_vectors() -> Vectors:
    """Argon2id puzzles."""
    challenge = m.WorkChallenge(seed("challenge"), 256, 1, 4, 60)
    number = 0
    while not work.is_solved(challenge, number.to_bytes(8, "big")):
        number += 1
    solution = number.to_bytes(8, "big")
    return {
        "about": "Argon2id(password = 'island/v1/work' 00 ‖ solution, salt = challenge, 1 lane, 32 bytes).",
        "challenge": codec.encode(challenge).hex(),
        "solution": solution.hex(),
        "digest": work.solve_step(challenge.challenge, 256, 1, solution).hex(),
        "wrong": (number + 1).to_bytes(8, "big").hex(),
    }


def stream_vectors() -> Vectors:
    """Frames of the relay stream."""
    box, prefix = mailbox.mailbox_id(FETCH.public), seed("prefix", stream.PREFIX_SIZE)
    auth = m.Authorisation(stream.nonce(prefix, 258), seed("signature", 64))
    return {
        "about": "Requests [id, operation, body]; replies [id, status, body] and [0, event, body].",
        "prefix": prefix.hex(),
        "nonce_258": stream.nonce(prefix, 258).hex(),
        "subscribe": stream.write_request(7, m.Subscribe(box, auth)).hex(),
        "hello": stream.write_event(stream.Hello(prefix, stream.VERSION)).hex(),
        "look": stream.write_event(stream.Look(box)).hex(),
        "answer": stream.write_answer(7, m.Acknowledged(3)).hex(),
        "refused_requests": [
            "80",
            "830101a0",
            "8300617aa0",
            "83f5617aa0",
            "831b0020000000000000617aa0",
            "8301617a",
        ],
    }
