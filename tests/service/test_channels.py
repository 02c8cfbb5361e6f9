"""Channels: rosters under the eyes of the box, who may know of them, and how many there may be."""

from __future__ import annotations

import os
from pathlib import Path

import trio

from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol import membership, roster
from appliance.protocol.keys import SigningKey
from appliance.protocol.roster import Close, Info, Leave, Remove, SetInfo, SetRole, SetSlow, SetTimer
from appliance.store import channels as rows
from appliance.store import logs
from appliance.store.schema import (
    CHANNEL_ACCOUNTS,
    CHANNEL_DOOMED,
    CHANNEL_MEMBERS,
    CHANNEL_ROSTER,
    CHANNEL_STATES,
    CHANNELS,
)
from tests.channels import CHANNEL, MESSAGE, ChannelHouse, Member, channel_house
from tests.services import refused

TABLES = (CHANNELS, CHANNEL_STATES, CHANNEL_MEMBERS, CHANNEL_ACCOUNTS, CHANNEL_ROSTER, CHANNEL_DOOMED)


async def trio_of(c: ChannelHouse) -> tuple[Member, Member, Member]:
    return await c.join("ada"), await c.join("bob"), await c.join("cleo")


async def test_a_public_channel_from_its_making_to_its_end(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        mark = await c.create(ada)
        (shown,) = (await c.channels.page(bob.caller)).channels
        assert (shown.title, shown.topic, shown.member) == ("Garden", "Tomatoes and such", False)
        assert (shown.roster, shown.members, shown.last, shown.oldest) == (mark, 1, 1, 1)
        with refused("not_member"):
            await c.post(bob)
        joined = await c.change(bob, bob.join())
        assert (joined.number, joined.roster.number, joined.devices) == (2, 2, 2)
        posted = await c.post(bob)
        assert (posted.number, posted.hour) == (3, c.clock.hour)
        # Whoever may join reads.
        page = await c.read(cleo)
        assert [(one.kind, one.removed) for one in page.entries] == [(0, None), (0, None), (1, None)]
        assert page.entries[2].body == MESSAGE
        await c.change(ada, Close())
        with refused("channel_closed"):
            await c.post(bob)
        with refused("bad_roster"):
            await c.change(cleo, cleo.join())
        assert (await c.channels.page(cleo.caller)).channels == []
        await c.change(bob, Leave())
        await c.change(ada, Leave())  # the last one: it goes
        with refused("no_channel"):
            await c.channels.one(ada.caller, CHANNEL)
        while await c.channels.sweep() or await c.logs.sweep():
            pass
        assert all(c.store.read(lambda txn, table=table: txn.count(table)) == 0 for table in TABLES)
        assert c.store.read(lambda txn: logs.is_known(txn, CHANNEL)) is False


async def test_a_private_channel_is_for_its_members_and_from_their_coming_on(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, _cleo = await trio_of(c)
        await c.create(ada, public=False)
        for _ in range(3):
            await c.post(ada)
        for ask in (
            lambda: c.channels.one(bob.caller, CHANNEL),
            lambda: c.read(bob),
            lambda: c.channels.roster(bob.caller, wire.RosterQuery(CHANNEL)),
            lambda: c.members.page(bob.caller, wire.MembersQuery(CHANNEL, ["ada"])),
            lambda: c.members.changed(bob.caller, wire.MembersSince(CHANNEL, 0)),
            lambda: c.members.take(
                bob.caller, wire.TakeMany(CHANNEL, [wire.WantedPrekeys("ada", [bytes(16)])])
            ),
            lambda: c.posts.take_down(bob.caller, wire.TakeDown(CHANNEL, 2)),
        ):
            with refused("not_member"):
                await ask()
        assert (await c.channels.page(bob.caller)).channels == []
        with refused("bad_roster"):
            await c.change(bob, bob.join())
        added = await c.change(ada, ada.add(bob))
        await c.post(bob)
        (shown,) = (await c.channels.page(bob.caller)).channels
        assert (shown.title, shown.member, shown.oldest, shown.last) == (None, True, 5, 6)
        for fields in ({}, {"before": 7}, {"after": 2}):
            page = await c.read(bob, **fields)
            assert ([one.number for one in page.entries], page.first) == ([5, 6], 5)
        assert [one.number for one in (await c.read(bob, before=6)).entries] == [5]
        assert [one.number for one in (await c.read(ada)).entries] == [1, 2, 3, 4, 5, 6]
        # The roster is whole for him, so that he can check it.
        entries = (await c.channels.roster(bob.caller, wire.RosterQuery(CHANNEL))).entries
        state = membership.replay([one.entry for one in entries])
        assert (state.mark, [one.number for one in entries]) == (added.roster, [1, 5])
        assert {one.name for one in state.members.values()} == {"ada", "bob"}


async def test_what_the_box_keeps_is_what_its_entries_say(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        await c.create(ada)
        for who, change in (
            (bob, bob.join()),
            (ada, ada.add(cleo, "moderator")),
            (ada, SetRole(bob.identity, "owner")),
            (cleo, SetTimer(7200)),
            (bob, SetSlow(30)),
            (ada, Leave()),
            (bob, SetInfo(Info("Orchard", ""))),
            (cleo, cleo.add(ada)),
            (cleo, Remove(ada.identity)),
        ):
            await c.change(who, change)
            entries = (await c.channels.roster(bob.caller, wire.RosterQuery(CHANNEL))).entries
            state = membership.replay([one.entry for one in entries])
            assert c.store.read(lambda txn: rows.state(txn, CHANNEL)) == state
            head = c.head()
            assert (head.mark, head.members, head.present) == (state.mark, len(state.members), head.members)
            assert (head.slow, head.timer, head.closed) == (state.slow, state.timer, False)
            for who_else in (ada, bob, cleo):
                place = c.store.read(lambda txn, a=who_else.caller.account: rows.place(txn, CHANNEL, a))
                member = state.members.get(who_else.identity)
                assert (place and place.role) == (member and member.role)
        with refused("bad_roster"):
            await c.change(ada, ada.join())  # she was put out
        assert (await c.channels.one(bob.caller, CHANNEL)).title == "Orchard"


async def test_forged_and_replayed_entries_are_refused(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        mark = await c.create(ada)
        hour, eve = c.clock.hour, SigningKey(os.urandom(32))
        adds = ada.sign(ada.add(bob, "moderator"), mark, hour)

        async def append(who: Member, signed: bytes, channel: bytes = CHANNEL) -> wire.Appended:
            return await c.channels.append(who.caller, wire.AppendRoster(channel, signed))

        with refused("bad_roster"):
            await append(bob, adds)  # signed by ada, brought by bob
        with refused("bad_roster"):
            await append(ada, adds[:-1] + bytes([adds[-1] ^ 1]))
        with refused("bad_roster"):
            await append(ada, bytes(64) + adds[64:])
        with refused("bad_roster"):
            await append(ada, adds, b"D" * 16)
        other = await c.create(ada, channel=b"D" * 16)
        with refused("bad_roster"):  # made for another channel, same place in the chain
            await append(ada, ada.sign(ada.add(bob), other, hour, b"D" * 16))
        forged = roster.Entry(1, CHANNEL, 2, mark.hash, hour, eve.public, ada.add(bob))
        with refused("bad_roster"):  # a key that is no account's
            await append(ada, roster.sign(eve, forged))
        with refused("bad_roster"):  # somebody else's key under bob's name
            await c.change(ada, roster.Add("bob", ada.person.box, eve.public, "member"))
        with refused("bad_roster"):
            await c.change(ada, roster.Add("bob", eve.public, bob.identity, "member"))
        with refused("no_account"):
            await c.change(ada, roster.Add("nobody", ada.person.box, eve.public, "member"))
        with refused("bad_roster"):  # bob under cleo's name
            await c.change(bob, cleo.join())
        with refused("not_member"):  # cleo has no right to anything
            await c.change(cleo, cleo.add(bob))
        with refused("bad_roster"):
            await append(ada, ada.sign(SetTimer(60), mark, hour - 49))
        with refused("bad_roster"):
            await append(ada, ada.sign(SetTimer(60), membership.Mark(2, mark.hash), hour))
        with refused("bad_roster"):
            await append(ada, ada.sign(SetTimer(60), membership.Mark(1, bytes(32)), hour))
        assert c.head().mark == mark

        first = await append(ada, adds)
        assert await append(ada, adds) == first  # an answer was lost: the same again
        with refused("bad_roster"):
            await append(bob, adds)
        with refused("old_roster"):  # made before bob came
            await append(ada, ada.sign(SetTimer(60), mark, hour))
        await c.change(ada, Remove(bob.identity))
        assert (await append(ada, adds)).roster.number == 3  # not added a second time
        assert c.head().members == 1
        with refused("channel_exists"):
            await c.create(ada, timer=60)
        with refused("channel_exists"):
            await c.create(cleo)
        with refused("bad_roster"):
            await c.channels.create(ada.caller, wire.NewChannel(ada.sign(SetTimer(1), None, hour)))


async def test_channels_and_places_in_them_are_bounded(tmp_path: Path) -> None:
    async with channel_house(tmp_path, channels_most=3, channels_account=2) as c:
        ada, bob, cleo = await trio_of(c)
        await c.create(ada, channel=b"1" * 16)
        await c.create(ada, channel=b"2" * 16)
        with refused("channels_most"):
            await c.create(ada, channel=b"3" * 16)
        await c.create(bob, channel=b"3" * 16)
        with refused("channels_full"):
            await c.create(cleo, channel=b"4" * 16)
        with refused("channels_most"):
            await c.change(bob, bob.add(ada), channel=b"3" * 16)
        await c.change(bob, bob.join(), channel=b"1" * 16)
        with refused("channels_most"):
            await c.change(bob, bob.join(), channel=b"2" * 16)
        assert c.head(b"2" * 16).number == 1


async def test_of_two_changes_at_once_one_is_first(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        await c.create(ada)
        mark = (await c.change(ada, ada.add(bob, "moderator"))).roster
        outcomes: list[str] = []

        async def change(who: Member, what: object) -> None:
            try:
                await c.change(who, what, mark)
                outcomes.append("done")
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(change, ada, Remove(bob.identity))
            nursery.start_soon(change, bob, bob.add(cleo))
            nursery.start_soon(change, cleo, cleo.join())
        assert outcomes.count("done") == 1
        assert set(outcomes) <= {"done", "old_roster", "not_member", "bad_roster"}
        assert c.head().number == 3
