"""Vectors of boards: what members sign for a board's log, and what must be refused."""

from __future__ import annotations

from typing import Any

import msgspec
from people import ALICE, BOX, HOUR, Vectors, seed

from appliance.protocol import board, codec
from appliance.protocol.keys import SigningKey

COMMON: dict[str, Any] = {
    "v": 1,
    "id": seed("board post", 16),
    "board": seed("board", 16),
    "sent": HOUR * 3600 + 7,
    "name": "alice",
    "onion": BOX.public,
    "identity": ALICE.public,
}
TARGET = seed("board target", 16)
FIRST = board.Post(**COMMON, body="# Hello\n\n水 **here** \U0001f44d", subject="The first thread")


def board_vectors() -> Vectors:
    """One value of each kind or more, and signed values that must be refused."""
    common, boxed = COMMON, COMMON | {"identity": None}
    first = board.write(ALICE, FIRST)
    values: list[tuple[str, SigningKey, board.Value]] = [
        ("post", ALICE, FIRST),
        ("post", ALICE, board.Post(**common, body="x", thread=TARGET)),
        ("post", ALICE, board.Post(**common, body="x" * 65_536, thread=TARGET, reply=seed("reply", 16))),
        ("post", BOX, board.Post(**boxed, body="typed without JavaScript", subject="Vouched for")),
        ("edit", ALICE, board.Edit(**common, target=TARGET, previous=board.digest(first), body="better")),
        ("edit", ALICE, board.Edit(**common, target=TARGET, previous=bytes(32), body="b", subject="new")),
        ("delete", ALICE, board.Deletion(**common, target=TARGET)),
        ("moderate", ALICE, board.Moderation(**common, target=TARGET, act="pin")),
        ("moderate", ALICE, board.Moderation(**common, target=TARGET, act="remove_thread", reason="spam")),
        ("event", ALICE, board.Notice(**common, subject="chess/move", data=bytes(range(256)))),
    ]
    return {
        "about": "signed is signature(64) ‖ CBOR in hex; vouched: signed by the box. "
        "digest is what an edit of it names.",
        "identity_seed": ALICE.seed.hex(),
        "box_seed": BOX.seed.hex(),
        "values": [_case(kind, key, value) for kind, key, value in values],
        "refused": _refused(first),
    }


def _case(kind: str, key: SigningKey, value: board.Value) -> dict[str, Any]:
    signed = board.write(key, value)
    return {
        "kind": kind,
        "vouched": value.identity is None,
        "signed": signed.hex(),
        "digest": board.digest(signed).hex(),
    }


def _refused(first: bytes) -> list[dict[str, Any]]:
    fields = msgspec.to_builtins(FIRST, builtin_types=(bytes,))

    def case(
        why: str, code: str = "bad_post", context: str = "post", key: SigningKey = ALICE, **changes: Any
    ):
        value = {name: one for name, one in (fields | changes).items() if one is not None}
        body = codec.encode(value)
        return {"why": why, "code": code, "signed": (key.sign(context, body) + body).hex()}

    return [
        {"why": "changed", "code": "bad_post", "signed": (first[:-1] + bytes((first[-1] ^ 1,))).hex()},
        {"why": "cut short", "code": "bad_post", "signed": first[:70].hex()},
        {"why": "no octets", "code": "bad_post", "signed": ""},
        case("signed by another", key=BOX),
        case("signed for another purpose", context="entry"),
        case("vouched for by nobody", context="post", identity=None),
        case("vouched for in a person's name", context="box_post", key=BOX),
        case("newer version", "unknown_version", v=2),
        case("version zero", v=0),
        case("kind of tomorrow", "unknown_version", kind="poll"),
        case("a first post without subject", subject=None),
        case("a later post with a subject", thread=TARGET),
        case("a first post that replies", reply=TARGET),
        case("subject too long", subject="x" * 201),
        case("subject empty", subject=""),
        case("subject that turns around", subject="a\u202eb"),
        case("subject of two lines", subject="a\nb"),
        case("body empty", body=""),
        case("body too large", body="\u6c34" * 21_846),
        case("name with a capital", name="Alice"),
        case("unknown field", colour="red"),
        case("id too short", id=bytes(15)),
    ]
