"""Membership: the state that a channel's roster results in, and the table of who may what in it.

    change                    who                                  besides
    create                    anybody                              the first entry, and only that
    add                       owner, moderator                     to a role below one's own; by an owner, any
    join                      anybody not put out                  public channels
    remove                    owner, moderator                     roles below one's own; by an owner, any
    leave                     every member                         not the last owner, unless it is closed
    role                      owner                                not the last owner's
    info, timer, slow         owner, moderator                     info sealed if and only if it is private
    close                     owner                                after it, only `leave`

A name at a box and an identity stand in the roster once. States are frozen: `apply` gives the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec, roster
from appliance.protocol.account import AccountName
from appliance.protocol.directory import Entry as DirectoryEntry
from appliance.protocol.messages import Bytes16, Bytes32, Message
from appliance.protocol.roster import Hour, Info, Link, Number, Role, SealedInfo, SlowSeconds, TimerSeconds

VERSION: Final = 1
MAX_MEMBERS: Final = 1000
MAX_BARRED: Final = 1000
"""Identities that were put out and cannot join by themselves; the oldest are forgotten first."""
TRAIL: Final = 64
"""Hashes of entries a state remembers, to compare with what other members say they saw."""

RANK: Final[dict[Role, int]] = {"member": 1, "moderator": 2, "owner": 3}
LEADERS: Final[frozenset[Role]] = frozenset({"owner", "moderator"})
ALL: Final[frozenset[Role]] = frozenset(RANK)
RIGHTS: Final[dict[str, frozenset[Role]]] = {
    "add": LEADERS,
    "remove": LEADERS,
    "leave": ALL,
    "role": frozenset({"owner"}),
    "info": LEADERS,
    "timer": LEADERS,
    "slow": LEADERS,
    "close": frozenset({"owner"}),
    # Not changes of the roster, but decided by it.
    "post": ALL,
    "post at once": LEADERS,
    "pin": LEADERS,
    "take down": LEADERS,
}
"""Which roles may do what."""

Right = Literal["post", "post at once", "pin", "take down"]


class Mark(Message, omit_defaults=False):
    """Where a roster stood: number and hash of its last entry."""

    number: Number
    hash: Bytes32


class Member(Message, omit_defaults=False):
    """Somebody in a channel, since the entry with this number."""

    name: AccountName
    onion: Bytes32
    identity: Bytes32
    role: Role
    since: Number


class State(Message):
    """A channel after its entry `number`. `cut`: the last entry that put somebody out (0: none)."""

    channel: bytes
    number: int
    hash: bytes
    public: bool
    info: Info | bytes
    timer: int
    slow: int
    closed: bool
    cut: int
    hour: int
    members: dict[bytes, Member]
    """By identity. Never changed in place."""
    barred: tuple[bytes, ...]
    trail: tuple[bytes, ...]
    """Hashes of the last entries, the newest last."""

    @property
    def mark(self) -> Mark:
        """Where it stands."""
        return Mark(self.number, self.hash)

    def member(self, identity: bytes) -> Member | None:
        """The member with this identity."""
        return self.members.get(identity)

    def may(self, identity: bytes, right: Right) -> bool:
        """Whether whoever has this identity may do that now."""
        member = self.members.get(identity)
        return member is not None and not self.closed and member.role in RIGHTS[right]


def apply(state: State | None, link: Link, shown: bytes | None = None) -> State:
    """The state after one more entry (None: before the first); Refusal bad_roster, channel_full.

    `shown` is the identity that the directory shows for the name this entry brings in. The box always asks; a
    client does for those who are members still (`check_member`): accounts of the past may be gone.
    """
    entry, change = link.entry, link.entry.change
    number, before = (state.number, state.hash) if state else (0, bytes(32))
    if entry.number != number + 1 or entry.previous != before:
        raise Refusal("bad_roster")
    if isinstance(change, roster.Create):
        if state is not None or isinstance(change.info, Info) != change.public:
            raise Refusal("bad_roster")
        return _created(link, change, shown)
    if state is None or entry.channel != state.channel:
        raise Refusal("bad_roster")
    if state.closed and not isinstance(change, roster.Leave):
        raise Refusal("bad_roster")
    if not isinstance(change, roster.Join):
        _check_right(state, entry.actor, _kind(change))
    changes = _STEPS[type(change)](state, entry, change, shown)
    trail = (*state.trail, link.hash)[-TRAIL:]
    return msgspec.structs.replace(
        state, number=entry.number, hash=link.hash, hour=entry.hour, trail=trail, **changes
    )


def replay(entries: Iterable[bytes], state: State | None = None, known: Mark | None = None) -> State:
    """The state after some signed entries more; Refusal bad_roster, channel_full, unknown_version.

    `known` is where the roster was seen to stand, by this device or another member's: a roster that is
    shorter, or another one up to there, is refused as bad_roster.
    """
    if state is not None and known is not None and agrees(state, known) is False:
        raise Refusal("bad_roster", reason="fork")
    for signed in entries:
        state = apply(state, roster.read(signed))
        if known is not None and state.number == known.number and state.hash != known.hash:
            raise Refusal("bad_roster", reason="fork")
    if state is None or (known is not None and state.number < known.number):
        raise Refusal("bad_roster", reason="fork")
    return state


def agrees(state: State, mark: Mark) -> bool | None:
    """Whether this roster went through that mark; None when that is too long ago, or yet to come."""
    back = state.number - mark.number
    if not 0 <= back < len(state.trail):
        return None
    return state.trail[-1 - back] == mark.hash


def check_member(member: Member, entry: DirectoryEntry) -> None:
    """Refusal bad_roster unless the directory shows a member under the identity that is in the roster."""
    if (entry.name, entry.onion, entry.identity) != (member.name, member.onion, member.identity):
        raise Refusal("bad_roster", reason="identity")


def _kind(change: roster.Change) -> str:
    return str(type(change).__struct_config__.tag)


def _check_right(state: State, actor: bytes, kind: str) -> Member:
    member = state.members.get(actor)
    if member is None or member.role not in RIGHTS[kind]:
        raise Refusal("bad_roster")
    return member


def _created(link: Link, change: roster.Create, shown: bytes | None) -> State:
    entry = link.entry
    if shown not in (None, entry.actor):
        raise Refusal("bad_roster")
    owner = Member(change.name, change.onion, entry.actor, "owner", 1)
    return State(
        channel=entry.channel,
        number=1,
        hash=link.hash,
        public=change.public,
        info=change.info,
        timer=change.timer,
        slow=change.slow,
        closed=False,
        cut=0,
        hour=entry.hour,
        members={entry.actor: owner},
        barred=(),
        trail=(link.hash,),
    )


def _with(state: State, member: Member, shown: bytes | None) -> dict[str, Any]:
    """One member more."""
    if shown not in (None, member.identity) or member.identity in state.members:
        raise Refusal("bad_roster")
    if any((each.name, each.onion) == (member.name, member.onion) for each in state.members.values()):
        raise Refusal("bad_roster")
    if len(state.members) >= MAX_MEMBERS:
        raise Refusal("channel_full")
    barred = tuple(each for each in state.barred if each != member.identity)
    return {"members": state.members | {member.identity: member}, "barred": barred}


def _without(state: State, identity: bytes, number: int) -> dict[str, Any]:
    """One member less: keys that were given out until now are to be replaced."""
    left = {each: member for each, member in state.members.items() if each != identity}
    return {"members": left, "cut": number}


def _owners(state: State) -> int:
    return sum(member.role == "owner" for member in state.members.values())


def _outranks(actor: Member, role: Role) -> bool:
    return actor.role == "owner" or RANK[role] < RANK[actor.role]


def _add(state: State, entry: roster.Entry, change: roster.Add, shown: bytes | None) -> dict[str, Any]:
    if not _outranks(state.members[entry.actor], change.role):
        raise Refusal("bad_roster")
    member = Member(change.name, change.onion, change.identity, change.role, entry.number)
    return _with(state, member, shown)


def _join(state: State, entry: roster.Entry, change: roster.Join, shown: bytes | None) -> dict[str, Any]:
    if not state.public or entry.actor in state.barred:
        raise Refusal("bad_roster")
    return _with(state, Member(change.name, change.onion, entry.actor, "member", entry.number), shown)


def _remove(state: State, entry: roster.Entry, change: roster.Remove, _: bytes | None) -> dict[str, Any]:
    member = state.members.get(change.identity)
    # Oneself one takes out by leaving, so an owner stays whenever an owner removes.
    if member is None or change.identity == entry.actor:
        raise Refusal("bad_roster")
    if not _outranks(state.members[entry.actor], member.role):
        raise Refusal("bad_roster")
    barred = (*state.barred, change.identity)[-MAX_BARRED:]
    return _without(state, change.identity, entry.number) | {"barred": barred}


def _leave(state: State, entry: roster.Entry, change: roster.Leave, _: bytes | None) -> dict[str, Any]:
    last = state.members[entry.actor].role == "owner" and _owners(state) == 1
    if last and not state.closed:
        raise Refusal("bad_roster")
    return _without(state, entry.actor, entry.number)


def _role(state: State, entry: roster.Entry, change: roster.SetRole, _: bytes | None) -> dict[str, Any]:
    member = state.members.get(change.identity)
    if member is None or member.role == change.role:
        raise Refusal("bad_roster")
    if member.role == "owner" and _owners(state) == 1:
        raise Refusal("bad_roster")
    after = msgspec.structs.replace(member, role=change.role)
    return {"members": state.members | {change.identity: after}}


def _info(state: State, entry: roster.Entry, change: roster.SetInfo, _: bytes | None) -> dict[str, Any]:
    if isinstance(change.info, Info) != state.public:
        raise Refusal("bad_roster")
    return {"info": change.info}


_STEPS: Final[dict[type, Callable[[State, roster.Entry, Any, bytes | None], dict[str, Any]]]] = {
    roster.Add: _add,
    roster.Join: _join,
    roster.Remove: _remove,
    roster.Leave: _leave,
    roster.SetRole: _role,
    roster.SetInfo: _info,
    roster.SetTimer: lambda state, entry, change, shown: {"timer": change.seconds},
    roster.SetSlow: lambda state, entry, change, shown: {"slow": change.seconds},
    roster.Close: lambda state, entry, change, shown: {"closed": True},
}


class Stored(Message, omit_defaults=False):
    """A state as it is kept, in the box's store and in the vault."""

    version: int
    channel: Bytes16
    number: Number
    hash: Bytes32
    public: bool
    info: Info | SealedInfo
    timer: TimerSeconds
    slow: SlowSeconds
    closed: bool
    cut: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    hour: Hour
    members: Annotated[list[Member], msgspec.Meta(max_length=MAX_MEMBERS)]
    barred: Annotated[list[Bytes32], msgspec.Meta(max_length=MAX_BARRED)]
    trail: Annotated[list[Bytes32], msgspec.Meta(min_length=1, max_length=TRAIL)]


def store(state: State) -> Stored:
    """What is kept of a state: its members in the order in which they came."""
    members = sorted(state.members.values(), key=lambda member: member.since)
    fields = {name: getattr(state, name) for name in State.__struct_fields__}
    return Stored(
        version=VERSION, **fields | {"members": members, "barred": [*state.barred], "trail": [*state.trail]}
    )


def load(value: Any) -> State:
    """A state from decoded CBOR; Refusal unknown_version, or bad_roster when it is damaged."""
    if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > VERSION:
        raise Refusal("unknown_version")
    try:
        stored = codec.convert(value, Stored)
    except Refusal as error:
        raise Refusal("bad_roster") from error
    members = {member.identity: member for member in stored.members}
    if stored.version != VERSION or stored.trail[-1] != stored.hash or len(members) != len(stored.members):
        raise Refusal("bad_roster")
    fields = {name: getattr(stored, name) for name in State.__struct_fields__}
    return State(**fields | {"members": members, "barred": (*stored.barred,), "trail": (*stored.trail,)})
