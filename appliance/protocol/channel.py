"""Channels on the wire: what members ask their box, and post (SPEC.md, "Channels at their box").

Entries of its log are read as those of every log are (log.py): kinds `roster` and `message`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from appliance.protocol.account import AccountName
from appliance.protocol.channel_message import MAX_MESSAGE
from appliance.protocol.directory import Found, TakenPrekey
from appliance.protocol.membership import MAX_MEMBERS, Mark
from appliance.protocol.messages import Bytes16, Message
from appliance.protocol.roster import MAX_ENTRY_OCTETS, Number

KINDS: Final = ("roster", "message")
"""Kinds of entries in a channel's log, by their number there."""
MAX_LOOK_UPS: Final = 50
"""Members that are looked up, or whose prekeys are taken, in one request."""
MAX_HOURS: Final = 8784
"""A message lives at most so long, when it is to disappear: a year and a day."""

Signed = Annotated[bytes, msgspec.Meta(min_length=65, max_length=MAX_ENTRY_OCTETS)]
Devices = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
"""How often a member's directory entry has changed, or a member came, since the channel is there."""


class Channel(Message, omit_defaults=False):
    """A channel as the box knows it."""

    id: Bytes16
    encryption: Literal["sender-keys/1"]
    public: bool
    closed: bool
    roster: Mark
    devices: Devices
    members: int
    last: int
    """The number of the log's last entry."""
    oldest: int
    """The number of the first entry that is still there."""
    member: bool
    """Whether whoever asks is a member."""
    title: str | None
    topic: str | None
    """Of a public channel; what they are in a private one only its members know."""


class Channels(Message, omit_defaults=False):
    """Those one is a member of, and those one may join."""

    channels: list[Channel]


class NewChannel(Message):
    """Make a channel: its first signed entry. The same again is answered alike."""

    entry: Signed


class AppendRoster(Message):
    """One more signed entry of the roster. The same again is answered alike."""

    channel: Bytes16
    entry: Signed


class Appended(Message, omit_defaults=False):
    """Where the entry stands in the log, and how the channel stands with it."""

    number: int
    roster: Mark
    devices: Devices


class PostChannel(Message):
    """A sealed message under an id of one's own; the same id again is answered alike.

    `roster` and `devices` are what one saw when one sealed it: Refusal old_roster when they are not the
    present ones. It is to be gone after `hours`, where the channel's timer or one's own says so.
    """

    channel: Bytes16
    id: Bytes16
    roster: Number
    devices: Devices
    sealed: Annotated[bytes, msgspec.Meta(min_length=960, max_length=MAX_MESSAGE)]
    hours: Annotated[int, msgspec.Meta(ge=1, le=MAX_HOURS)] | None = None


class Posted(Message, omit_defaults=False):
    """Where it stands in the log, and the hour it was taken in."""

    number: int
    hour: int


class TakeDown(Message):
    """Remove what a message says: one's own, or anybody's as who keeps order in the channel or at the box."""

    channel: Bytes16
    number: Annotated[int, msgspec.Meta(ge=1, lt=1 << 53)]


class RosterQuery(Message):
    """Ask for the entries of a roster after a number (0: all)."""

    channel: Bytes16
    after: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)] = 0


class RosterEntry(Message, omit_defaults=False):
    """A signed entry of the roster, and where it stands in the log."""

    number: int
    entry: bytes


class RosterPage(Message, omit_defaults=False):
    """Entries in their order; `more` when others follow. They stay when the log's messages go."""

    entries: list[RosterEntry]
    more: bool


class MembersQuery(Message):
    """Ask for directory entries of members, by name, with proofs from `size` on as in LookUp."""

    channel: Bytes16
    names: Annotated[list[AccountName], msgspec.Meta(min_length=1, max_length=MAX_LOOK_UPS)]
    size: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)] = 0


class MembersPage(Message, omit_defaults=False):
    """What is found of them, in the order asked, nothing of a name that is gone; all at one state of the log.

    `devices` is the channel's counter before it was looked: who posts with it has read no less.
    """

    found: Annotated[list[Found], msgspec.Meta(max_length=MAX_LOOK_UPS)]
    devices: Devices


class MembersSince(Message):
    """Ask whose entries have changed since the counter stood there (0: everybody's)."""

    channel: Bytes16
    devices: Devices


class MembersChanged(Message, omit_defaults=False):
    """Names of members to be looked up again, and the counter that goes with it."""

    names: Annotated[list[AccountName], msgspec.Meta(max_length=MAX_MEMBERS)]
    devices: Devices


class WantedPrekeys(Message):
    """Devices of one member."""

    name: AccountName
    devices: Annotated[list[Bytes16], msgspec.Meta(min_length=1, max_length=16)]


class TakeMany(Message):
    """Take one one-time prekey of each named device of members; no work is asked for."""

    channel: Bytes16
    wanted: Annotated[list[WantedPrekeys], msgspec.Meta(min_length=1, max_length=MAX_LOOK_UPS)]


class TakenOf(Message, omit_defaults=False):
    """One member's."""

    name: AccountName
    prekeys: list[TakenPrekey]


class TakenMany(Message, omit_defaults=False):
    """One-time prekeys, gone from the box for good, in the order asked; nothing of a name that is gone."""

    taken: list[TakenOf]
