"""Two people write to each other through real boxes."""

from __future__ import annotations

from urllib.parse import urlsplit

import trio

from appliance.client.entrance import loopback
from appliance.client.person import Options, Person
from tests.boxes import Net, running

PASSPHRASE = "correct horse battery"
QUICK = Options(patience=0.5, stock=5, pauses=(0.05, 0.1, 0.3))


def door(box):
    return loopback(urlsplit(box.ready.url).netloc)


async def test_two_people_of_one_box_talk(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        Person.register(door(box), "ada", PASSPHRASE, options=QUICK) as ada,
        Person.register(door(box), "bob", PASSPHRASE, options=QUICK) as bob,
    ):
        with trio.fail_after(30):
            await ada.send(bob.address, "hello")
            while not bob.contacts():
                await bob.news()
            assert bob.contacts()[0].state == "request"
            await bob.accept(ada.address)
            async for message in bob.messages():
                assert message.text == "hello" and message.address == ada.address
                await message.reply("HELLO")
                break
            async for message in ada.messages():
                assert message.text == "HELLO"
                break
