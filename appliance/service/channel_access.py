"""Who may read a channel, who is in it, who owns it. Everything runs within a transaction."""

from __future__ import annotations

from typing import NamedTuple

from appliance.errors import Refusal
from appliance.protocol import roster
from appliance.protocol.codec import to_text
from appliance.protocol.roster import Leave, SetRole
from appliance.service.caller import Caller
from appliance.store import channels
from appliance.store.channels import Head, Place
from appliance.store.transaction import Transaction


class Reader(NamedTuple):
    """Who may read a channel: where it stands, and their membership, if they have one."""

    head: Head
    place: Place | None


def check_reader(txn: Transaction, caller: Caller, channel: bytes) -> Reader:
    """Members read, and of a public channel whoever may join. Refusals: no_channel, not_member."""
    head = channels.require(txn, channel)
    place = channels.place(txn, channel, caller.account)
    if place is None and not head.public:
        raise Refusal("not_member")
    return Reader(head, place)


def check_member(txn: Transaction, caller: Caller, channel: bytes) -> Place:
    """The caller's membership. Refusals: no_channel, not_member."""
    channels.require(txn, channel)
    place = channels.place(txn, channel, caller.account)
    if place is None:
        raise Refusal("not_member")
    return place


def check_owners(txn: Transaction, account: bytes) -> None:
    """Refusal channel_owner when channels with others in them would be left without an owner."""
    own = channels.list_of(txn, account)
    left = [to_text(channel) for channel in own if _is_only_owner(txn, channel, account)]
    if left:
        raise Refusal("channel_owner", channels=left)


def check_keeps_owner(txn: Transaction, caller: Caller, channel: bytes, change: roster.Change) -> None:
    """What the roster cannot know: other owners in it may be nobody's any more. Refusal channel_owner."""
    if isinstance(change, Leave):
        account: bytes | None = caller.account
    elif isinstance(change, SetRole) and change.role != "owner":
        account = channels.account_of(txn, channel, change.identity)
    else:
        return
    if account is not None and _is_only_owner(txn, channel, account):
        raise Refusal("channel_owner", channels=[to_text(channel)])


def _is_only_owner(txn: Transaction, channel: bytes, account: bytes) -> bool:
    """Whether an open channel with others in it has no owner but this account."""
    head, place = channels.require(txn, channel), channels.place(txn, channel, account)
    owns = place is not None and place.role == "owner"
    return owns and not head.closed and head.present > 1 and channels.owners(txn, channel) == 1


def may_remove(txn: Transaction, caller: Caller, channel: bytes) -> bool:
    """Whether its owner may delete a channel: once it is closed, or he is alone in it. Refusal no_channel."""
    head, place = channels.require(txn, channel), channels.place(txn, channel, caller.account)
    return place is not None and place.role == "owner" and (head.closed or head.present == 1)
