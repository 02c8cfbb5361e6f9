"""Whole boxes: what a member of one dispatches reaches a device of another, whatever is off meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.protocol import codec, onion
from appliance.protocol.post import (
    Dispatches,
    DispatchState,
    Event,
    Events,
    Settle,
)
from appliance.service import listening
from tests.acts import deposit, lodge, until_held
from tests.boxes import Net, Running, running, until
from tests.phones import Phone, both_routes
from tests.posts import dispatch
from tests.services import envelope


async def test_a_device_that_is_here_hears_at_once_from_another_box(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "a") as a, running(net, tmp_path / "b") as b:
        ann, bob = await Phone.of(a), await Phone.of(b)
        routes = await bob.routes()
        there, back = await bob.socket(), await ann.socket()
        async with there.stream, back.stream:
            sent = [envelope(4032), envelope()]
            message = dispatch(routes, envelopes=sent)
            await back.say("dispatch", message, 1)
            word, body, number = await back.answer()
            assert (word, number) == ("dispatched", 1)
            assert codec.convert(body, DispatchState).legs[0].state == "waiting"
            event = await there.event("mail")
            assert [one.envelope for one in event.queued or []] == sent
            changed = await back.event("dispatch")
            assert changed.dispatch is not None
            assert [leg.state for leg in changed.dispatch.legs] == ["box"]
            await there.say("settle", Settle([one.number for one in event.queued or []]), 2)
            assert await there.answer() == ["settled", {}, 2]
        await bob.until_waiting()
        for box in (a, b):
            assert (await box.desk.health()).faults == 0


async def test_a_box_that_is_off_has_it_when_it_is_back(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "a") as a:
        ann = await Phone.of(a)
        async with running(net, tmp_path / "b") as b:
            bob = await Phone.of(b)
            routes = await bob.routes()
        sent = envelope()
        id = await ann.send(routes, sent)
        leg = await ann.until_leg(id, "waiting")
        assert (await until(lambda: _reason(ann, id))) == "unreachable"
        assert leg.state == "waiting"
        async with running(net, tmp_path / "b") as b:
            bob = await Phone.of(b, bob.device)
            await bob.until_waiting(sent)
            await ann.until_leg(id, "box")


async def test_a_relay_holds_it_while_the_box_is_off(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "r", relay_policy="open") as relay,
        running(net, tmp_path / "a") as a,
    ):
        ann = await Phone.of(a)
        async with running(net, tmp_path / "b") as b:
            await lodge(b, relay)
            bob = await Phone.of(b)
            await bob.routes()
            routes = await until(lambda: both_routes(bob))
        sent = [envelope(16320), envelope()]
        id = await ann.send(routes, *sent)
        leg = await ann.until_leg(id, "relay")
        assert leg.relays == 1
        await until_held(relay.desk, 2)
        async with running(net, tmp_path / "b") as b:
            bob = await Phone.of(b, bob.device)
            await bob.until_waiting(*sent)
            await until_held(relay.desk, 0)


async def test_mail_at_a_relay_comes_at_once_to_a_device_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LOOK_SECONDS", 0.1)
    net = Net()
    async with (
        running(net, tmp_path / "r", relay_policy="open") as relay,
        running(net, tmp_path / "b", collect_seconds=3600) as b,
    ):
        await lodge(b, relay)
        bob = await Phone.of(b)
        await bob.routes()
        there = next(route for route in await until(lambda: both_routes(bob)) if route.onion != _key(b))
        wire = await bob.socket()
        async with wire.stream:
            for _ in range(2):  # the first may be found when the stream begins, the second is pushed
                sent = envelope()
                await deposit(net, there, sent)
                event = await wire.event("mail")
                assert [one.envelope for one in event.queued or []] == [sent]
                await until_held(relay.desk, 0)
        assert (await b.desk.health()).faults == 0


async def test_what_is_under_way_outlives_the_senders_box(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "b") as b:
        bob = await Phone.of(b)
        routes = await bob.routes()
        address = b.ready.onion
        async with running(net, tmp_path / "a") as a:
            socket = net.sockets.pop(address)
            ann = await Phone.of(a)
            sent = envelope()
            id = await ann.send(routes, sent)
        net.sockets[address] = socket
        async with running(net, tmp_path / "a") as a:
            ann = await Phone.of(a, ann.device)
            await bob.until_waiting(sent)
            await ann.until_leg(id, "box")


async def test_two_members_of_one_box_need_no_network(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "a") as a:
        phone = await Phone.of(a)
        first = await phone.get("/v1/events?stream=&after=0", Events)
        sent = envelope()
        message = dispatch(await phone.routes(), envelopes=[sent])
        answer = await phone.post("/v1/dispatch", DispatchState, message)
        assert [leg.state for leg in answer.legs] == ["box"]
        stream = codec.to_text(first.stream)
        found = await phone.get(f"/v1/events?stream={stream}&after={first.events[-1].number}", Events)
        kinds: list[Event] = [event for event in found.events if event.kind == "mail"]
        assert [one.envelope for event in kinds for one in event.queued or []] == [sent]
        await phone.http.call("DELETE", f"/v1/dispatch/{codec.to_text(message.id)}", dict[str, Any])
        assert not (await phone.get("/v1/dispatch", Dispatches)).dispatches
        assert await phone.post("/v1/dispatch", DispatchState, message) == answer
        assert not net.dialled


def _key(box: Running) -> bytes:
    return onion.public_key(box.ready.onion)


async def _reason(phone: Phone, id: bytes) -> str | None:
    return (await phone.leg(id)).reason
