"""Channels: their rosters, what is posted there, and what members look up of one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from appliance.api.call import Call
from appliance.api.row import Row, member
from appliance.protocol import channel, log
from appliance.service import rights

if TYPE_CHECKING:
    from appliance.service.box import Box


async def entries(box: Box, call: Call) -> log.LogPage:
    """A page of a channel's log."""
    before = call.number("before", 0) if "before" in call.query else None
    return await box.channel_posts.page(
        call.member, call.octets("channel"), call.number("after", 0), before, call.number("limit", 64)
    )


async def remove(box: Box, call: Call) -> None:
    """Delete a channel; for the box it may have to wait for a second pair of eyes."""
    caller, target = call.member, call.octets("channel")
    if box.channels.may_remove(caller, target):
        await box.channels.remove(caller, target)
        return
    rights.check(caller, "close_channel")
    title = box.channels.title_of(target)
    await box.moderation.four_eyes.ask(caller, "channel.close", target, title)


CHANNEL: Final[tuple[Row, ...]] = (
    member("GET", "/v1/channels", None, channel.Channels,
           lambda box, call: box.channels.page(call.member),
           "The channels one is in, then the public ones one may join."),
    member("POST", "/v1/channels", channel.NewChannel, channel.Appended,
           lambda box, call: box.channels.create(call.member, call.body), "Make a channel."),
    member("GET", "/v1/channels/{channel}", None, channel.Channel,
           lambda box, call: box.channels.one(call.member, call.octets("channel")), "One channel."),
    member("DELETE", "/v1/channels/{channel}", None, None, remove,
           "Delete a channel with all that stands in it: its owner once it is closed, or an admin."),
    member("GET", "/v1/channels/{channel}/entries", None, log.LogPage, entries,
           "Entries after a number, or the last ones before one.", query=("after", "before", "limit")),
    member("POST", "/v1/channels/roster", channel.AppendRoster, channel.Appended,
           lambda box, call: box.channels.append(call.member, call.body),
           "Change who is in a channel, or how it is set."),
    member("POST", "/v1/channels/roster/read", channel.RosterQuery, channel.RosterPage,
           lambda box, call: box.channels.roster(call.member, call.body),
           "Entries of a roster after a number."),
    member("POST", "/v1/channels/post", channel.PostChannel, channel.Posted,
           lambda box, call: box.channel_posts.post(call.member, call.body), "Post a sealed message.",
           hot=True),
    member("POST", "/v1/channels/take-down", channel.TakeDown, None,
           lambda box, call: box.channel_posts.take_down(call.member, call.body),
           "Remove what a message says."),
    member("POST", "/v1/channels/members", channel.MembersQuery, channel.MembersPage,
           lambda box, call: box.channel_members.page(call.member, call.body),
           "Directory entries of members with proofs and bundles."),
    member("POST", "/v1/channels/members/changed", channel.MembersSince, channel.MembersChanged,
           lambda box, call: box.channel_members.changed(call.member, call.body),
           "Whose entries have changed since a counter."),
    member("POST", "/v1/channels/prekeys", channel.TakeMany, channel.TakenMany,
           lambda box, call: box.channel_members.take(call.member, call.body),
           "One-time prekeys of members' devices."),
)  # fmt: skip
