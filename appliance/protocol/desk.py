"""Every value of the owner's desk: what the web page and the command line say to their own box."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from appliance.protocol.account import Registration, Role
from appliance.protocol.messages import Bytes32, Message

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class TorState(Message, omit_defaults=False):
    """What Tor is doing, in words; `percent` counts the bootstrap, `skew_seconds` a wrong clock."""

    phase: Literal["off", "starting", "bootstrapping", "publishing", "reachable", "restarting", "failed"]
    percent: int
    words: str
    version: str = ""
    source: Literal["system", "bundled", "none"] = "none"
    age_days: int | None = None
    outdated: bool = False
    skew_seconds: int | None = None
    problem: str | None = None


class RelayBrief(Message, omit_defaults=False):
    """The relay in one line."""

    policy: str
    held: int
    octets: int
    octets_limit: int


class State(Message, omit_defaults=False):
    """Everything the first page needs; long-polled by `revision`.

    `name` and `role` are of who is signed in; at the control socket without a sign-in, the first owner's.
    `branding` is the revision of `Branding`.
    """

    revision: int
    version: str
    time: int
    claimed: bool
    locked: bool
    signed_in: bool
    relay_only: bool
    address: str
    tor: TorState
    protected: bool = False
    name: str = ""
    role: Role | None = None
    relay: RelayBrief | None = None
    branding: bytes = b""


class NewTitle(Message):
    """What the box is called, at its door."""

    name: Name


Accent = Literal["sea", "forest", "plum", "clay", "slate"]
"""Hues of buttons and marks, each readable by day and by night."""


class Branding(Message, omit_defaults=False):
    """How the box shows itself to everybody; another `revision` (8 octets) means that something changed."""

    revision: bytes
    box_name: str
    welcome: str
    policy: str
    accent: Accent
    registration: Registration
    boards: bool
    channels: bool


class ChangeBranding(Message):
    """Change what is given of it."""

    box_name: Name | None = None
    welcome: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    policy: Annotated[str, msgspec.Meta(max_length=20_000)] | None = None
    accent: Accent | None = None
    registration: Registration | None = None
    boards: bool | None = None
    channels: bool | None = None


class Protection(Message):
    """Whether the store key is wrapped by an owner's authentication key, so that the box starts locked."""

    authentication: Bytes32
    protect: bool


class Identity(Message, omit_defaults=False):
    """Who this box is: onion address, name, safety number."""

    address: str
    name: str
    fingerprint: str


class ExpiryDay(Message, omit_defaults=False):
    """Envelopes that expire on one day (UTC date, ISO)."""

    day: str
    envelopes: int
    octets: int


class GrantRow(Message, omit_defaults=False):
    """A grant as its giver sees it; the secret is never shown again."""

    id: str
    label: str
    origin: Literal["owner", "work", "peer", "self"]
    mailboxes: int
    mailboxes_limit: int
    octets: int
    octets_limit: int
    created: int
    expires: int


class RelayLoad(Message, omit_defaults=False):
    """What this relay holds for others and when it goes."""

    policy: str
    held: int
    octets: int
    octets_limit: int
    disk_free: int
    mailboxes: int
    days: list[ExpiryDay]
    grants: list[GrantRow]


class NewGrant(Message):
    """Invite somebody to keep mailboxes here."""

    label: Name
    mailboxes: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 256
    octets: Annotated[int, msgspec.Meta(ge=65_536)] = 64 * 1024 * 1024
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 365


class GrantCode(Message, omit_defaults=False):
    """The invitation to hand over: relay address and secret in one line, shown once."""

    id: str
    code: str


class UseRelay(Message):
    """Keep mailboxes at this relay; `code` is an invitation ("address/secret") or just its address."""

    code: Annotated[str, msgspec.Meta(max_length=512)]


class UsedRelay(Message, omit_defaults=False):
    """A relay this box uses."""

    address: str
    state: Literal["joining", "ready", "refused", "unreachable"]
    words: str
    mailboxes: int
    waiting: int = 0
    """Mailboxes that wait for room there."""
    last_collected: int | None = None


class UsedRelays(Message, omit_defaults=False):
    """Relays this box uses."""

    relays: list[UsedRelay]


class NewReader(Message):
    """Let one more reader in; without `key` (x25519 public, base32) the box makes a pair."""

    name: Name
    key: str | None = None


class Reader(Message, omit_defaults=False):
    """A reader of the closed onion; `private_key` only in the answer that made it."""

    name: str
    key: str
    private_key: str | None = None


class Readers(Message, omit_defaults=False):
    """Who may read the onion's descriptor; empty means everyone."""

    readers: list[Reader]


class NewReaderKey(Message):
    """Our own key to somebody else's closed onion (x25519 private, base32)."""

    address: str
    key: str


class ReaderKeys(Message, omit_defaults=False):
    """Closed onions we hold a key for."""

    addresses: list[str]


class HealthRow(Message, omit_defaults=False):
    """One thing that is watched: `state` and a sentence."""

    name: str
    state: Literal["good", "warning", "bad", "off"]
    words: str


class Endpoint(Message, omit_defaults=False):
    """How one route does: answers with half, 95 and 99 of a hundred within so many microseconds.

    Answers that wait for news are not timed.
    """

    route: str
    requests: int
    refused: int
    faults: int
    p50_us: int
    p95_us: int
    p99_us: int


class Health(Message, omit_defaults=False):
    """Health of the box: store, Tor, tasks, disk, memory, times and errors by endpoint."""

    rows: list[HealthRow]
    uptime_seconds: int
    memory_octets: int
    refusals: dict[str, int]
    faults: int
    endpoints: list[Endpoint] = msgspec.field(default_factory=list)


class Minimised(Message, omit_defaults=False):
    """What the box forgot when it minimised last: at `second`, in `milliseconds`; 0 if it never did.

    `coarsened` counts rows by table whose times are kept to the day now; `pages` and `gaps` are places of the
    data file that were blanked. Without `blanked` the file is laid out in a way that this version does not
    know, and deleted octets stay in it until they are overwritten.
    """

    second: int = 0
    milliseconds: int = 0
    coarsened: dict[str, int] = msgspec.field(default_factory=dict)
    pages: int = 0
    gaps: int = 0
    blanked: bool = True


class Setting(Message, omit_defaults=False):
    """One setting with its default and its meaning."""

    name: str
    value: Any
    default: Any
    unit: str
    doc: str
    live: bool
    choices: list[str] | None = None


class Settings(Message, omit_defaults=False):
    """Every setting; `restart` when a change waits for one."""

    settings: list[Setting]
    restart: bool


class ChangeSettings(Message):
    """New values by name; null goes back to the default."""

    values: dict[str, Any]
