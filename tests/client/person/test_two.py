"""Two people write to each other through real boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

import appliance.client
from appliance.client.person import Message, Person, records
from appliance.protocol import content
from tests.boxes import Net, running
from tests.clients import QUICK, accepted, befriend, coming_back, hear, joining, once, texts
from tests.services import refused


async def test_two_people_of_one_box_talk(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        sent = await ada.send(bob.address, "hello")
        (request,) = await once(bob, bob.contacts)
        assert (request.state, request.address, request.unread) == ("request", ada.address, 1)
        await bob.accept(ada.address)
        (message,) = await hear(bob)
        assert (message.text, message.address, message.id) == ("hello", ada.address, sent.id)
        await message.reply("HELLO")
        (answer,) = await hear(ada)
        assert (answer.text, answer.answers) == ("HELLO", sent.id)
        assert ada.safety(bob.address) == bob.safety(ada.address)

        async def read():
            return [one.state for one in await ada.history(bob.address) if one.mine] == ["read"]

        await once(ada, read)
        assert bob.contacts()[0].unread == 0


async def test_words_of_a_stranger_wait_and_a_blocked_one_is_not_heard(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await ada.send(bob.address, "one")
        await once(bob, bob.contacts)
        await bob.settled()
        await ada.settled()
        assert [one.state for one in await ada.history(bob.address)] != ["delivered"]
        message = await anext(bob.messages(strangers=True))
        assert message.text == "one"
        await message.reply("come in")
        (answer,) = await hear(ada)
        assert answer.text == "come in"
        await bob.block(ada.address)
        await ada.send(bob.address, "two")
        await ada.settled()
        assert await texts(bob, ada.address) == ["one", "come in"]
        with refused("wrong_state"):
            await bob.send(ada.address, "no")


async def test_changes_of_a_message_reach_the_other_side(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await befriend(ada, bob)
        sent = await ada.send(bob.address, "helo")
        await hear(bob)
        await sent.edit("hello")
        await bob.react(ada.address, sent.id, "👍")

        async def changed():
            there = await bob.find(ada.address, sent.id)
            here = await ada.find(bob.address, sent.id)
            return there.text == "hello" and there.edited and here.reactions == {"👍": 1}

        await once(ada, changed)
        with refused("wrong_state"):
            await bob.edit(ada.address, sent.id, "mine")
        await bob.react(ada.address, sent.id, "")
        await sent.delete()

        async def gone():
            there = await bob.find(ada.address, sent.id)
            return there.deleted and there.text == "" and not there.reactions

        await once(bob, gone)
        assert "hello" not in await texts(ada, bob.address)


async def test_keys_of_a_channel_are_no_messages(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await befriend(ada, bob)
        before = len(await bob.history(ada.address))
        channel, key = bytes(16), bytes(32)
        mark = content.RosterMark(1, bytes(32))
        told: list[content.Content] = [
            content.SenderKey(1, b"\1" * 16, 1, channel, 0, 1, key, 0, key, mark),
            content.SenderKeyWanted(1, b"\2" * 16, 1, channel, [bytes(16)]),
        ]
        (conversation,) = [chat.id for chat in ada._core.chats.all]
        for each in told:
            await ada._core.outbound.send(conversation, each)
        await ada.send(bob.address, "after")
        (message,) = await hear(bob)
        assert message.text == "after"
        assert len(await bob.history(ada.address)) == before + 1


@pytest.mark.parametrize("size", [0, 5, 40_000])
async def test_a_file_arrives_whole(tmp_path, size):
    data = bytes(at * 7 % 251 for at in range(size))
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await befriend(ada, bob)
        await ada.send_bytes(bob.address, data, "../etc/notes.txt", "text/plain", "look")
        (message,) = await hear(bob)
        assert message.attachment is not None
        assert (message.attachment.name, message.attachment.size) == ("notes.txt", size)
        assert message.text == "look"
        assert await message.content() == data
        # One's own are kept as well.
        assert await (await ada.find(bob.address, message.id)).content() == data


async def test_a_large_file_travels_with_an_index(tmp_path):
    data = b"\x01\x02" * 4_500_000
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await befriend(ada, bob)
        await ada.send_bytes(bob.address, data, "big")
        (message,) = await hear(bob)
        assert await message.content() == data


async def test_people_of_two_boxes_talk_while_one_of_them_is_away(tmp_path):
    net = Net()
    async with (
        running(net, tmp_path / "one", registration="open") as one,
        joining(one, "ada", profile=tmp_path / "ada") as ada,
    ):
        async with (
            running(net, tmp_path / "other", registration="open") as other,
            joining(other, "bob") as bob,
        ):
            await befriend(ada, bob)
            address = bob.address
        # Their box is off: what is written waits at mine.
        sent = await ada.send(address, "are you there?")
        assert sent.state == "waiting"
        async with (
            running(net, tmp_path / "other", registration="open") as other,
            coming_back(other, "bob") as bob,
        ):
            (message,) = await hear(bob)
            assert message.text == "are you there?"
            await message.reply("now I am")
            (answer,) = await hear(ada)
            assert answer.text == "now I am"
            assert await texts(bob, ada.address) == ["may I?", "are you there?", "now I am"]


async def test_a_relay_keeps_what_is_written_while_both_boxes_are_off_in_turn(tmp_path):
    net = Net()
    async with running(net, tmp_path / "relay", relay_policy="open") as relay:
        async with (
            running(net, tmp_path / "one", registration="open") as one,
            joining(one, "ada") as ada,
        ):
            async with running(net, tmp_path / "other", registration="open") as other:
                await other.desk.use_relay(relay.ready.onion)
                async with joining(other, "bob") as bob:
                    await befriend(ada, bob)
                    await once(ada, lambda: ways(ada, bob, 2))
                    address = bob.address
            sent = await ada.send(address, "kept for you")
            await once(ada, lambda: state_of(ada, sent, "relay"))
        # Now the sender's box is off, and the recipient's comes back.
        async with (
            running(net, tmp_path / "other", registration="open") as other,
            coming_back(other, "bob") as bob,
        ):
            assert (await hear(bob))[0].text == "kept for you"


async def ways(me: Person, them: Person, number: int) -> bool:
    name = records.session(bytes.fromhex(me.device), bytes.fromhex(them.device))
    record = await me._core.vault.get(name, records.Session)
    return record is not None and len(record.routes) >= number


async def state_of(me: Person, message: Message, state: str) -> bool:
    return (await me.find(message.address, message.id)).state == state


async def test_a_bot_of_ten_lines_answers(tmp_path):
    """The program of BOT.md, word for word."""
    text = (Path(appliance.client.__file__).parent / "BOT.md").read_text()
    program = text.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in program.splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {"__name__": "bot"}
    exec(compile(program, "BOT.md", "exec"), names)
    profile = tmp_path / "bot.json"
    async with running(Net(), tmp_path / "box", registration="open") as box, joining(box, "ada") as ada:
        async with joining(box, "echo", profile=profile) as echo:
            address = echo.address
        async with trio.open_nursery() as nursery:
            nursery.start_soon(names["main"], str(profile))
            await ada.send(address, "are you a bot?")
            assert (await hear(ada))[0].text == "ARE YOU A BOT?"
            await ada.send(address, "again")
            assert (await hear(ada))[0].text == "AGAIN"
            nursery.cancel_scope.cancel()


async def test_contacts_go_on_after_the_client_was_opened_again(tmp_path):
    profile = tmp_path / "profiles" / "ada"
    async with running(Net(), tmp_path / "box", registration="open") as box, joining(box, "bob") as bob:
        async with joining(box, "ada", profile=profile) as ada:
            await befriend(ada, bob)
            device = ada.device
        assert profile.stat().st_mode & 0o777 == 0o600
        for turn in range(3):
            async with Person.open(profile, options=QUICK) as ada:
                assert ada.device == device
                await ada.send(bob.address, f"turn {turn}")
                (message,) = await hear(bob)
                await message.reply(f"heard {turn}")
                assert (await hear(ada))[0].text == f"heard {turn}"
                assert await accepted(ada, bob.address)
                with refused("in_use"):
                    async with Person.open(profile, options=QUICK):
                        pass
