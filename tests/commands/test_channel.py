"""Channels from the command line, against a real box: what is sealed here is opened there."""

from __future__ import annotations

import pytest
import trio

from appliance.client.entrance import loopback
from appliance.client.person import Person
from appliance.commands import exits
from tests.boxes import Net, running
from tests.clients import QUICK
from tests.commands.test_message import Terminal


@pytest.fixture
async def place(tmp_path):
    async with running(Net(), tmp_path / "box", registration="open") as box:
        yield box


@pytest.fixture
async def terminals(tmp_path, place):
    found = [Terminal(tmp_path / name, place.ready.url) for name in ("ada", "bob", "cleo")]
    for one, name in zip(found, ("ada", "bob", "cleo"), strict=True):
        await one.enter("sign-up", name)
    return found


async def test_three_people_talk_in_a_public_channel(terminals):
    ada, bob, cleo = terminals
    await ada.ask("channel", "create", "Garden", "--topic", "Tomatoes")
    (row,) = await bob.ask("channel", "list")
    assert (row["title"], row["topic"], row["member"], row["members"]) == ("Garden", "Tomatoes", False, 1)
    await bob.ask("channel", "join", "garden")
    said = await ada.ask("channel", "send", "Garden", "When are they\nripe?")
    (heard,) = await bob.ask("channel", "read", "Garden")
    assert (heard["name"], heard["text"], heard["own"], heard["trouble"]) == (
        "ada",
        "When are they\nripe?",
        False,
        "",
    )
    await bob.ask("channel", "send", "Garden", "-", "--reply", said["id"], text="In August.\n")
    await cleo.ask("channel", "join", "Garden")
    await ada.ask("channel", "send", "Garden", "Hello Cleo")
    shown = await ada.ask("channel", "read", "Garden")
    assert [(one["name"], one["text"], one["own"]) for one in shown] == [
        ("ada", "When are they\nripe?", True),
        ("bob", "In August.", False),
        ("ada", "Hello Cleo", True),
    ]
    # Who came later reads from then on.
    late = await cleo.ask("channel", "read", "Garden")
    assert [one["text"] for one in late] == ["", "", "Hello Cleo"]
    assert all(one["trouble"] for one in late[:2])
    # Nobody became a contact, or asks to be one, by being in a channel.
    assert await bob.ask("message", "list") == [] and await ada.ask("message", "list") == []
    plain = await ada.type("channel", "read", "Garden", "--limit", "1")
    assert "ada: Hello Cleo" in plain.stdout
    await ada.ask("channel", "pin", "Garden", str(shown[2]["number"]))
    assert (await bob.ask("channel", "read", "Garden"))[-1]["pinned"]
    await ada.ask("channel", "delete", "Garden", str(shown[0]["number"]))
    assert (await bob.ask("channel", "read", "Garden"))[0]["trouble"] == "removed by its author"
    people = await bob.ask("channel", "members", "Garden")
    assert [one["name"] for one in people] == ["ada", "bob", "cleo"]


async def test_a_private_channel_and_who_was_put_out(terminals):
    ada, bob, cleo = terminals
    await ada.ask("channel", "create", "Plans", "--private")
    assert await bob.ask("channel", "list") == []
    await ada.ask("channel", "invite", "Plans", "bob")
    await ada.ask("channel", "invite", "Plans", "cleo", "--role", "moderator")
    await ada.ask("channel", "send", "Plans", "Only us")
    (row,) = await bob.ask("channel", "list")
    assert (row["title"], row["public"]) in [("Plans", False), ("(title not known yet)", False)]
    (heard,) = await bob.ask("channel", "read", row["id"])
    assert heard["text"] == "Only us"
    (row,) = await bob.ask("channel", "list")
    assert row["title"] == "Plans"
    await bob.ask("channel", "send", "Plans", "Yes")
    await cleo.ask("channel", "read", (await cleo.ask("channel", "list"))[0]["id"])
    await cleo.ask("channel", "remove", "Plans", "bob")
    await ada.ask("channel", "send", "Plans", "Without Bob")
    texts = [one["text"] for one in await cleo.ask("channel", "read", "Plans")]
    assert texts[-1] == "Without Bob"
    failed = await bob.type("channel", "send", row["id"], "Still here")
    assert failed.exit_code != exits.DONE
    assert await bob.ask("channel", "list") == []


async def test_who_watches_hears_at_once(tmp_path, place):
    way = loopback(place.ready.url.removeprefix("http://").rstrip("/"))
    async with (
        Person.register(way, "ada", "correct horse battery", options=QUICK) as ada,
        Person.register(way, "bob", "correct horse battery", options=QUICK) as bob,
    ):
        id = await ada.channels.create("Garden")
        await bob.channels.join(id)
        heard: list[str] = []

        async def listen() -> None:
            async for one in bob.channels.watch(id, 0):
                if one.text:
                    heard.append(one.text)
                    if len(heard) == 3:
                        return

        with trio.fail_after(40):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen)
                for number in range(3):
                    sent = await ada.channels.send(id, f"number {number}")
        assert sorted(set(heard)) == ["number 0", "number 1", "number 2"]
        await ada.channels.edit(id, sent, "the last one")
        await bob.channels.react(id, sent, "👍")
        last = (await ada.channels.read(id))[-1]
        assert (last.text, last.edited, last.reactions) == ("the last one", True, {"bob": "👍"})
