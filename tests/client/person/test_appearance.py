"""What people show of themselves: name, picture and zone travel to contacts, and are taken away again."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.client.person import Person, records
from appliance.protocol import codec, content
from tests.boxes import Net, running
from tests.clients import befriend, coming_back, hear, joining, once
from tests.protocol.test_picture import PICTURES
from tests.services import refused

TINY, OTHER = PICTURES[0], PICTURES[2]


def seen(me: Person) -> Any:
    """What I see of my only contact."""
    return me.contacts()[0]


async def test_a_picture_a_name_and_a_zone_reach_a_contact_and_go_again(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await befriend(ada, bob)
        look = bob.appearance
        assert (seen(bob).display, seen(bob).picture, seen(bob).zone) == ("", False, "")
        assert await look.picture_of(ada.address) is None
        await ada.appearance.change(display="Ada", picture=TINY, zone="Europe/Berlin", tell_zone=True)
        await once(bob, lambda: seen(bob).picture)
        assert (seen(bob).display, seen(bob).zone) == ("Ada", "Europe/Berlin")
        assert await look.picture_of(ada.address) == TINY == await ada.appearance.picture()

        await ada.appearance.change(picture=OTHER, tell_zone=False)

        async def other() -> bool:
            return await look.picture_of(ada.address) == OTHER

        await once(bob, other)
        assert (seen(bob).display, seen(bob).zone) == ("Ada", "")
        assert ada.appearance.zone == "Europe/Berlin"

        await ada.appearance.change(display="", picture=None)
        await once(bob, lambda: not seen(bob).picture)
        assert seen(bob).display == ""
        assert await look.picture_of(ada.address) is None
        assert await ada.appearance.picture() is None


async def test_a_stranger_shows_nothing_before_they_are_accepted(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await ada.appearance.change(display="Ada", picture=TINY)
        await ada.send(bob.address, "hello")
        core, id = ada._core, ada._core.chats.at(bob.address).id
        targets = await core.outbound.targets(id)
        pushed = content.Profile(1, bytes(range(16)), core.now(), "Somebody else", OTHER, "UTC")

        async def push(batch: Any) -> None:
            core.dispatcher.leave(batch, await core.outbound.seal(batch, pushed, targets))

        await core.ledger.run(push)
        await ada.send(bob.address, "hello again")
        await once(bob, lambda: bob.contacts() and seen(bob).unread == 2)
        assert (seen(bob).display, seen(bob).picture, seen(bob).zone) == ("", False, "")
        await bob.accept(ada.address)
        await hear(bob, 2)
        await once(bob, lambda: seen(bob).picture)
        assert await bob.appearance.picture_of(ada.address) == TINY


async def test_another_device_has_it_all_and_reads_pictures_when_they_are_wanted(tmp_path):
    async with running(Net(), tmp_path / "box", registration="open") as box:
        async with joining(box, "ada") as ada, joining(box, "bob") as bob:
            await befriend(ada, bob)
            await ada.appearance.change(picture=TINY, zone="Asia/Tokyo")
            await once(bob, lambda: seen(bob).picture)
        async with coming_back(box, "bob") as bob, joining(box, "eve") as eve:
            name = records.picture(bob._core.chats.all[0].id)
            assert seen(bob).picture and bob._core.vault.peek(name) is None
            assert await bob.appearance.picture_of(seen(bob).address) == TINY
            await befriend(bob, eve)
            async with coming_back(box, "bob") as phone:
                # Eve has never heard of that device; the other one tells her.
                await phone.appearance.change(picture=OTHER)
                await once(eve, lambda: seen(eve).picture)
            assert await bob.appearance.picture() == OTHER
        async with coming_back(box, "ada") as ada:
            assert await ada.appearance.picture() == TINY
            assert (ada.appearance.zone, ada.appearance.tells_zone) == ("Asia/Tokyo", False)


@pytest.mark.parametrize(
    "change",
    [
        {"picture": TINY + b"\0"},
        {"picture": b"x"},
        {"display": "a\nb"},
        {"display": "x" * 65},
        {"zone": "a b"},
    ],
)
async def test_what_nobody_could_read_is_not_kept(tmp_path, change):
    async with running(Net(), tmp_path / "box", registration="open") as box, joining(box, "ada") as ada:
        with refused("bad_message"):
            await ada.appearance.change(**change)
        assert (ada.appearance.display, ada.appearance.zone, await ada.appearance.picture()) == ("", "", None)


def test_records_of_earlier_versions_are_read():
    earlier = {
        "v": 1,
        "name": "bob",
        "onion": "x",
        "identity": bytes(32),
        "display": "Bob",
        "verified": False,
    }
    person = codec.convert(earlier | {"entry": b"", "checked": 0, "change": None}, records.Person)
    assert (person.picture, person.zone) == (b"", "")
    settings = {"readReceipts": True, "typing": True, "presence": True, "notifications": False}
    known = {"v": 1, "account": bytes(16), "name": "bob", "onion": "x", "seed": bytes(32), "display": ""}
    account = codec.convert(known | {"settings": settings, "devices": []}, records.Account)
    assert (account.picture, account.zone, account.settings.zone) == (b"", "", False)
