"""Channels: what their rosters say, who of the box is in which, and where each entry of a roster stands.

What every post asks for is one small row (`Head`) and one of whoever posts (`Place`). The state of a roster
is kept apart from its members, one row each, so that a change costs what it changes. Signatures and rights
were checked before (`membership.apply`): this keeps indexes and counters with what was decided. The signed
entries are kept here beside the log, whose retention does not reach them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from appliance.errors import Refusal
from appliance.protocol import codec, membership
from appliance.protocol.membership import Mark, Member, State
from appliance.protocol.roster import Role
from appliance.store import logs
from appliance.store.engine import Transaction
from appliance.store.schema import (
    CHANNEL_ACCOUNTS,
    CHANNEL_DOOMED,
    CHANNEL_MEMBERS,
    CHANNEL_ROSTER,
    CHANNEL_STATES,
    CHANNELS,
    prefix_end,
)

HEAD: Final = struct.Struct(">BBI32sQIIII")
"""Version, flags, roster number and hash, `devices`, members, those with an account, slow, timer."""
MEMBER: Final = struct.Struct(">B16sQ")
"""Version, account (zeros when it is gone), `devices` when its directory entry changed last; then CBOR."""
PLACE: Final = struct.Struct(">BB32sQ")
"""Version, rank, identity, number in the log of the entry that brought it in."""

_VERSION: Final = 1
_PUBLIC: Final = 1
_CLOSED: Final = 2
_NOBODY: Final = bytes(16)
_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")
_ROLES: Final[dict[int, Role]] = {rank: role for role, rank in membership.RANK.items()}

AccountOf = Callable[[bytes], bytes]
"""The account behind an identity that comes in."""


class Head(NamedTuple):
    """A channel as a post must know it. `present` counts members whose account is there."""

    public: bool
    closed: bool
    number: int
    hash: bytes
    devices: int
    members: int
    present: int
    slow: int
    timer: int

    @property
    def mark(self) -> Mark:
        """Where its roster stands."""
        return Mark(self.number, self.hash)


class Place(NamedTuple):
    """An account's membership: role, identity, and the number in the log from which it is one."""

    role: Role
    identity: bytes
    floor: int


class Kept(NamedTuple):
    """A signed entry of a roster, and its number in the log."""

    number: int
    signed: bytes


def find(txn: Transaction, channel: bytes) -> Head | None:
    """The head of a channel, or None."""
    value = txn.get(CHANNELS, channel)
    if value is None:
        return None
    version, flags, *rest = HEAD.unpack(value)
    if version != _VERSION:
        raise Refusal("damaged_store")
    return Head(bool(flags & _PUBLIC), bool(flags & _CLOSED), *rest)


def require(txn: Transaction, channel: bytes) -> Head:
    """The head of a channel; Refusal no_channel."""
    head = find(txn, channel)
    if head is None:
        raise Refusal("no_channel")
    return head


def count(txn: Transaction) -> int:
    """How many channels there are."""
    return txn.count(CHANNELS)


def list_all(txn: Transaction) -> list[tuple[bytes, Head]]:
    """Every channel by id."""
    return [(channel, require(txn, channel)) for channel in list(txn.keys(CHANNELS))]


def list_of(txn: Transaction, account: bytes, limit: int | None = None) -> list[bytes]:
    """The channels of an account."""
    return [key[16:] for key in txn.keys(CHANNEL_ACCOUNTS, account, prefix_end(account), limit)]


def place(txn: Transaction, channel: bytes, account: bytes) -> Place | None:
    """An account's membership in a channel, or None."""
    value = txn.get(CHANNEL_ACCOUNTS, account + channel)
    if value is None:
        return None
    version, rank, identity, floor = PLACE.unpack(value)
    if version != _VERSION:
        raise Refusal("damaged_store")
    return Place(_ROLES[rank], identity, floor)


def accounts(txn: Transaction, channel: bytes) -> list[bytes]:
    """The accounts of a channel's members; those that are gone are left out."""
    return [account for account, _, _ in _rows(txn, channel) if account != _NOBODY]


def names(txn: Transaction, channel: bytes, devices: int) -> list[str]:
    """Names of members who came, or whose directory entries changed, after the counter stood there."""
    return [_member(data).name for _, changed, data in _rows(txn, channel) if changed > devices]


def owners(txn: Transaction, channel: bytes) -> int:
    """How many owners of a channel have an account."""
    return sum(
        _member(data).role == "owner" for account, _, data in _rows(txn, channel) if account != _NOBODY
    )


def account_of(txn: Transaction, channel: bytes, identity: bytes) -> bytes | None:
    """The account of a member, or None."""
    value = txn.get(CHANNEL_MEMBERS, channel + identity)
    account = None if value is None else MEMBER.unpack_from(value)[1]
    return None if account == _NOBODY else account


def bare(txn: Transaction, channel: bytes) -> State:
    """The state of a channel's roster without its members; Refusals: no_channel, damaged_store."""
    value = txn.get(CHANNEL_STATES, channel)
    if value is None:
        raise Refusal("no_channel")
    try:
        return membership.load(codec.decode(value))
    except Refusal as error:
        raise Refusal("damaged_store") from error


def state(txn: Transaction, channel: bytes) -> State:
    """The same with all members."""
    members = sorted((_member(data) for _, _, data in _rows(txn, channel)), key=lambda one: one.since)
    return replace(bare(txn, channel), members={one.identity: one for one in members})


def save(
    txn: Transaction,
    before: State | None,
    after: State,
    signed: bytes,
    number: int,
    account_of: AccountOf,
) -> Head:
    """Put the state after one more entry in force; `number` is that entry's in the log. The new head.

    `devices` rises when somebody comes in.
    """
    channel = after.channel
    old = None if before is None else require(txn, channel)
    held = {} if before is None else before.members
    devices, present = (0, 0) if old is None else (old.devices, old.present)
    if after.members.keys() - held.keys():
        devices += 1
    for identity in held.keys() - after.members.keys():
        present -= _put_out(txn, channel, identity)
    for identity, member in after.members.items():
        known = held.get(identity)
        if known is None:
            account = account_of(identity)
            _put_member(txn, channel, account, devices, member)
            _put_place(txn, channel, account, Place(member.role, identity, number))
            present += 1
        elif known is not member:
            _change(txn, channel, member)
    txn.put(CHANNEL_STATES, channel, codec.encode(membership.store(replace(after, members={}))))
    txn.put(CHANNEL_ROSTER, channel + _U32.pack(after.number), _U64.pack(number) + signed)
    head = Head(
        public=after.public,
        closed=after.closed,
        number=after.number,
        hash=after.hash,
        devices=devices,
        members=len(after.members),
        present=present,
        slow=after.slow,
        timer=after.timer,
    )
    _put_head(txn, channel, head)
    return head


def entry(txn: Transaction, channel: bytes, number: int) -> Kept | None:
    """The entry of a roster with this number of the roster, or None."""
    value = txn.get(CHANNEL_ROSTER, channel + _U32.pack(number))
    return None if value is None else Kept(_U64.unpack(value[:8])[0], value[8:])


def entries(txn: Transaction, channel: bytes, after: int, limit: int) -> list[Kept]:
    """Entries of a roster after a number of the roster."""
    rows = txn.range(CHANNEL_ROSTER, channel + _U32.pack(after + 1), prefix_end(channel), limit=limit)
    return [Kept(_U64.unpack(value[:8])[0], value[8:]) for _, value in rows]


def changed(txn: Transaction, account: bytes) -> None:
    """A member's directory entry has changed: the counters of their channels rise."""
    for channel in list_of(txn, account):
        _raise(txn, channel, account, account)


def forget(txn: Transaction, account: bytes) -> None:
    """An account is deleted: it stays in the rosters, since nobody signed anything else, but as nobody's.

    A channel without anybody left in it goes.
    """
    for channel in list_of(txn, account):
        head = _raise(txn, channel, account, _NOBODY)
        head = head._replace(present=head.present - 1)
        _put_head(txn, channel, head)
        txn.delete(CHANNEL_ACCOUNTS, account + channel)
        if not head.present:
            doom(txn, channel)


def doom(txn: Transaction, channel: bytes) -> bool:
    """Delete a channel: nobody finds it any more; `sweep` and the logs' sweep take its rows away."""
    if not txn.delete(CHANNELS, channel):
        return False
    txn.put(CHANNEL_DOOMED, channel, b"")
    for account in accounts(txn, channel):
        txn.delete(CHANNEL_ACCOUNTS, account + channel)
    logs.doom(txn, channel)
    return True


def is_known(txn: Transaction, channel: bytes) -> bool:
    """Whether there is, or was a moment ago, a channel with this id."""
    return txn.get(CHANNELS, channel) is not None or txn.get(CHANNEL_DOOMED, channel) is not None


def has_doomed(txn: Transaction) -> bool:
    """Whether rows wait to be taken away."""
    return any(txn.keys(CHANNEL_DOOMED, limit=1))


def sweep(txn: Transaction, limit: int) -> int:
    """Take up to `limit` rows of deleted channels away; how many went."""
    done = 0
    for channel in list(txn.keys(CHANNEL_DOOMED, limit=limit)):
        for table in (CHANNEL_MEMBERS, CHANNEL_ROSTER):
            for key in list(txn.keys(table, channel, prefix_end(channel), limit - done)):
                txn.delete(table, key)
                done += 1
            if done >= limit:
                return done
        txn.delete(CHANNEL_STATES, channel)
        txn.delete(CHANNEL_DOOMED, channel)
        done += 1
    return done


def _rows(txn: Transaction, channel: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Account, counter and CBOR of each member, by identity."""
    for _, value in txn.range(CHANNEL_MEMBERS, channel, prefix_end(channel)):
        version, account, devices = MEMBER.unpack_from(value)
        if version != _VERSION:
            raise Refusal("damaged_store")
        yield account, devices, value[MEMBER.size :]


def _member(data: bytes) -> Member:
    return codec.read(data, Member)


def _put_member(txn: Transaction, channel: bytes, account: bytes, devices: int, member: Member) -> None:
    head = MEMBER.pack(_VERSION, account, devices)
    txn.put(CHANNEL_MEMBERS, channel + member.identity, head + codec.encode(member))


def _put_place(txn: Transaction, channel: bytes, account: bytes, where: Place) -> None:
    row = PLACE.pack(_VERSION, membership.RANK[where.role], where.identity, where.floor)
    txn.put(CHANNEL_ACCOUNTS, account + channel, row)


def _put_head(txn: Transaction, channel: bytes, head: Head) -> None:
    flags = _PUBLIC * head.public | _CLOSED * head.closed
    txn.put(CHANNELS, channel, HEAD.pack(_VERSION, flags, *head[2:]))


def _read_member(txn: Transaction, channel: bytes, identity: bytes) -> tuple[bytes, int, bytes]:
    value: Any = txn.get(CHANNEL_MEMBERS, channel + identity)
    if value is None:
        raise Refusal("damaged_store")
    _, account, devices = MEMBER.unpack_from(value)
    return account, devices, value[MEMBER.size :]


def _put_out(txn: Transaction, channel: bytes, identity: bytes) -> int:
    """Remove a member's rows; 1 when there was an account behind them."""
    account, _, _ = _read_member(txn, channel, identity)
    txn.delete(CHANNEL_MEMBERS, channel + identity)
    return int(account != _NOBODY and txn.delete(CHANNEL_ACCOUNTS, account + channel))


def _change(txn: Transaction, channel: bytes, member: Member) -> None:
    """A member has another role."""
    account, devices, _ = _read_member(txn, channel, member.identity)
    _put_member(txn, channel, account, devices, member)
    where = place(txn, channel, account)
    if where is not None:
        _put_place(txn, channel, account, where._replace(role=member.role))


def _raise(txn: Transaction, channel: bytes, account: bytes, owner: bytes) -> Head:
    """Raise the counter of a channel for one of its members, who is `owner`'s from now on."""
    where, head = place(txn, channel, account), require(txn, channel)
    if where is None:
        raise Refusal("damaged_store")
    _, _, data = _read_member(txn, channel, where.identity)
    head = head._replace(devices=head.devices + 1)
    row = MEMBER.pack(_VERSION, owner, head.devices)
    txn.put(CHANNEL_MEMBERS, channel + where.identity, row + data)
    _put_head(txn, channel, head)
    return head
