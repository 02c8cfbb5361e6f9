"""Boards: what members sign to post, change and moderate, and how anybody checks it (SPEC.md, "Boards").

Everything that stands in a board's log is one signed value: signature(64) ‖ CBOR. Signed is the whole value,
its kind with it, by the author's account identity; or, where a person has no keys at hand (pages without
JavaScript), by the box in their name: then `identity` is missing and a reader says so.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec, keys
from appliance.protocol.account import AccountName
from appliance.protocol.keys import SIGNATURE_SIZE, SigningKey
from appliance.protocol.messages import Bytes16, Bytes32, Message
from appliance.protocol.names import is_plain

VERSION: Final = 1
MAX_SUBJECT: Final = 200
"""Code points."""
MAX_POST_OCTETS: Final = 65_536
"""Octets of a post's Markdown."""
MAX_SIGNED: Final = 71_680
"""Octets of a signed value."""
MAX_REASON: Final = 500
MAX_TOPIC: Final = 128
MAX_DATA: Final = 4096
MAX_TITLE: Final = 64
MAX_ABOUT: Final = 1000
MAX_PEERS: Final = 32

_POST_CONTEXT: Final = "post"
_BOX_CONTEXT: Final = "box_post"

Seconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Markdown = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_POST_OCTETS)]
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SUBJECT)]
Act = Literal["pin", "unpin", "lock", "unlock", "remove", "remove_thread", "release"]


class Word(Message):
    """What everything signed has: version, own id, board, second, and whose it is at which box."""

    v: int
    id: Bytes16
    board: Bytes16
    sent: Seconds
    name: AccountName
    onion: Bytes32
    identity: Bytes32 | None = None


class Post(Word, kw_only=True, tag_field="kind", tag="post"):
    """Markdown. The first post of a thread has a `subject` and no `thread`, which is that post's id."""

    body: Markdown
    thread: Bytes16 | None = None
    reply: Bytes16 | None = None
    subject: Subject | None = None


class Edit(Word, kw_only=True, tag_field="kind", tag="edit"):
    """New words for a post of one's own; `previous` is the SHA-256 of the signed version they replace."""

    target: Bytes16
    previous: Bytes32
    body: Markdown
    subject: Subject | None = None


class Deletion(Word, kw_only=True, tag_field="kind", tag="delete"):
    """Take a post of one's own back."""

    target: Bytes16


class Moderation(Word, kw_only=True, tag_field="kind", tag="moderate"):
    """What a moderator does to a thread (its first post's id) or to a post."""

    target: Bytes16
    act: Act
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] | None = None


class Notice(Word, kw_only=True, tag_field="kind", tag="event"):
    """An event for applets: the board as their bus. Shown in no thread."""

    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TOPIC)]
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_DATA)]


Value = Post | Edit | Deletion | Moderation | Notice
V = TypeVar("V", bound=Word)

KINDS: Final[dict[str, tuple[int, type[Value]]]] = {
    "post": (1, Post),
    "edit": (2, Edit),
    "delete": (3, Deletion),
    "moderate": (4, Moderation),
    "event": (5, Notice),
}
"""By the word that is signed: the kind of the log's entry, and its type."""


class Opened(NamedTuple):
    """A signed value that was checked; `vouched` when the box signed it and not its author."""

    value: Value
    vouched: bool

    def __repr__(self) -> str:
        return "<Opened>"


def write(key: SigningKey, value: Value) -> bytes:
    """A value as it travels, signed by its author's identity, or by the box where it names none.

    Refusals: too_large, bad_post when nobody could read it.
    """
    context = _BOX_CONTEXT if value.identity is None else _POST_CONTEXT
    body = codec.encode(value)
    signed = key.sign(context, body) + body
    if len(signed) > MAX_SIGNED:
        raise Refusal("too_large")
    read(signed)
    return signed


def read(signed: bytes) -> Opened:
    """The value, its signature checked under the key it names; Refusal bad_post, unknown_version.

    That the key is the one the directory shows for the name at that box is for the caller to say.
    """
    try:
        if len(signed) > MAX_SIGNED:
            raise Refusal("bad_post")
        body = signed[SIGNATURE_SIZE:]
        decoded = codec.decode(body)
        value = codec.convert(decoded, _kind_of(decoded))
        vouched = value.identity is None
        key = value.onion if value.identity is None else value.identity
        keys.verify(key, signed[:SIGNATURE_SIZE], _BOX_CONTEXT if vouched else _POST_CONTEXT, body)
    except Refusal as error:
        if error.code == "unknown_version":
            raise
        raise Refusal("bad_post") from error
    if not _is_sound(value):
        raise Refusal("bad_post")
    return Opened(value, vouched)


def value_of(signed: bytes) -> Value:
    """The value without a look at signature or form: for what was checked when it came. Refusal malformed."""
    decoded = codec.decode_own(signed[SIGNATURE_SIZE:])
    return codec.convert(decoded, _kind_of(decoded))


def digest(signed: bytes) -> bytes:
    """What an edit names of the version it replaces."""
    return hashlib.sha256(signed).digest()


def entry_kind(value: Value) -> int:
    """The kind of the log's entry that holds a value."""
    return next(number for number, kind in KINDS.values() if isinstance(value, kind))


def _kind_of(value: Any) -> type[Value]:
    if not isinstance(value, dict) or type(value.get("v")) is not int or type(value.get("kind")) is not str:
        raise Refusal("malformed")
    if value["v"] < VERSION:
        raise Refusal("malformed")
    if value["v"] > VERSION or value["kind"] not in KINDS:
        raise Refusal("unknown_version")
    return KINDS[value["kind"]][1]


def _is_sound(value: Value) -> bool:
    """What the types do not say."""
    if isinstance(value, Post | Edit) and len(value.body.encode()) > MAX_POST_OCTETS:
        return False
    if isinstance(value, Post):
        opens = value.thread is None
        if opens != (value.subject is not None) or (opens and value.reply is not None):
            return False
    if isinstance(value, Post | Edit | Notice):
        return value.subject is None or is_plain(value.subject, MAX_SUBJECT)
    return not isinstance(value, Moderation) or value.reason is None or is_plain(value.reason, MAX_REASON)


Poster = Literal["member", "moderator", "admin"]
"""The least role that may post."""


class Board(Message, omit_defaults=False):
    """A board with what stands in it. Its id is that of its log, and of its room.

    `days` and `most` bound what it keeps, `karma` who may post; `peers` are the onion keys of the boxes that
    may read all of it; of a mirror, `home` is the onion key of the box whose board it is; `last` is the log's
    highest number.
    """

    id: Bytes16
    title: str
    about: str
    days: int
    most: int
    realtime: bool
    posters: Poster
    karma: int
    slow: int
    order: int
    closed: bool
    peers: list[bytes]
    home: bytes | None
    made_hour: int
    threads: int
    posts: int
    last: int


class Boards(Message, omit_defaults=False):
    """Every board, in the order its owner gave them."""

    boards: list[Board]


Title = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TITLE)]
About = Annotated[str, msgspec.Meta(max_length=MAX_ABOUT)]
Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]
Most = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Slow = Annotated[int, msgspec.Meta(ge=0, le=86_400)]
Peers = Annotated[list[Bytes32], msgspec.Meta(max_length=MAX_PEERS)]


class NewBoard(Message):
    """Make a board; the same `id` again is answered alike.

    A thread is kept for `days` after its last post; beyond `most` posts the quietest threads go.
    """

    id: Bytes16
    title: Title
    about: About = ""
    days: Days = 90
    most: Most = 200_000
    realtime: bool = True
    posters: Poster = "member"
    karma: Count = 0
    slow: Slow = 0
    order: Count = 0


class ChangeBoard(Message):
    """What is named is changed. A closed board can be read and not written to."""

    title: Title | None = None
    about: About | None = None
    days: Days | None = None
    most: Most | None = None
    realtime: bool | None = None
    posters: Poster | None = None
    karma: Count | None = None
    slow: Slow | None = None
    order: Count | None = None
    closed: bool | None = None
    peers: Peers | None = None


class Thread(Message, omit_defaults=False):
    """A thread in the list: the box's word for its first post. `last` is its newest post's number."""

    thread: bytes
    number: int
    subject: str
    name: str
    posts: int
    last: int
    last_name: str
    last_hour: int
    pinned: bool
    locked: bool


class Threads(Message, omit_defaults=False):
    """Threads by last post, the newest first; those that are pinned stand apart, on the first page only."""

    board: bytes
    pinned: list[Thread]
    threads: list[Thread]
    more: bool
    last: int


class PostView(Message, omit_defaults=False):
    """A post: what its author signed first, and the newest of its `edits`; neither when it was removed."""

    number: int
    id: bytes
    hour: int
    post: bytes | None
    edit: bytes | None
    edits: int
    own: bool
    removed: Literal["author", "moderator", "expired"] | None = None


class Posts(Message, omit_defaults=False):
    """A stretch of a thread, and the signed directory entries of those who wrote in it."""

    board: bytes
    thread: Thread
    posts: list[PostView]
    more: bool
    authors: list[bytes]


class Versions(Message, omit_defaults=False):
    """Everything a post has said: signed versions from the first on; where it stands is the box's word."""

    thread: bytes
    number: int
    versions: list[bytes]
    authors: list[bytes]


class Submit(Message):
    """A signed value for the board's log; the same again is answered alike."""

    signed: Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_SIZE + 1, max_length=MAX_SIGNED)]


class Submitted(Message, omit_defaults=False):
    """The number it has; `held`: a moderator looks at it first."""

    number: int
    held: bool = False


class NumberedNotice(Message, omit_defaults=False):
    """One event and its number."""

    number: int
    signed: bytes


class Notices(Message, omit_defaults=False):
    """Events of a board after a number, signed, with the directory entries of who made them."""

    notices: list[NumberedNotice]
    last: int
    more: bool
    authors: list[bytes]


class HeldEntry(Message, omit_defaults=False):
    """An entry that only moderators and its author see, until a moderator lets it through or removes it."""

    number: int
    id: bytes
    hour: int
    signed: bytes
    own: bool


class Held(Message, omit_defaults=False):
    """Entries that wait, in order: all of them for moderators, their own for others."""

    entries: list[HeldEntry]
    more: bool
    authors: list[bytes]


class FeedLink(Message, omit_defaults=False):
    """The secret part of one's feeds' addresses."""

    secret: str
