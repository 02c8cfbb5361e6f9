"""The post on the wire: what a member's device leaves with its own box, fetches from it, and hears of it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from appliance.protocol.log import LogNews
from appliance.protocol.messages import Bytes16, Message
from appliance.protocol.route import Route

MAX_DESTINATIONS = 64
MAX_ENVELOPES = 256
MAX_QUEUE = 256
MAX_SOCKET_MESSAGE = 16 * 1024
"""Octets of one message of a device on the event socket."""

Handle = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
"""A device's own word for one of its correspondents' devices; means nothing to the box."""


class Destination(Message):
    """A device to be reached: its routes in the order to be tried, the home box first."""

    handle: Handle
    routes: Annotated[list[Route], msgspec.Meta(min_length=1, max_length=8)]
    envelopes: Annotated[list[int], msgspec.Meta(min_length=1, max_length=MAX_ENVELOPES)]
    """Which of the dispatch's envelopes go there, in this order."""


class Dispatch(Message):
    """Envelopes to be delivered until `hours` are over; the same again is answered alike."""

    id: Bytes16
    envelopes: Annotated[list[bytes], msgspec.Meta(min_length=1, max_length=MAX_ENVELOPES)]
    to: Annotated[list[Destination], msgspec.Meta(min_length=1, max_length=MAX_DESTINATIONS)]
    hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 336


State = Literal["waiting", "partly", "relay", "box", "given_up"]
"""waiting: at the sender's box; partly: some envelopes are placed; relay: all at relays; box: all taken by
the recipient's box; given_up: the time is over or every route refuses for good."""


class Leg(Message, omit_defaults=False):
    """How it stands with one destination: relays keep it to hour `until`; `reason` is a refusal code."""

    handle: bytes
    state: State
    until: int | None = None
    relays: int = 0
    reason: str | None = None


class DispatchState(Message, omit_defaults=False):
    """How it stands with a dispatch."""

    id: bytes
    legs: list[Leg]


class Dispatches(Message, omit_defaults=False):
    """The member's dispatches not yet done, and those done elsewhere or given up within the last day."""

    dispatches: list[DispatchState]


class WantMailboxes(Message):
    """Make sure this device has a mailbox for each handle here and at every relay in use.

    The handle of eight zero octets is the request mailbox.
    """

    handles: Annotated[list[Handle], msgspec.Meta(max_length=256)]


class MailboxRoutes(Message, omit_defaults=False):
    """The routes of one handle's mailboxes that are ready; more may follow (event "routes")."""

    handle: bytes
    routes: list[Route]


class AllRoutes(Message, omit_defaults=False):
    """Routes by handle."""

    mailboxes: list[MailboxRoutes]


class DropMailboxes(Message):
    """Give up the mailboxes of some handles (a blocked or forgotten correspondent)."""

    handles: Annotated[list[Handle], msgspec.Meta(max_length=256)]


class Queued(Message, omit_defaults=False):
    """An envelope that waits for this device: number, the mailbox's handle, hour of arrival."""

    number: int
    handle: bytes
    hour: int
    envelope: bytes


class Queue(Message, omit_defaults=False):
    """Envelopes in the order of arrival; fetched again until settled."""

    envelopes: list[Queued]
    more: bool


class Settle(Message):
    """`done` are removed. `keep` become the account's kept envelopes under their ids (attachments)."""

    done: Annotated[list[int], msgspec.Meta(max_length=MAX_QUEUE)] = msgspec.field(default_factory=list)
    keep: Annotated[list[int], msgspec.Meta(max_length=MAX_QUEUE)] = msgspec.field(default_factory=list)


class ReadKept(Message):
    """Read some of the account's kept envelopes."""

    ids: Annotated[list[Bytes16], msgspec.Meta(max_length=MAX_ENVELOPES)]


class Kept(Message, omit_defaults=False):
    """Kept envelopes in the order asked; None for one that is not there."""

    envelopes: list[bytes | None]


class Lacking(Message, omit_defaults=False):
    """Which of the ids asked for are not kept, in the order asked."""

    ids: list[bytes]


class Keep(Message):
    """Keep envelopes of one's own (sent attachments), so that one's other devices can read them."""

    envelopes: Annotated[list[bytes], msgspec.Meta(max_length=MAX_ENVELOPES)]


class DropKept(Message):
    """Remove kept envelopes (a deleted or disappeared attachment)."""

    ids: Annotated[list[Bytes16], msgspec.Meta(max_length=MAX_ENVELOPES)]


class Signal(Message):
    """A passing sign (typing, here): one envelope of 960 octets, delivered now or never, stored nowhere."""

    routes: Annotated[list[Route], msgspec.Meta(min_length=1, max_length=16)]
    envelope: Annotated[bytes, msgspec.Meta(min_length=960, max_length=960)]


class RelaySignal(Message):
    """The same between boxes; held for nobody."""

    mailbox: Annotated[bytes, msgspec.Meta(min_length=20, max_length=20)]
    capability: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    envelope: Annotated[bytes, msgspec.Meta(min_length=960, max_length=960)]


class Ticket(Message, omit_defaults=False):
    """Opens one WebSocket within 30 seconds."""

    ticket: str


class Here(Message, omit_defaults=False):
    """Members who are here now and let it be seen."""

    names: list[str]


class Listening(Message, omit_defaults=False):
    """Which of the account's devices hear what happens, now or a moment ago; known for so many seconds."""

    devices: list[bytes]
    seconds: int


class Presence(Message):
    """Whether others on this box see that this member is here."""

    visible: bool


EventKind = Literal[
    "hello",
    "mail",
    "dispatch",
    "vault",
    "prekeys",
    "routes",
    "signal",
    "here",
    "log",
    "report",
    "desk",
    "box",
    "session",
    "reset",
]


class Event(Message):
    """Something the device may want to know; `number` rises by one within a stream or long poll.

    mail: look into the queue (`queued` carries what arrived when it is small) · dispatch: one changed ·
    vault: another device of the account changed it, `revision` · prekeys: `left` of this device ·
    routes: a handle's routes changed · signal: `handle` and `envelope` · here: `names` ·
    log: one that this sign-in hears of has grown or changed · report: one's own, `report`, was acted on ·
    desk: reports or approvals, for those who look after the box · box: its name, looks or switches ·
    session: this session has ended, or may do other things now ·
    reset: events were lost, read everything again.
    """

    number: int
    kind: EventKind
    queued: list[Queued] | None = None
    dispatch: DispatchState | None = None
    revision: int | None = None
    left: int | None = None
    handle: bytes | None = None
    envelope: bytes | None = None
    names: list[str] | None = None
    log: LogNews | None = None
    report: bytes | None = None


class Events(Message, omit_defaults=False):
    """Events after the number asked for; `stream` names the buffer they come from."""

    stream: bytes
    events: list[Event]
