"""Content: what one message says, as it stands inside a session; one frozen type for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec, picture
from appliance.protocol.messages import Bytes16, Bytes32, Message
from appliance.protocol.names import MAX_FILE_NAME, MAX_NAME, clean_file_name, is_plain
from appliance.protocol.route import Route

VERSION: Final = 1
MAX_OCTETS: Final = 14_000
"""Octets of one content; so it fits the largest envelope also as a first message."""
MAX_TEXT: Final = 8000
"""Code points."""
MAX_TIMER: Final = 31_536_000
MAX_LISTED: Final = 512
"""Chunk ids in a manifest; of a larger attachment it names the index chunks."""
MAX_TARGETS: Final = 64
MAX_ITERATIONS: Final = 1000
"""Messages of one chain of sender keys."""

C = TypeVar("C")
Seconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Life = Annotated[int, msgspec.Meta(ge=1, le=MAX_TIMER)]
Zone = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_+/-]{1,64}$(?!\n)")]
Words = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]


class Common(Message):
    """What every content has: version, id, the second at which it was sent, and its life once read."""

    v: int
    id: Bytes16
    sent: Seconds


class Text(Common, tag_field="kind", tag="text"):
    """Words, perhaps in reply to a message."""

    text: Words
    reply: Bytes16 | None = None
    timer: Life | None = None


class Voice(Message, omit_defaults=False):
    """An attachment that is a voice message: its length and the shape of its sound."""

    seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)]
    peaks: Annotated[bytes, msgspec.Meta(max_length=64)]


class Attachment(Common, tag_field="kind", tag="attachment"):
    """A file that travels in chunks of its own (attachment.py). `chunks` are envelope ids."""

    name: Annotated[str, msgspec.Meta(max_length=MAX_FILE_NAME)]
    media: Annotated[str, msgspec.Meta(pattern=r"^[ -~]{0,100}$(?!\n)")]
    size: Seconds
    digest: Bytes32
    key: Bytes32
    chunks: Annotated[list[Bytes16], msgspec.Meta(min_length=1, max_length=MAX_LISTED)]
    text: Words | None = None
    reply: Bytes16 | None = None
    voice: Voice | None = None
    timer: Life | None = None


class Reaction(Common, tag_field="kind", tag="reaction"):
    """One's only reaction to a message; an empty one takes it back."""

    target: Bytes16
    emoji: Annotated[str, msgspec.Meta(max_length=16)]
    timer: Life | None = None


class Edit(Common, tag_field="kind", tag="edit"):
    """New words for a message of one's own."""

    target: Bytes16
    text: Words
    timer: Life | None = None


class Delete(Common, tag_field="kind", tag="delete"):
    """Take a message of one's own back."""

    target: Bytes16
    timer: Life | None = None


class Receipt(Common, tag_field="kind", tag="receipt"):
    """These messages arrived, or were read."""

    what: Literal["delivered", "read"]
    targets: Annotated[list[Bytes16], msgspec.Meta(min_length=1, max_length=MAX_TARGETS)]
    timer: Life | None = None


class Timer(Common, tag_field="kind", tag="timer"):
    """From now on messages of this conversation disappear so long after being read; 0: never."""

    seconds: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIMER)]
    timer: Life | None = None


class Routes(Common, tag_field="kind", tag="routes"):
    """Where this device wants its mail from the peer device."""

    routes: Annotated[list[Route], msgspec.Meta(max_length=8)]
    timer: Life | None = None


class Profile(Common, tag_field="kind", tag="profile"):
    """All that one shows of oneself: what is not there was taken away. `zone` is an IANA name."""

    display: Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
    picture: bytes | None = None
    zone: Zone | None = None
    timer: Life | None = None


class Resync(Common, tag_field="kind", tag="resync"):
    """Something could not be read: this is a new session, send again what has no receipt."""

    timer: Life | None = None


class Hello(Common, tag_field="kind", tag="hello"):
    """The request is accepted; or just a sign of life that begins a session."""

    timer: Life | None = None


class RosterMark(Message, omit_defaults=False):
    """Where the sender saw a channel's roster: number and hash of its last entry."""

    number: Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]
    hash: Bytes32


class SenderKey(Common, tag_field="kind", tag="sender_key"):
    """The chain by which this device writes to a channel, from an iteration on (sender_key.py).

    `info_key` opens the channel's title and topic, where those are sealed.
    """

    channel: Bytes16
    generation: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    since: Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]
    signing: Bytes32
    iteration: Annotated[int, msgspec.Meta(ge=0, le=MAX_ITERATIONS)]
    key: Bytes32
    roster: RosterMark
    info_key: Bytes32 | None = None
    timer: Life | None = None


class SenderKeyWanted(Common, tag_field="kind", tag="sender_key_wanted"):
    """These chains of yours stand in a channel's log, and we have no key of them."""

    channel: Bytes16
    chains: Annotated[list[Bytes16], msgspec.Meta(min_length=1, max_length=MAX_TARGETS)]
    timer: Life | None = None


Content = (
    Text
    | Attachment
    | Reaction
    | Edit
    | Delete
    | Receipt
    | Timer
    | Routes
    | Profile
    | Resync
    | Hello
    | SenderKey
    | SenderKeyWanted
)

_KINDS: Final[dict[str, type[Content]]] = {
    "text": Text,
    "attachment": Attachment,
    "reaction": Reaction,
    "edit": Edit,
    "delete": Delete,
    "receipt": Receipt,
    "timer": Timer,
    "routes": Routes,
    "profile": Profile,
    "resync": Resync,
    "hello": Hello,
    "sender_key": SenderKey,
    "sender_key_wanted": SenderKeyWanted,
}


def write(content: Content) -> bytes:
    """The payload of a content; Refusal too_large, or bad_message when nobody could read it."""
    payload = codec.encode(content)
    if len(payload) > MAX_OCTETS:
        raise Refusal("too_large")
    read(payload)
    return payload


def read(payload: bytes) -> Content:
    """The content in a payload; Refusal unknown_version for a newer one or a new kind, else bad_message.

    The name of an attachment comes without whatever could deceive.
    """
    return read_one(payload, _KINDS)


def read_one(payload: bytes, kinds: Mapping[str, type[C]]) -> C:
    """The same, of these kinds."""
    try:
        value = codec.decode(payload)
        kind = _kind_of(value, kinds)
        content = codec.convert(value, kind)
    except Refusal as error:
        if error.code == "unknown_version":
            raise
        raise Refusal("bad_message") from error
    if isinstance(content, Attachment):
        return msgspec.structs.replace(content, name=clean_file_name(content.name))
    if isinstance(content, Profile):
        _check_profile(content)
    if isinstance(content, Reaction) and not is_plain(content.emoji):
        raise Refusal("bad_message")
    return content


def _check_profile(profile: Profile) -> None:
    if not is_plain(profile.display):
        raise Refusal("bad_message")
    if profile.picture is not None:
        try:
            picture.read(profile.picture)
        except Refusal as error:
            raise Refusal("bad_message") from error


def is_small(content: Content) -> bool:
    """True for control messages, which may travel in the smallest envelopes."""
    return isinstance(content, Receipt | Reaction | SenderKey | SenderKeyWanted)


def _kind_of(value: Any, kinds: Mapping[str, type[C]]) -> type[C]:
    if not isinstance(value, dict) or type(value.get("v")) is not int or type(value.get("kind")) is not str:
        raise Refusal("malformed")
    if value["v"] < VERSION:
        raise Refusal("malformed")
    if value["v"] > VERSION or value["kind"] not in kinds:
        raise Refusal("unknown_version")
    return kinds[value["kind"]]
