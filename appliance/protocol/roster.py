"""The roster: who is in a channel and how it is set, as a hash chain of entries its members sign.

The box that keeps the channel and every client run `apply` over the same entries and come to the same state,
so that the box can add nobody and take nobody's rights: it can only withhold what comes last.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec, keys
from appliance.protocol.account import AccountName
from appliance.protocol.keys import SIGNATURE_SIZE, SigningKey
from appliance.protocol.messages import Bytes16, Bytes32, Message
from appliance.protocol.names import is_plain

VERSION: Final = 1
MAX_ENTRY_OCTETS: Final = 4096
"""Octets of a signed entry."""
MAX_TITLE: Final = 64
MAX_TOPIC: Final = 500
"""Code points."""
MAX_SEALED: Final = 3072
"""Octets of a sealed title and topic."""
MAX_TIMER: Final = 31_536_000
MAX_SLOW: Final = 86_400

_ROSTER_CONTEXT: Final = "roster"

Role = Literal["owner", "moderator", "member"]
"""A member's role in one channel; it says nothing of their role at the box."""
Number = Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]
Hour = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
TimerSeconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIMER)]
SlowSeconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_SLOW)]


class Info(Message, omit_defaults=False):
    """What a channel is called, and what it is about; each one line."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TITLE)]
    topic: Annotated[str, msgspec.Meta(max_length=MAX_TOPIC)]


SealedInfo = Annotated[bytes, msgspec.Meta(min_length=48, max_length=MAX_SEALED)]
"""The info of a private channel (channel_info.py)."""


class Create(Message, omit_defaults=False, tag_field="kind", tag="create"):
    """The first entry: whoever signs it is the owner, under this name at this box."""

    public: bool
    name: AccountName
    onion: Bytes32
    info: Info | SealedInfo
    timer: TimerSeconds
    slow: SlowSeconds


class Add(Message, omit_defaults=False, tag_field="kind", tag="add"):
    """Somebody becomes a member."""

    name: AccountName
    onion: Bytes32
    identity: Bytes32
    role: Role


class Join(Message, omit_defaults=False, tag_field="kind", tag="join"):
    """Whoever signs becomes a member of a public channel."""

    name: AccountName
    onion: Bytes32


class Remove(Message, omit_defaults=False, tag_field="kind", tag="remove"):
    """A member is put out, and cannot join again by themselves."""

    identity: Bytes32


class Leave(Message, omit_defaults=False, tag_field="kind", tag="leave"):
    """Whoever signs is a member no more."""


class SetRole(Message, omit_defaults=False, tag_field="kind", tag="role"):
    """A member gets another role."""

    identity: Bytes32
    role: Role


class SetInfo(Message, omit_defaults=False, tag_field="kind", tag="info"):
    """Another title and topic."""

    info: Info | SealedInfo


class SetTimer(Message, omit_defaults=False, tag_field="kind", tag="timer"):
    """Messages posted from now on disappear after so many seconds; 0: never."""

    seconds: TimerSeconds


class SetSlow(Message, omit_defaults=False, tag_field="kind", tag="slow"):
    """A member (no moderator, no owner) waits so many seconds between two messages."""

    seconds: SlowSeconds


class Close(Message, omit_defaults=False, tag_field="kind", tag="close"):
    """Nothing is posted any more; what was said stays to be read."""


Change = Create | Add | Join | Remove | Leave | SetRole | SetInfo | SetTimer | SetSlow | Close
KINDS: Final = ("create", "add", "join", "remove", "leave", "role", "info", "timer", "slow", "close")


class Entry(Message, omit_defaults=False):
    """One change. Signed by `actor`, the account identity of whoever makes it, context "roster".

    `previous` is the hash of the signed entry before (32 zeros for the first): so it names all before it.
    """

    version: int
    channel: Bytes16
    number: Number
    previous: Bytes32
    hour: Hour
    actor: Bytes32
    change: Change


class Link(Message):
    """An entry whose signature was verified, and its hash."""

    entry: Entry
    hash: bytes


def sign(identity: SigningKey, entry: Entry) -> bytes:
    """The entry as it travels: signature(64) ‖ CBOR; Refusal bad_roster when no reader would take it."""
    body = codec.encode(entry)
    signed = identity.sign(_ROSTER_CONTEXT, body) + body
    read(signed)
    return signed


def read(signed: bytes) -> Link:
    """The entry in these bytes, signed by its actor; Refusal bad_roster, or unknown_version.

    A kind of change that is not known is of a newer version: whoever meets one can go no further.
    """
    if len(signed) > MAX_ENTRY_OCTETS:
        raise Refusal("bad_roster")
    body = signed[SIGNATURE_SIZE:]
    try:
        value = codec.decode(body)
        if _is_newer(value):
            raise Refusal("unknown_version")
        entry = codec.convert(value, Entry)
        keys.verify(entry.actor, signed[:SIGNATURE_SIZE], _ROSTER_CONTEXT, body)
    except Refusal as error:
        if error.code == "unknown_version":
            raise
        raise Refusal("bad_roster") from error
    info = getattr(entry.change, "info", None)
    if entry.version != VERSION or (isinstance(info, Info) and not is_plain_info(info)):
        raise Refusal("bad_roster")
    return Link(entry, hash_of(signed))


def hash_of(signed: bytes) -> bytes:
    """By what the next entry and every message of the channel name this one."""
    return hashlib.sha256(signed).digest()


def is_plain_info(info: Info) -> bool:
    """True when nothing invisible in title or topic could deceive."""
    return is_plain(info.title) and is_plain(info.topic, MAX_TOPIC)


def _is_newer(value: Any) -> bool:
    if not isinstance(value, dict) or type(value.get("version")) is not int:
        return False
    if value["version"] != VERSION:
        return bool(value["version"] > VERSION)
    change = value.get("change")
    kind = change.get("kind") if isinstance(change, dict) else None
    return type(kind) is str and kind not in KINDS
