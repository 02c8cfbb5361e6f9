"""How channels end, and what is left of members: deleted accounts and channels, and many members at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol.directory import Publish
from appliance.protocol.roster import Close, Leave, Remove, SetRole
from appliance.protocol.transparency import check_found
from appliance.service.caller import OPERATOR
from appliance.service.guesses import Place
from tests.channels import CHANNEL, Member, channel_house
from tests.persons import Gadget
from tests.service.test_channels import trio_of
from tests.services import refused


async def test_deleted_accounts_stay_in_the_roster_as_nobody(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, _cleo = await trio_of(c)
        await c.create(ada)
        await c.change(bob, bob.join())
        await c.create(bob, channel=b"D" * 16)
        stale = c.draft()
        delete = c.home.people.accounts.delete
        with pytest.raises(Refusal) as caught:
            await delete(ada.caller, ada.secret.confirm(), Place())
        assert caught.value.code == "channel_owner" and len(caught.value.details["channels"]) == 1
        await delete(bob.caller, bob.secret.confirm(), Place())  # alone in his own: that goes with him
        with refused("no_channel"):
            await c.channels.one(ada.caller, b"D" * 16)
        assert (c.head().members, c.head().present) == (2, 1)
        with refused("old_roster"):  # who gives keys looks him up first, and finds nobody
            await c.posts.post(ada.caller, stale)
        changed = await c.members.changed(ada.caller, wire.MembersSince(CHANNEL, stale.devices))
        assert changed.names == ["bob"]
        assert (await c.members.page(ada.caller, wire.MembersQuery(CHANNEL, ["bob"]))).found == []
        # Another bob is not the one in the roster.
        again = await c.join("bob")
        with refused("not_member"):
            await c.post(again)
        with refused("bad_roster"):
            await c.change(again, again.join())
        await c.change(ada, Remove(bob.identity))
        await c.change(again, again.join())
        await c.post(again)
        # Those who look after the box may delete an owner's account; the channel goes on.
        await c.home.people.members.remove(OPERATOR, ada.caller.account)
        await c.post(again)
        assert (c.head().members, c.head().present) == (2, 1)
        await delete(again.caller, again.secret.confirm(), Place())
        with refused("no_channel"):
            c.head()


async def test_the_only_owner_that_is_left_does_not_leave(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, cleo = await trio_of(c)
        await c.create(ada)
        await c.change(ada, ada.add(bob, "owner"))
        await c.change(cleo, cleo.join())
        await c.home.people.members.remove(OPERATOR, bob.caller.account)
        with refused("channel_owner"):  # the roster has two owners, but one is nobody
            await c.change(ada, Leave())
        with refused("channel_owner"):
            await c.change(ada, SetRole(ada.identity, "member"))
        await c.change(ada, SetRole(cleo.identity, "owner"))
        await c.change(ada, Leave())


async def test_who_deletes_a_channel(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, _cleo = await trio_of(c)
        boss = await c.join("boss", "admin")
        await c.create(ada)
        await c.change(bob, bob.join())
        assert not c.channels.may_remove(ada.caller, CHANNEL)
        with refused("role"):
            await c.channels.remove(ada.caller, CHANNEL)  # others are in it: close it first
        await c.change(ada, Close())
        assert c.channels.may_remove(ada.caller, CHANNEL) and not c.channels.may_remove(bob.caller, CHANNEL)
        with refused("role"):
            await c.channels.remove(bob.caller, CHANNEL)
        await c.channels.remove(boss.caller, CHANNEL)
        with refused("no_channel"):
            await c.read(ada)
        with refused("channel_exists"):  # its id is not free while rows of it are there
            await c.create(ada)
        acts = (await c.home.people.audit.page(OPERATOR, None, 50)).acts
        assert ("boss", "channel.close", "Garden") in [(a.name, a.action, a.target) for a in acts]
        while await c.channels.sweep() or await c.logs.sweep():
            pass
        await c.create(ada)


async def test_two_hundred_members_with_two_devices_are_looked_up_in_batches(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada = await c.join("ada", prekeys=2)
        await c.create(ada, public=False)
        people: dict[str, Member] = {"ada": ada}
        for number in range(199):
            who = await c.join(f"m{number}", prekeys=2)
            who.person.devices.append(Gadget())
            await c.directory.publish(who.caller, who.person.publication(2))
            second = replace(who.caller, device=who.person.devices[1].id)
            bundle = Publish(bundle=who.person.bundle(1), one_time=who.person.devices[1].prekeys(2))
            await c.directory.publish(second, bundle)
            await c.change(ada, ada.add(who))
            people[who.person.name] = who
        names = list(people)
        head = None
        for at in range(0, 200, wire.MAX_LOOK_UPS):
            part = names[at : at + wire.MAX_LOOK_UPS]
            size = 0 if head is None else head.size
            page = await c.members.page(ada.caller, wire.MembersQuery(CHANNEL, [*part, "stranger"], size))
            assert page.devices == c.head().devices and len(page.found) == len(part)
            heads = set()
            for name, found in zip(part, page.found, strict=True):
                whose = people[name].person
                entry, bundles, seen = check_found(found, name, whose.box, whose.identity.public, head)
                assert {one.device for one in bundles} == {one.id for one in whose.devices}
                assert len(entry.devices) == len(whose.devices)
                heads.add(seen.size)
            assert len(heads) == 1
            head = seen
            wanted = [wire.WantedPrekeys(n, [one.id for one in people[n].person.devices]) for n in part]
            taken = await c.members.take(ada.caller, wire.TakeMany(CHANNEL, wanted))
            assert [one.name for one in taken.taken] == part
            assert all(key.prekey is not None for one in taken.taken for key in one.prekeys)
        wanted = [wire.WantedPrekeys("m0", [one.id for one in people["m0"].person.devices])]
        for _ in range(4):  # until there are none: then the last resort serves
            taken = await c.members.take(ada.caller, wire.TakeMany(CHANNEL, wanted))
        assert [key.prekey for key in taken.taken[0].prekeys] == [None, None]
        await c.change(ada, Remove(people["m0"].identity))
        assert (await c.members.take(ada.caller, wire.TakeMany(CHANNEL, wanted))).taken == []


async def test_a_locked_box_is_read_and_not_written(tmp_path: Path) -> None:
    async with channel_house(tmp_path) as c:
        ada, bob, _ = await trio_of(c)
        await c.create(ada)
        await c.post(ada)
        ring = c.home.house.ring
        sealer, ring.sealer = ring.sealer, None
        with refused("locked"):
            await c.post(ada)
        with refused("locked"):
            await c.change(bob, bob.join())
        assert len((await c.read(ada)).entries) == 2
        ring.sealer = sealer
        await c.post(ada)
