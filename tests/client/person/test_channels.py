"""Channels of a person's client against a real box: two devices, lost answers, lost keys, forged rosters."""

from __future__ import annotations

import os

import msgspec
import pytest

from appliance.client.entrance import Unanswered
from appliance.client.person import records
from appliance.client.person.channel_keys import reading_name
from appliance.protocol import channel as wire
from appliance.protocol.codec import to_text
from appliance.protocol.group_cipher import Reading, Recipient
from appliance.protocol.log import LogPage
from tests.boxes import Net, running
from tests.clients import coming_back, joining, once
from tests.services import refused


@pytest.fixture
async def box(tmp_path):
    async with running(Net(), tmp_path / "box", registration="open") as found:
        yield found


async def texts(person, id):
    return [one.text or one.trouble for one in await person.channels.read(id)]


async def test_two_devices_of_a_member_read_and_write(box):
    async with joining(box, "ada") as ada, joining(box, "bob") as bob:
        id = await ada.channels.create("Garden")
        await bob.channels.join(id)
        await ada.channels.send(id, "one")
        assert await texts(bob, id) == ["one"]
        async with coming_back(box, "bob") as phone:
            assert await texts(phone, id) == ["one"]
            await ada.channels.send(id, "two")
            await phone.channels.send(id, "three")
            assert await texts(ada, id) == ["one", "two", "three"]
            assert await texts(phone, id) == ["one", "two", "three"]
            await bob._core.pull()
            assert await texts(bob, id) == ["one", "two", "three"]


async def test_who_has_only_a_channel_in_common_writes_in_private(box):
    async with joining(box, "ada") as ada, joining(box, "bob") as bob:
        id = await ada.channels.create("Garden")
        await bob.channels.join(id)
        await ada.channels.send(id, "one")
        await texts(bob, id)
        await bob.channels.send(id, "two")
        assert await texts(ada, id) == ["one", "two"]
        assert [ada.contacts(), bob.contacts()] == [[], []]
        await bob.send(ada.address, "just between us")
        (request,) = await once(ada, ada.contacts)
        assert (request.state, request.address) == ("request", bob.address)
        assert [one.text for one in await ada.history(bob.address)] == ["just between us"]


async def test_a_lost_answer_and_an_old_roster_post_once(box):
    async with joining(box, "ada") as ada, joining(box, "bob") as bob:
        id = await ada.channels.create("Garden")
        member, post = ada._core.member, ada._core.member.post
        await bob.channels.join(id)

        async def cut(path, kind, value):
            answer = await post(path, kind, value)
            if path == "/v1/channels/post":
                raise Unanswered("broken")
            return answer

        member.post = cut
        with pytest.raises(Unanswered):
            await ada.channels.send(id, "one")

        async def before(path, kind, value):
            if path == "/v1/channels/post":
                raise Unanswered("broken")
            return await post(path, kind, value)

        del member.post
        await ada.channels.send(id, "two")
        member.post = before
        with pytest.raises(Unanswered):
            await ada.channels.send(id, "three")
        del member.post
        await bob.channels.leave(id)
        await bob.channels.join(id)
        await ada.channels.send(id, "four")
        assert await texts(ada, id) == ["one", "two", "three", "four"]
        assert (await texts(bob, id))[-1] == "four"


async def test_what_is_taken_away_is_gone_from_the_box_with_its_keys(box):
    async with joining(box, "ada") as ada, joining(box, "bob") as bob:
        id = await ada.channels.create("Garden")
        await bob.channels.join(id)
        first = await ada.channels.send(id, "one")
        await ada.channels.edit(id, first, "uno")
        await ada.channels.send(id, "two")
        await bob.channels.send(id, "three")
        assert await texts(bob, id) == ["uno", "two", "three"]
        uno, _, three = await ada.channels.read(id)
        whose = Recipient(ada._core.identity.public, ada._core.seat.device)
        name = records.channel_keys(id, reading_name(whose))
        (chain,) = (await bob._core.vault.get(name, Reading)).chains
        assert chain.base.iteration == 0

        with refused("role"):
            await bob.channels.take_away(id, uno.number)
        await ada.channels.take_away(id, uno.number)
        await ada.channels.take_away(id, three.number)
        with refused("not_found"):
            await ada.channels.take_away(id, 1)
        gone = [*["removed by its author"] * 2, "two", "removed by its moderator"]
        assert await texts(bob, id) == await texts(ada, id) == gone
        page = await bob._core.member.get(f"/v1/channels/{to_text(id)}/entries?after=0&limit=256", LogPage)
        assert [one.number for one in page.entries if one.body is None] == [
            *(uno.number, *uno.edits),
            three.number,
        ]
        (chain,) = (await bob._core.vault.get(name, Reading)).chains
        assert chain.base.iteration == 2

        await ada.channels.pin(id, (await ada.channels.read(id))[2].id)
        assert [one.pinned for one in await bob.channels.read(id)] == [False, False, True, False]
        await ada.channels.pin(id, (await ada.channels.read(id))[2].id, on=False)
        assert not any(one.pinned for one in await bob.channels.read(id))


async def test_a_key_that_was_lost_is_asked_for(box):
    async with joining(box, "ada") as ada, joining(box, "bob") as bob:
        id = await ada.channels.create("Garden")
        await bob.channels.join(id)
        await ada.channels.send(id, "one")
        await bob._core.inbound.idle()
        maker = Recipient(ada._core.identity.public, ada._core.seat.device)

        async def lose(batch):
            batch.change(records.channel_keys(id, reading_name(maker)), Reading, lambda now: None)

        await bob._core.ledger.run(lose)
        assert await texts(bob, id) == ["its key has not come yet"]
        watching = bob.channels.watch(id, 0)
        assert (await anext(watching)).text == "one"


async def test_who_joins_while_a_message_is_sealed_can_read_it(box):
    async with joining(box, "ada") as ada, joining(box, "bob") as bob, joining(box, "cleo") as cleo:
        id = await ada.channels.create("Garden")
        await bob.channels.join(id)
        await ada.channels.send(id, "one")
        post, late = ada._core.member.post, [cleo]

        async def meanwhile(path, kind, value):
            if path == "/v1/channels/members/changed" and late:
                await late.pop().channels.join(id)
            return await post(path, kind, value)

        ada._core.member.post = meanwhile
        await ada.channels.send(id, "two")
        assert not late
        assert (await texts(cleo, id))[-1] == "two" and (await texts(bob, id))[-1] == "two"
        # A device that was taken away is given nothing more.
        await bob.sign_out()
        await ada.channels.remove(id, "cleo")
        await ada.channels.send(id, "three")
        with refused("not_member"):
            await cleo.channels.send(id, "still here")
        assert "three" not in await texts(cleo, id)


async def test_a_fork_or_another_roster_is_refused(box):
    async with joining(box, "ada") as ada, joining(box, "bob") as bob:
        id = await ada.channels.create("Garden")
        await bob.channels.join(id)
        await bob.channels.members(id)
        post = bob._core.member.post

        async def shorter(path, kind, value):
            answer = await post(path, kind, value)
            if path == "/v1/channels/roster/read":
                return wire.RosterPage(answer.entries[:1], False)
            return answer

        bob.channels.rooms._rooms.clear()
        bob._core.member.post = shorter
        with refused("bad_roster"):
            await bob.channels.send(id, "to whom?")
        del bob._core.member.post
        await bob.channels.send(id, "to all")
        assert await texts(ada, id) == ["to all"]


async def test_a_stranger_with_keys_is_nobody(box):
    """Keys come from members only, and nothing that a stranger says of channels makes a request."""
    async with joining(box, "ada") as ada, joining(box, "eve") as eve:
        id = await ada.channels.create("Garden", public=False)
        assert not await eve.channels.rooms.knows(ada._core.identity.public)
        assert not await ada.channels.rooms.knows(eve._core.identity.public, id)
        with refused("not_member"):
            await eve.channels.send(id, "hello")
        with refused("no_channel"):
            await eve.channels.send(os.urandom(16), "hello")
        with refused("no_account"):
            await ada.channels.invite(id, "nobody")
        assert ada.contacts() == []


async def test_who_comes_in_gets_the_key_of_the_title_as_it_is(box):
    async with joining(box, "ada") as ada, joining(box, "bob") as bob:
        id = await ada.channels.create("Cellar", public=False)
        # She made another key for a new title, which somebody else's change came before.
        await ada._core.ledger.run(lambda batch: _another_key(batch, id))
        await ada.channels.invite(id, "bob")
        await ada.channels.send(id, "welcome")
        assert await texts(bob, id) == ["welcome"]
        assert [row.title for row in await bob.channels.all()] == ["Cellar"]


async def _another_key(batch, id):
    def step(now):
        return msgspec.structs.replace(now, info_keys=[os.urandom(32), *now.info_keys])

    batch.change(records.channel(id), records.Channel, step)
