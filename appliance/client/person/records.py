"""What lies in the vault: the records' names and shapes, the same as in `web/src/state/messenger/records.ts`.

Ids in names are hex. A record that only one device writes carries the device's id in its name.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from appliance.protocol.messages import Bytes16, Message
from appliance.protocol.peer import Peer
from appliance.protocol.prekeys import LastingSecret, OneTimeSecret
from appliance.protocol.route import Route

ACCOUNT = "account"
INDEX = "index"
LOGS = "logs"
UPLOADS = "uploads"
KNOCK = "knock"


def head(device: bytes) -> str:
    """Who sits on a device, and how far it is."""
    return f"head/{device.hex()}"


def keys(device: bytes) -> str:
    """A device's own secrets."""
    return f"keys/{device.hex()}"


def prekeys(device: bytes) -> str:
    """The secrets of a device's one-time prekeys."""
    return f"prekeys/{device.hex()}"


def wants(device: bytes) -> str:
    """Attachments whose chunks are not all here yet."""
    return f"wants/{device.hex()}"


def outgoing(device: bytes) -> str:
    """Messages saved but not known to have left."""
    return f"outgoing/{device.hex()}"


def session(device: bytes, peer: bytes) -> str:
    """What a device has with one device of somebody."""
    return f"session/{device.hex()}/{peer.hex()}"


def talk(conversation: str) -> str:
    """How it stands with a conversation."""
    return f"talk/{conversation}"


def person(conversation: str) -> str:
    """Who the other side is."""
    return f"person/{conversation}"


def segment(device: bytes, conversation: str, number: int) -> str:
    """A stretch of a conversation's log as one device wrote it; numbers from 1."""
    return f"log/{device.hex()}/{conversation}/{number}"


def channel(id: bytes) -> str:
    """A channel as the account knows it."""
    return f"channel/{id.hex()}"


def channel_keys(id: bytes, name: str) -> str:
    """A record of a channel's cipher, by the name that the cipher gives it."""
    return f"channel/{id.hex()}/{name}"


def posting(id: bytes, device: bytes) -> str:
    """A message to a channel that was sealed and may not have been taken."""
    return f"channel/{id.hex()}/posting/{device.hex()}"


def picture(conversation: str) -> str:
    """The picture of a correspondent, or under one's own identity; read when it is first shown."""
    return f"picture/{conversation}"


class Record(Message, omit_defaults=False, forbid_unknown_fields=False):
    """Base of what is stored: every field is written; fields of newer clients are not refused."""

    v: int


class SeatRow(Message, omit_defaults=False):
    """One device of the account, as the account remembers it."""

    device: Bytes16
    label: str
    signing: bytes
    agreement: bytes
    added: int


class Preferences(Message, omit_defaults=False, forbid_unknown_fields=False, rename="camel"):
    """What the person lets others see; `zone`: contacts are told the zone."""

    read_receipts: bool = True
    typing: bool = True
    presence: bool = True
    notifications: bool = False
    zone: bool = False


class Account(Record):
    """The account: its identity seed and its devices.

    `picture`: mark of the picture one shows, empty for none; `zone`: IANA name of the zone in which times are
    shown, empty for the browser's.
    """

    account: Bytes16
    name: str
    onion: str
    seed: bytes
    display: str
    settings: Preferences
    devices: list[SeatRow]
    picture: bytes = b""
    zone: str = ""


class Index(Record):
    """Which conversations there are: identities in hex."""

    ids: list[str]


class Contradiction(Message, omit_defaults=False, forbid_unknown_fields=False):
    """Two checkpoints of one box of which the later does not continue the earlier; kept as evidence.

    `before` is the head that was remembered and `note` its signed checkpoint (empty where an older client
    remembered the head only), `after` the later checkpoint; `accepted` once a person went on with that.
    """

    host: str
    hour: int
    before: dict[str, Any]
    note: str
    after: str
    accepted: bool = False


class Logs(Record):
    """The heads of directory logs and their checkpoints, by onion address, and contradictions seen."""

    heads: dict[str, Any]
    notes: dict[str, str] = msgspec.field(default_factory=dict)
    contradictions: list[Contradiction] = msgspec.field(default_factory=list)


class SessionMark(Message, omit_defaults=False):
    """A correspondent's device: handle, device id, version of its session record."""

    handle: bytes
    peer: bytes
    version: int


class Head(Record):
    """Who sits on a device, and how far it is; written with every change of the device.

    `instance` is of the client that sits there, `write` of its last write. Queue numbers up to `done` were
    processed, but those in `held`.
    """

    generation: int
    instance: bytes
    write: bytes
    epoch: bytes
    alive: int
    left: bool
    done: int
    held: list[int]
    sessions: list[SessionMark]


class ReplayMark(Message, omit_defaults=False):
    """A first message that came without a one-time prekey."""

    mark: bytes
    hour: int


class Keys(Record):
    """A device's own secrets; `shown` is the digest of the bundle published last."""

    signing: bytes
    agreement: bytes
    lasting: list[LastingSecret]
    shown: bytes
    replays: list[ReplayMark]


class Prekeys(Record):
    """One-time prekeys; `next` is the id of the next one to be made."""

    next: int
    secrets: list[OneTimeSecret]


class Tell(Message, omit_defaults=False):
    """What a device was told and has not acknowledged (`telling`).

    `digest` of it, `ids` of its contents, the dispatches it left with last, when that was (Unix seconds) and
    how many times.
    """

    what: Literal["routes", "hello"]
    digest: bytes
    ids: list[bytes]
    dispatches: list[bytes]
    at: int
    tries: int


class Session(Record):
    """What we have with one device of somebody.

    `routes`: where it wants its mail; `told`: digest of what it knows of us; `resynced`: second of the last
    re-establishment; `seen`: headers that came (`replays`); `tells`: what it has not acknowledged.
    """

    peer: Peer
    conversation: str
    handle: bytes
    routes: list[Route]
    told: bytes
    resynced: int
    seen: bytes = b""
    tells: list[Tell] = msgspec.field(default_factory=list)


class OutgoingEntry(Message, omit_defaults=False):
    """A message that may not have left: its id, the dispatch it was to leave with, the hour."""

    id: bytes
    conversation: str
    dispatch: bytes
    hour: int


class Outgoing(Record):
    """Messages saved but not known to have left."""

    entries: list[OutgoingEntry]


class Wants(Record):
    """Attachments whose chunks are not all here yet: their contents, as plain maps."""

    contents: list[dict[str, Any]]


class UploadEntry(Message, omit_defaults=False):
    """An attachment of which not every chunk was handed over yet, and the device that is at it."""

    conversation: str
    device: bytes
    content: dict[str, Any]


class Uploads(Record):
    """Attachments on their way out, of all devices of the account."""

    entries: list[UploadEntry]


class LastLine(Message, omit_defaults=False):
    """Enough of the last message to show it in a list."""

    id: bytes
    at: int
    mine: bool
    kind: str
    text: str


class Talk(Record, rename="camel"):
    """How it stands with a conversation; `segments` counts each device's stretches of its log.

    `fresh`: ids of messages not read yet; `taken`, `forgotten`: what was taken in (`unread`); `expires`,
    `timed`: what disappears (`expiry`).
    """

    state: Literal["request", "contact", "blocked"]
    before: Literal["request", "contact"]
    timer: int
    muted: bool
    draft: str
    fresh: list[bytes]
    last: LastLine | None
    segments: dict[str, int]
    taken: bytes = b""
    forgotten: int = 0
    expires: int = 0
    timed: dict[str, int] = msgspec.field(default_factory=dict)


class KeyChange(Message, omit_defaults=False):
    """Another identity stands under this name since `hour`."""

    identity: bytes
    hour: int


class Person(Record):
    """Who the other side is; `entry` is the signed entry last seen, empty when none was.

    `picture`: mark of the picture they show, empty for none; `zone`: name of their time zone as they say.
    """

    name: str
    onion: str
    identity: bytes
    display: str
    verified: bool
    entry: bytes
    checked: int
    change: KeyChange | None
    picture: bytes = b""
    zone: str = ""


class Picture(Record):
    """What somebody looks like: a JPEG (`protocol.picture`). Its mark stands with whom it shows."""

    picture: bytes


class Channel(Record):
    """A channel: `state` of its roster as it was seen last (`membership.Stored`), keys of its sealed infos.

    `devices`: identity ‖ device of whom we have chains; `asked`: hours by hex of chains that were asked for;
    `alarm`: a member's device showed us another roster.
    """

    state: dict[str, Any]
    info_keys: list[bytes]
    devices: list[bytes]
    asked: dict[str, int]
    alarm: bool = False


class Posting(Record):
    """A sealed message that may not have been taken: what is posted, and what it says."""

    post: dict[str, Any]
    payload: bytes


class Segment(Record):
    """A stretch of a log: events as `records.ts` (LogEvent) describes them."""

    events: list[dict[str, Any]]


def new_talk(state: Literal["request", "contact"]) -> Talk:
    """A conversation that begins."""
    return Talk(1, state, state, 0, False, "", [], None, {})
