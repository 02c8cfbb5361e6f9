"""Vectors of contents and attachments."""

from __future__ import annotations

import hashlib
from typing import Any

import roster_vectors
from directory_vectors import ROUTES
from people import HOUR, Vectors, seed
from picture_vectors import TINY

from appliance.protocol import attachment, channel_content, codec, content
from appliance.protocol.envelope import envelope_id

SENT = HOUR * 3600 + 12
COMMON: dict[str, Any] = {"v": 1, "id": seed("message", 16), "sent": SENT}
TARGET = seed("target", 16)
FILE: dict[str, Any] = {
    "name": "a.ogg",
    "media": "audio/ogg",
    "size": 5,
    "digest": seed("digest"),
    "key": seed("key"),
    "chunks": [seed("chunk", 16)],
}
TOLD: dict[str, Any] = {
    "channel": TARGET,
    "generation": 0,
    "since": 1,
    "signing": seed("chain signing"),
    "iteration": 0,
    "key": seed("chain key"),
    "roster": content.RosterMark(7, seed("roster hash")),
}


def content_vectors() -> Vectors:
    """One content of each kind or more, and payloads that must be refused."""
    contents: list[content.Content] = [
        content.Text(**COMMON, text="hello 水 \U0001f44d"),
        content.Text(**COMMON, text="x" * 8000, reply=TARGET, timer=60),
        content.Text(**COMMON, text=""),
        content.Attachment(**COMMON, **FILE),
        content.Attachment(
            **COMMON,
            **FILE,
            text="listen",
            reply=TARGET,
            voice=content.Voice(seconds=3, peaks=bytes(range(64))),
            timer=3600,
        ),
        content.Reaction(**COMMON, target=TARGET, emoji="\U0001f469\u200d\U0001f680"),
        content.Reaction(**COMMON, target=TARGET, emoji=""),
        content.Edit(**COMMON, target=TARGET, text="better"),
        content.Delete(**COMMON, target=TARGET),
        content.Receipt(**COMMON, what="delivered", targets=[TARGET]),
        content.Receipt(**COMMON, what="read", targets=[seed(f"read {at}", 16) for at in range(64)]),
        content.Timer(**COMMON, seconds=0),
        content.Timer(**COMMON, seconds=604_800),
        content.Routes(**COMMON, routes=ROUTES),
        content.Profile(**COMMON, display="Ada 水"),
        content.Profile(**COMMON, display="", picture=TINY, zone="Europe/Berlin"),
        content.Profile(**COMMON, display="Ada", zone="Etc/GMT+3", timer=60),
        content.Resync(**COMMON),
        content.Hello(**COMMON, timer=5),
        content.SenderKey(**COMMON, **TOLD),
        content.SenderKey(**COMMON, **TOLD | {"iteration": 1000}, info_key=seed("info key")),
        content.SenderKeyWanted(
            **COMMON, channel=TARGET, chains=[seed(f"chain {at}", 16) for at in range(64)]
        ),
    ]
    return {
        "about": "payload is CBOR in hex and reads back to itself. `cleaned`: the name a reader shows.",
        "contents": [
            {
                "kind": type(each).__struct_config__.tag,
                "payload": content.write(each).hex(),
                "small": content.is_small(each),
            }
            for each in contents
        ],
        "cleaned": [
            {
                "payload": _payload("attachment", **FILE | {"name": name}),
                "name": content.clean_file_name(name),
            }
            for name in ("../../etc/passwd", "exe.\u202egnp", "", "x" * 250 + ".tar")
        ],
        "refused": _refused(),
    }


def channel_content_vectors() -> Vectors:
    """The same of channels, and whom words mention."""
    state = roster_vectors.private_book().states[-1]
    contents: list[channel_content.Content] = [
        channel_content.Text(**COMMON, text="hello @bob"),
        channel_content.Text(**COMMON, text="\u6c34" * 16_000, reply=TARGET, timer=60),
        content.Attachment(**COMMON, **FILE),
        content.Reaction(**COMMON, target=TARGET, emoji="\U0001f44d"),
        channel_content.Edit(**COMMON, target=TARGET, text="better"),
        content.Delete(**COMMON, target=TARGET),
        channel_content.Pin(**COMMON, target=TARGET, on=True),
        channel_content.Pin(**COMMON, target=TARGET, on=False, timer=60),
    ]
    refused = {
        "a newer version": ("unknown_version", _payload("text", text="x", v=2)),
        "a new kind": ("unknown_version", _payload("poll", text="x")),
        "a kind of two": ("unknown_version", _payload("receipt", what="read", targets=[TARGET])),
        "text too long": ("bad_message", _payload("text", text="x" * 16_001)),
        "unknown field": ("bad_message", _payload("text", text="x", mentions=[])),
        "emoji with a line end": ("bad_message", _payload("reaction", target=TARGET, emoji="x\n")),
        "pinned perhaps": ("bad_message", _payload("pin", target=TARGET, on=1)),
        "pinned without saying": ("bad_message", _payload("pin", target=TARGET)),
    }
    words = [
        "@bob",
        "hi @Bob, @cleo. and @bob",
        "a@bob",
        "@@bob",
        "@bob@x",
        "@bobby",
        "@bob_",
        "@bob-",
        "(@ada)",
    ]
    words += ["@" + "b" * 33, "@nobody", "@bob\u00e9", "\u00e9@bob", "@", "@.bob", "@dan\n@ada"]
    return {
        "about": "As in content.json. `mentions`: names mentioned by words, after `roster`.",
        "contents": [
            {"kind": type(each).__struct_config__.tag, "payload": channel_content.write(each).hex()}
            for each in contents
        ],
        "refused": [
            {"why": why, "code": code, "payload": payload} for why, (code, payload) in refused.items()
        ],
        "roster": [each.hex() for each in roster_vectors.private_book().entries],
        "mentions": [
            {"words": each, "names": [member.name for member in channel_content.mentions(each, state)]}
            for each in words
        ],
    }


def _payload(kind: str, **fields: Any) -> str:
    return codec.encode(COMMON | {"kind": kind} | fields).hex()


def _refused() -> list[Vectors]:
    cases: dict[str, tuple[str, str]] = {
        "a newer version": ("unknown_version", _payload("text", text="x", v=2)),
        "a newer version of a new kind": ("unknown_version", _payload("poll", v=2)),
        "a new kind": ("unknown_version", _payload("poll", text="x")),
        "version 0": ("bad_message", _payload("text", text="x", v=0)),
        "unknown field": ("bad_message", _payload("text", text="x", more=1)),
        "text missing": ("bad_message", _payload("text")),
        "text is bytes": ("bad_message", _payload("text", text=b"x")),
        "text too long": ("bad_message", _payload("text", text="x" * 8001)),
        "short id": ("bad_message", _payload("text", text="x", id=bytes(15))),
        "negative time": ("bad_message", _payload("text", text="x", sent=-1)),
        "timer 0": ("bad_message", _payload("text", text="x", timer=0)),
        "timer of more than a year": ("bad_message", _payload("text", text="x", timer=31_536_001)),
        "short reply": ("bad_message", _payload("text", text="x", reply=bytes(15))),
        "media with a line end": ("bad_message", _payload("attachment", **FILE | {"media": "a/b\n"})),
        "no chunks": ("bad_message", _payload("attachment", **FILE | {"chunks": []})),
        "513 chunks": ("bad_message", _payload("attachment", **FILE | {"chunks": [bytes(16)] * 513})),
        "short key": ("bad_message", _payload("attachment", **FILE | {"key": bytes(31)})),
        "65 peaks": (
            "bad_message",
            _payload("attachment", **FILE, voice={"seconds": 1, "peaks": bytes(65)}),
        ),
        "emoji too long": ("bad_message", _payload("reaction", target=TARGET, emoji="x" * 17)),
        "emoji with a line end": ("bad_message", _payload("reaction", target=TARGET, emoji="x\n")),
        "no targets": ("bad_message", _payload("receipt", what="read", targets=[])),
        "65 targets": ("bad_message", _payload("receipt", what="read", targets=[TARGET] * 65)),
        "unknown receipt": ("bad_message", _payload("receipt", what="seen", targets=[TARGET])),
        "timer beyond a year": ("bad_message", _payload("timer", seconds=31_536_001)),
        "nine routes": (
            "bad_message",
            _payload(
                "routes", routes=[{"onion": bytes(32), "mailbox": bytes(20), "capability": bytes(32)}] * 9
            ),
        ),
        "display turned around": ("bad_message", _payload("profile", display="a\u202eb")),
        "display too long": ("bad_message", _payload("profile", display="x" * 65)),
        "a picture with more behind it": (
            "bad_message",
            _payload("profile", display="", picture=TINY + bytes(1)),
        ),
        "an empty picture": ("bad_message", _payload("profile", display="", picture=b"")),
        "a picture in words": ("bad_message", _payload("profile", display="", picture="x")),
        "an empty zone": ("bad_message", _payload("profile", display="", zone="")),
        "a zone too long": ("bad_message", _payload("profile", display="", zone="x" * 65)),
        "a zone with a space": ("bad_message", _payload("profile", display="", zone="Europe/ Berlin")),
        "a zone with a line end": ("bad_message", _payload("profile", display="", zone="UTC\n")),
        "iteration 1001": ("bad_message", _payload("sender_key", **TOLD | {"iteration": 1001})),
        "since 0": ("bad_message", _payload("sender_key", **TOLD | {"since": 0})),
        "a roster without a hash": (
            "bad_message",
            _payload("sender_key", **TOLD | {"roster": {"number": 1}}),
        ),
        "no chains": ("bad_message", _payload("sender_key_wanted", channel=TARGET, chains=[])),
        "65 chains": ("bad_message", _payload("sender_key_wanted", channel=TARGET, chains=[TARGET] * 65)),
        "a pin between two": ("unknown_version", _payload("pin", target=TARGET, on=True)),
        "kind is a number": ("bad_message", codec.encode(COMMON | {"kind": 1}).hex()),
        "a list": ("bad_message", codec.encode([COMMON]).hex()),
        "not CBOR": ("bad_message", "ff"),
        "trailing byte": ("bad_message", _payload("hello") + "00"),
        "empty": ("bad_message", ""),
    }
    return [{"why": why, "code": code, "payload": payload} for why, (code, payload) in cases.items()]


def attachment_vectors() -> Vectors:
    """Plans, chunks of a small file, and the index of a large one."""
    key, size = seed("attachment key"), 40_000
    data = seed("attachment", size)
    small = attachment.plan(size)
    chunks = []
    for number in range(small.count):
        piece = data[number * attachment.PIECE : (number + 1) * attachment.PIECE]
        chunks.append(attachment.seal_chunk(key, small, number, piece))
    large = attachment.plan(513 * attachment.PIECE)
    ids = [seed(f"large {at}", 16) for at in range(large.count)]
    pieces = attachment.index_pieces(large, ids)
    indexes = [attachment.seal_chunk(key, large, large.count + at, piece) for at, piece in enumerate(pieces)]
    sizes = [0, 1, 16_303, 16_304, 40_000, 8 * 16_303, 9 * 16_303 + 1, 512 * 16_303, 513 * 16_303]
    sizes += [1_018 * 16_303, 1_025 * 16_303, 1984 * 16_303]
    wrong = chunks[1][:-1] + bytes((chunks[1][-1] ^ 1,))
    return {
        "about": "content = SHAKE-256('island vector attachment'); plan = [size, pieces, count, indexes].",
        "plans": [[p.size, p.pieces, p.count, p.indexes] for p in map(attachment.plan, sizes)],
        "too_large": [1984 * 16_303 + 1, 1 << 40],
        "key": key.hex(),
        "size": size,
        "digest": attachment.digest(data).hex(),
        "chunks": [
            {
                "number": number,
                "id": envelope_id(chunk).hex(),
                "sha256": hashlib.sha256(chunk).hexdigest(),
            }
            for number, chunk in enumerate(chunks)
        ],
        "last": chunks[-1].hex(),
        "index": {
            "size": large.size,
            "label": "ids are SHAKE-256('island vector large <n>')[:16]",
            "ids_sha256": hashlib.sha256(b"".join(ids)).hexdigest(),
            "chunks": [hashlib.sha256(chunk).hexdigest() for chunk in indexes],
        },
        "refused": [
            {"why": "changed", "number": 1, "envelope": wrong.hex()},
            {"why": "another number", "number": 0, "envelope": chunks[1].hex()},
            {"why": "outside the plan", "number": small.count, "envelope": chunks[1].hex()},
            {"why": "cut", "number": 1, "envelope": chunks[1][:-1].hex()},
            {"why": "empty", "number": 1, "envelope": ""},
        ],
    }
