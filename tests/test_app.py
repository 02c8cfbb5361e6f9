"""Whole boxes: people write through them, one of them is off, a relay serves, a box is locked."""

from __future__ import annotations

import os

import pytest
import trio

from appliance.demo.scene import is_placed
from appliance.errors import Refusal
from appliance.protocol.desk import NewGrant
from tests.acts import lodge, until_held
from tests.boxes import PASSPHRASE, Net, running, until
from tests.clients import befriend, coming_back, hear, joining, once
from tests.phones import Phone, both_routes
from tests.services import envelope


async def test_the_story_of_a_box_that_is_off(tmp_path):
    net = Net()
    data = os.urandom(300_000)
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "alice", registration="open") as alice,
        joining(alice, "ann", profile=tmp_path / "ann") as ann,
    ):
        async with running(net, tmp_path / "bob", registration="open") as box:
            await lodge(box, relay)
            async with joining(box, "bert") as bert:
                address = bert.address
                await befriend(ann, bert)

                async def known():
                    return await ann.reach(address) == {box.ready.onion, relay.ready.onion}

                await once(ann, known)
                await until_held(relay.desk, 0)
        sent = await ann.send_bytes(address, data, "holiday.jpg", "image/jpeg")

        async def waits():
            placed = all(is_placed(one) for one in ann.sending())
            return placed and (await ann.find(address, sent.id)).state == "relay"

        await once(ann, waits)
        assert (await relay.desk.load()).held > 300_000 // 16_320
        async with (
            running(net, tmp_path / "bob", registration="open") as box,
            coming_back(box, "bert") as bert,
        ):
            (got,) = await hear(bert)
            assert got.attachment is not None and got.attachment.name == "holiday.jpg"
            assert await got.content() == data
            await until_held(relay.desk, 0)

            async def read():
                return (await ann.find(address, sent.id)).state == "read"

            await once(ann, read)
            for running_box in (alice, box, relay):
                assert (await running_box.desk.health()).faults == 0


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
        phone = await Phone.of(bob)
        await until(lambda: both_routes(phone))
        (grant,) = (await relay.desk.load()).grants
        assert (grant.label, grant.mailboxes) == ("Bob", 1)


async def test_a_protected_box_starts_locked_relays_and_opens_by_the_passphrase(tmp_path):
    net = Net()
    async with running(net, tmp_path / "bob") as bob:
        await bob.desk.protect(PASSPHRASE, True)
        phone = await Phone.of(bob)
        routes = await phone.routes()
    async with running(net, tmp_path / "bob") as bob, running(net, tmp_path / "alice") as alice:
        state = await bob.desk.state()
        assert state.locked and state.claimed
        with pytest.raises(Refusal) as caught:
            await bob.desk.relays()
        assert caught.value.code == "locked"
        ann, sent = await Phone.of(alice), envelope()
        id = await ann.send(routes, sent)
        await ann.until_leg(id, "box")  # the locked box took the envelope
        with pytest.raises(Refusal) as caught:
            await bob.desk.sign_in("not the passphrase")
        assert caught.value.code == "wrong_sign_in"
        await (await Phone.of(bob, phone.device)).until_waiting(sent)


async def test_two_boxes_cannot_share_a_data_folder(tmp_path):
    net = Net()
    async with running(net, tmp_path / "bob"):
        with pytest.RaisesGroup(pytest.RaisesExc(Refusal), flatten_subgroups=True):
            async with running(net, tmp_path / "bob"):
                await trio.sleep_forever()
