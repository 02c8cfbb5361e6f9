"""Whole boxes talk: a sender, a recipient that is off, a relay that serves strangers."""

from __future__ import annotations

import hashlib
import os

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol.desk import Compose, NewGrant
from tests.boxes import PASSPHRASE, Net, running, until


async def content(desk, item):
    async with desk.content(item) as pieces:
        return b"".join([piece async for piece in pieces])


async def send_file(desk, contact, name, data):
    item = await desk.compose(Compose(contact=contact, kind="file", name=name, size=len(data)))
    for offset in range(0, len(data), 100_000):
        await desk.upload(item, offset, data[offset : offset + 100_000])
    return item


async def outbox_state(desk, item):
    return next(row for row in (await desk.outbox()).items if row.id == item)


def arrived(desk, count):
    async def check():
        items = [item for item in (await desk.inbox()).items if item.complete]
        return items if len(items) == count else None

    return check


async def test_a_note_goes_straight_to_a_box_that_is_on(tmp_path):
    net = Net()
    async with running(net, tmp_path / "alice") as alice, running(net, tmp_path / "bob") as bob:
        card = (await bob.desk.identity()).card
        contact = await alice.desk.add_contact(card=card)
        item = await alice.desk.compose(Compose(contact=contact.address, kind="note", text="Good evening"))
        (note,) = await until(arrived(bob.desk, 1))
        assert (note.text, note.contact, note.sender) == ("Good evening", False, alice.ready.onion)
        assert (await outbox_state(alice.desk, item)).state in ("sent", "trying")

        # The stranger is a request; once accepted, an answer goes back, with mailboxes of its own.
        (request,) = await bob.desk.contacts()
        assert request.request
        await bob.desk.accept_contact(alice.ready.onion)
        await bob.desk.compose(Compose(contact=alice.ready.onion, kind="note", text="Hello"))
        (answer,) = await until(arrived(alice.desk, 1))
        assert (answer.text, answer.contact) == ("Hello", True)


async def test_the_story_of_a_box_that_is_off(tmp_path):
    net = Net()
    data = os.urandom(300_000)
    async with running(net, tmp_path / "relay", relay_policy="open") as relay:
        async with running(net, tmp_path / "bob") as bob:
            await bob.desk.use_relay(relay.ready.onion)
            await until(lambda: ready_relays(bob.desk))
            card = (await bob.desk.identity()).card
        async with running(net, tmp_path / "alice") as alice:
            contact = await alice.desk.add_contact(card=card, name="Bob")
            assert (contact.relays, contact.direct) == (1, True)
            item = await send_file(alice.desk, contact.address, "holiday.jpg", data)

            async def held():
                row = await outbox_state(alice.desk, item)
                return row if row.state == "at_relays" else None

            row = await until(held)
            assert "Waiting at 1 relay until" in row.words
            load = await relay.desk.load()
            assert load.held == row.parts and load.days
            async with running(net, tmp_path / "bob") as bob:
                (got,) = await until(arrived(bob.desk, 1))
                assert (got.name, got.size) == ("holiday.jpg", len(data))
                body = await content(bob.desk, got.id)
                assert hashlib.sha256(body).digest() == hashlib.sha256(data).digest()

                async def empty():
                    return (await relay.desk.load()).held == 0

                await until(empty)
                await bob.desk.accept_contact(alice.ready.onion)

                async def delivered():
                    return (await outbox_state(alice.desk, item)).state == "delivered"

                await until(delivered)


async def ready_relays(desk):
    relays = await desk.relays()
    return all(relay.state == "ready" for relay in relays) and relays


async def test_an_invited_box_keeps_mailboxes_and_a_stranger_cannot(tmp_path):
    net = Net()
    async with running(net, tmp_path / "relay") as relay, running(net, tmp_path / "bob") as bob:
        await bob.desk.use_relay(relay.ready.onion)

        async def refused():
            (row,) = await bob.desk.relays()
            return row.state == "refused" and row

        assert "strangers" in (await until(refused)).words
        code = (await relay.desk.grant(NewGrant(label="Bob"))).code
        await bob.desk.use_relay(code)
        await until(lambda: ready_relays(bob.desk))
        (grant,) = (await relay.desk.load()).grants
        assert (grant.label, grant.mailboxes) == ("Bob", 1)


async def test_a_protected_box_starts_locked_relays_and_opens_by_the_passphrase(tmp_path):
    net = Net()
    async with running(net, tmp_path / "bob") as bob:
        await bob.desk.protect(PASSPHRASE, True)
        card = (await bob.desk.identity()).card
    async with running(net, tmp_path / "bob") as bob, running(net, tmp_path / "alice") as alice:
        state = await bob.desk.state()
        assert state.locked and state.claimed
        with pytest.raises(Refusal) as caught:
            await bob.desk.inbox()
        assert caught.value.code == "locked"
        contact = await alice.desk.add_contact(card=card)
        item = await alice.desk.compose(Compose(contact=contact.address, kind="note", text="Wake up"))

        async def sent():
            return (await outbox_state(alice.desk, item)).state == "sent"

        await until(sent)  # the locked box took the envelope
        with pytest.raises(Refusal) as caught:
            await bob.desk.sign_in("not the passphrase")
        assert caught.value.code == "wrong_sign_in"
        await bob.desk.sign_in(PASSPHRASE)
        (note,) = await until(arrived(bob.desk, 1))
        assert note.text == "Wake up"


async def test_two_boxes_cannot_share_a_data_folder(tmp_path):
    net = Net()
    async with running(net, tmp_path / "bob"):
        with pytest.RaisesGroup(pytest.RaisesExc(Refusal), flatten_subgroups=True):
            async with running(net, tmp_path / "bob"):
                await trio.sleep_forever()
