"""Numbers of a chain that come twice: from a sender that was set back, and from a box that repeats itself."""

from __future__ import annotations

import os
import shutil

import msgspec

from appliance.protocol.post import Dispatch
from tests.boxes import Net, running
from tests.clients import befriend, coming_back, hear, joining


async def test_what_a_sender_that_was_set_back_unnoticed_says_is_asked_for_again(tmp_path):
    net, data = Net(), tmp_path / "one"
    async with (
        running(net, tmp_path / "other", registration="open") as there,
        joining(there, "bob") as bob,
    ):
        async with running(net, data, registration="open") as box, joining(box, "ada") as ada:
            await befriend(ada, bob)
            await ada.settled()
            device = ada.device
        shutil.copytree(data, tmp_path / "backup")
        async with running(net, data) as box, coming_back(box, "ada") as ada:
            assert ada.device == device
            for text in ("one", "two"):
                await ada.send(bob.address, text)
            assert [one.text for one in await hear(bob, 2)] == ["one", "two"]
        shutil.rmtree(data)
        (tmp_path / "backup").rename(data)
        # Nothing tells this client that there was more: its first words have the numbers of those before.
        async with running(net, data) as box, coming_back(box, "ada") as ada:
            assert ada.device == device
            for text in ("three", "four", "five"):
                await ada.send(bob.address, text)
            assert {one.text for one in await hear(bob, 3)} == {"three", "four", "five"}
            assert not [one for one in await bob.history(ada.address) if one.unreadable]
            await bob.send(ada.address, "all is well")
            assert (await hear(ada))[0].text == "all is well"


async def test_a_replay_is_silent_whatever_body_it_has(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await befriend(ada, bob)
        sent: list[Dispatch] = []
        hand_over, change = ada._core.member.dispatch, ada._core.member.change_vault

        async def overheard(put, remove, dispatches, done):
            sent.extend(dispatches)
            return await change(put, remove, dispatches, done)

        ada._core.member.change_vault = overheard  # type: ignore[method-assign]
        await ada.send(bob.address, "once")
        await hear(bob)
        (message,) = [one for one in sent if any(len(each) == 4032 for each in one.envelopes)]
        asked = await watched(bob._core)
        for at in (-1, -2, -3):
            octets = bytearray(message.envelopes[0])
            octets[at] ^= 1
            again = msgspec.structs.replace(message, id=os.urandom(16), envelopes=[bytes(octets)])
            await hand_over(again)
        await ada.send(bob.address, "after")
        assert (await hear(bob))[0].text == "after"
        await bob.settled()
        assert not asked and not [one for one in await bob.history(ada.address) if one.unreadable]


async def watched(core) -> list[object]:
    """What a client asks for again from now on."""
    asked: list[object] = []
    begin = core.resync.begin

    async def note(*of):
        asked.append(of)
        await begin(*of)

    core.resync.begin = note
    return asked
