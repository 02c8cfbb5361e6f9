"""Posts of channels: what the box takes and from whom, who hears and reads it, how it goes again."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol import membership
from appliance.protocol.account import ChangeBan, ChangeMember
from appliance.protocol.directory import Publish
from appliance.protocol.moderation import Thank
from appliance.protocol.roster import Close, Info, Leave, Remove, SetInfo, SetSlow, SetTimer
from appliance.service.caller import OPERATOR
from appliance.store import logs, thanks
from tests.channels import CHANNEL, MESSAGE, Member, channel_house
from tests.persons import Gadget
from tests.service.test_channels import trio_of
from tests.services import refused


async def test_posts_need_the_present_roster_and_counter(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, _ = await trio_of(c)
        await c.create(ada)
        await c.change(bob, bob.join())
        draft = c.draft()
        posted = await c.posts.post(ada.caller, draft)
        # Another device of bob's: who has not read his entry does not post.
        stale = c.draft()
        bob.person.devices.append(Gadget())
        await c.directory.publish(bob.caller, bob.person.publication(0))
        with pytest.raises(Refusal) as caught:
            await c.posts.post(ada.caller, stale)
        assert (caught.value.code, caught.value.details) == ("old_roster", {"roster": 2, "devices": 3})
        changed = await c.members.changed(ada.caller, wire.MembersSince(CHANNEL, stale.devices))
        assert changed == wire.MembersChanged(["bob"], 3)
        assert (await c.members.changed(ada.caller, wire.MembersSince(CHANNEL, 3))).names == []
        everybody = await c.members.changed(ada.caller, wire.MembersSince(CHANNEL, 0))
        assert sorted(everybody.names) == ["ada", "bob"]
        # The same entry again changes nothing.
        await c.directory.publish(bob.caller, _again(bob))
        assert c.head().devices == 3
        await c.post(ada)
        await c.change(ada, SetTimer(3600))
        with refused("old_roster"):
            await c.post(ada, roster=2)
        # What was answered before is answered alike whatever came since, to its author only.
        assert await c.posts.post(ada.caller, draft) == posted
        with refused("repeated"):
            await c.posts.post(bob.caller, draft)
        assert c.head().number == 3
        for sealed, code in (
            (MESSAGE + b"\0", "wrong_size"),
            (b"\x02" + MESSAGE[1:], "unknown_version"),
            (b"\x00" + MESSAGE[1:], "unknown_version"),
        ):
            with refused(code):
                await c.post(ada, sealed=sealed)
        assert (await c.post(ada, sealed=b"\x01" + bytes(16_319))).number == 6


def _again(member: Member) -> Publish:
    """The entry that holds already."""
    member.person.revision -= 1
    return Publish(member.person.entry())


async def test_slow_mode_limits_bans_and_switches(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        await c.create(ada, slow=60)
        await c.change(bob, bob.join())
        await c.post(bob)
        with pytest.raises(Refusal) as caught:
            await c.post(bob)
        assert (caught.value.code, caught.value.details) == ("slow_mode", {"seconds": 60})
        for _ in range(3):
            await c.post(ada)  # whoever leads it is not slowed
        c.clock.now += 60
        with refused("old_roster"):
            await c.post(bob, devices=0)
        await c.post(bob)  # what was refused did not count
        await c.change(ada, SetSlow(0))
        await c.set(channel_posts_minute=2)
        c.clock.now += 60
        await c.post(bob)
        await c.post(bob)
        with refused("too_fast"):
            await c.post(bob)
        await c.set(channel_posts_minute=6000)
        members = c.home.people.members
        await members.ban(OPERATOR, bob.caller.account, ChangeBan("channels", place=CHANNEL))
        with refused("banned"):
            await c.post(bob)
        assert (await c.read(bob)).entries  # hides nothing from him
        await c.change(bob, Leave())
        await c.change(bob, bob.join())
        await members.change(OPERATOR, bob.caller.account, ChangeMember(suspended=True))
        with refused("suspended"):
            await c.post(bob)
        with refused("suspended"):
            await c.change(bob, Leave())
        await c.set(channels=False)
        for ask in (
            lambda: c.post(ada),
            lambda: c.change(ada, SetSlow(5)),
            lambda: c.change(cleo, cleo.join()),
        ):
            with refused("switched_off"):
                await ask()
        assert (await c.read(ada)).entries


async def test_messages_go_at_their_end_and_the_roster_stays(tmp_path: Path) -> None:
    async with channel_house(tmp_path, channel_days=10) as c:
        ada, bob, _ = await trio_of(c)
        await c.create(ada, timer=5400)
        await c.change(bob, bob.join())
        await c.post(bob)  # nobody says so, the channel does: two hours
        first = (await c.read(bob)).entries[2].id
        await c.moderation.thanking.give(ada.caller, Thank(CHANNEL, first))
        assert c.store.read(lambda txn: thanks.count(txn, CHANNEL, first)) == 1
        await c.post(bob, hours=1)
        await c.post(bob, hours=100)
        page = await c.read(bob)
        ends = [one.until and one.until - c.clock.hour for one in page.entries]
        assert ends == [None, None, 3, 2, 3], "from the end of this hour on"
        c.clock.pass_hours(2)
        assert [one.number for one in (await c.read(bob)).entries] == [1, 2, 3, 5]
        await c.change(ada, SetTimer(0))
        await c.post(bob)
        c.clock.pass_hours(1)
        while await c.logs.sweep():
            pass
        assert [one.number for one in (await c.read(bob)).entries] == [1, 2, 6, 7]
        assert c.store.read(lambda txn: thanks.count(txn, CHANNEL, first)) == 0
        c.clock.pass_hours(10 * 24)
        while await c.logs.sweep():
            pass
        assert (await c.read(bob)).entries == []
        entries = (await c.channels.roster(bob.caller, wire.RosterQuery(CHANNEL))).entries
        assert [one.number for one in entries] == [1, 2, 6]
        assert membership.replay([one.entry for one in entries]).mark == c.head().mark
        assert (await c.post(bob)).number == 8
        await c.set(channel_entries=2, channel_days=0)
        await c.channels.retain()
        for _ in range(3):
            await c.post(bob)
        while await c.logs.sweep():
            pass
        assert [one.number for one in (await c.read(bob)).entries] == [10, 11]


async def test_who_takes_down_what(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        mona = await c.join("mona", "moderator")
        await c.create(ada)
        await c.change(bob, bob.join())
        await c.change(cleo, cleo.join())
        numbers = [(await c.post(bob)).number for _ in range(4)]

        async def take_down(who: Member, number: int) -> None:
            await c.posts.take_down(who.caller, wire.TakeDown(CHANNEL, number))

        with refused("role"):
            await take_down(cleo, numbers[0])
        with refused("wrong_state"):
            await take_down(ada, 1)
        with refused("no_entry"):
            await take_down(ada, 99)
        feed = c.hear(cleo)
        await take_down(bob, numbers[0])
        (news,) = [entry.event.log for entry in feed.after(1)]
        assert news is not None and news.entries is not None and news.entries[0].removed == "author"
        await take_down(ada, numbers[1])
        await take_down(mona, numbers[2])  # she looks after the box, and is no member
        await take_down(ada, numbers[2])
        removed = [one.removed for one in (await c.read(cleo)).entries if one.kind == 1]
        assert removed == ["author", "moderator", "moderator", None]
        acts = (await c.home.people.audit.page(OPERATOR, None, 50)).acts
        assert [(act.name, act.action, act.target) for act in acts][:1] == [
            ("mona", "channel.remove", "Garden")
        ]
        await c.change(ada, Close())
        await take_down(bob, numbers[3])


async def test_members_hear_at_once_and_who_was_put_out_hears_that(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        feeds = {who.person.name: c.hear(who) for who in (ada, bob, cleo)}
        seen = dict.fromkeys(feeds, 1)

        def heard(name: str) -> list[tuple[int, list[int]]]:
            """(last, numbers of the entries that came along) of what is new."""
            events = [entry.event for entry in feeds[name].after(seen[name])]
            seen[name] = feeds[name].last
            return [(e.log.last, [one.number for one in e.log.entries or ()]) for e in events if e.log]

        await c.create(ada, public=False)
        assert (heard("ada"), heard("bob")) == ([(1, [1])], [])
        await c.change(ada, ada.add(bob))
        assert (heard("ada"), heard("bob"), heard("cleo")) == ([(2, [2])], [(2, [2])], [])
        await c.post(ada)
        assert (heard("ada"), heard("bob"), heard("cleo")) == ([(3, [3])], [(3, [3])], [])
        await c.post(ada, sealed=b"\x01" + bytes(16_319))
        assert (heard("ada"), heard("bob")) == ([(4, [])], [(4, [])])
        # One encoding for all.
        await c.post(bob)
        first, second = (feeds[name].after(seen[name])[0] for name in ("ada", "bob"))
        assert first._shared is second._shared
        heard("ada"), heard("bob")
        await c.change(ada, Remove(bob.identity))
        assert (heard("ada"), heard("bob")) == ([(6, [6])], [(6, [])])
        await c.post(ada)
        assert (heard("ada"), heard("bob")) == ([(7, [7])], [])
        await c.change(ada, Close())
        heard("ada")
        await c.channels.remove(ada.caller, CHANNEL)
        assert heard("ada") == [(8, [])]


async def test_who_is_in_no_channel_hears_what_the_list_of_public_ones_shows(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        feed, seen = c.hear(cleo), 1

        def heard() -> list[int]:
            nonlocal seen
            events = [entry.event for entry in feed.after(seen)]
            seen = feed.last
            return [event.log.last for event in events if event.log]

        await c.create(ada)
        assert heard() == [1]
        await c.change(bob, bob.join())
        await c.post(bob)
        assert heard() == []
        await c.change(ada, SetInfo(Info("Orchard", "")))
        assert heard() == [4]
        await c.change(ada, Close())
        assert heard() == [5]
        await c.channels.remove(ada.caller, CHANNEL)
        assert heard() == [5]


@pytest.mark.parametrize("end", ["remove", "leave", "device"])
async def test_nothing_is_posted_after_a_change(tmp_path: Path, end: str) -> None:
    """Whatever shares a commit with it, in whichever order: a post stands before it or was refused."""
    async with channel_house(tmp_path) as c:
        ada, bob, _ = await trio_of(c)
        await c.create(ada)
        await c.change(bob, bob.join())
        outcomes: list[int | str] = []
        drafts = [c.draft() for _ in range(40)]
        last: list[int] = []

        async def write(draft: wire.PostChannel) -> None:
            try:
                outcomes.append((await c.posts.post(bob.caller, draft)).number)
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async def change() -> None:
            if end == "remove":
                last.append((await c.change(ada, Remove(bob.identity))).number)
            elif end == "leave":
                last.append((await c.change(bob, Leave())).number)
            else:
                await c.directory.publish(bob.caller, bob.person.publication(0))
                last.append((await c.read(ada)).last + 1)

        async with trio.open_nursery() as nursery:
            for number, draft in enumerate(drafts):
                nursery.start_soon(write, draft)
                if number == 20:
                    nursery.start_soon(change)
        posted = [one for one in outcomes if isinstance(one, int)]
        codes = {one for one in outcomes if isinstance(one, str)}
        assert len(outcomes) == 40 and codes <= {"old_roster", "not_member"}
        assert all(number < last[0] for number in posted)
        assert len((await c.read(ada)).entries) == 2 + len(posted) + (end != "device")
        # What was refused stays refused, and what was posted is answered alike, also to who is out.
        for draft in drafts:
            if c.store.read(lambda txn, id=draft.id: logs.number_of(txn, CHANNEL, id)) is None:
                with refused("old_roster" if end == "device" else "not_member"):
                    await c.posts.post(bob.caller, draft)
            else:
                assert (await c.posts.post(bob.caller, draft)).number in posted
