"""A message is as far as the last of its envelopes."""

from __future__ import annotations

import os

from appliance.client.person.dispatcher import stage
from appliance.client.person.whole import MARK, mark_of, part_id, together
from appliance.protocol.post import DispatchState, Leg
from tests.boxes import Net, running
from tests.clients import befriend, hear, joining, once


def state(**legs: str) -> DispatchState:
    return DispatchState(os.urandom(16), [Leg(name.encode(), at) for name, at in legs.items()])  # type: ignore[arg-type]


def test_each_destination_is_as_far_as_the_last_of_its_envelopes():
    assert stage(together([state(a="box"), state(a="relay")])) == "relay"
    assert stage(together([state(a="relay"), state(a="partly"), state(a="box")])) == "waiting"
    assert stage(together([state(a="box", b="waiting"), state(a="waiting", b="box")])) == "waiting"
    assert stage(together([state(a="box", b="waiting"), state(a="box", b="waiting")])) == "box"
    assert stage(together([state(a="box"), state(a="given_up")])) == "failed"
    assert stage(together([])) == "waiting"


def test_parts_of_a_message_are_known_by_it_alone():
    message, other = os.urandom(16), os.urandom(16)
    one, two = part_id(message), part_id(message)
    assert one != two and len(one) == 16 and one[:MARK] == two[:MARK] == mark_of(message) != mark_of(other)


async def test_an_attachment_is_no_further_than_its_chunks(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await befriend(ada, bob)
        sent = await ada.send_bytes(bob.address, b"x" * 50_000, "plan.txt")
        await hear(bob)
        await once(ada, lambda: _state(ada, bob.address, "read"))
        core = ada._core
        entry = core.chats.at(bob.address).timeline.entries[bytes.fromhex(sent.id)]
        # As if their box was off since the message arrived there.
        (mark,) = core.ledger.head.sessions
        entry.read.clear()
        shown = {"waiting": "waiting", "partly": "waiting", "relay": "delivered", "box": "delivered"}
        await _check(ada, bob.address, entry.id, mark.handle, shown)
        entry.delivered.clear()
        shown = {"waiting": "waiting", "relay": "relay", "given_up": "failed", "box": "box"}
        await _check(ada, bob.address, entry.id, mark.handle, shown)


async def _check(me, address: str, message: bytes, handle: bytes, shown: dict[str, str]) -> None:
    for at, wanted in shown.items():
        me._core.dispatcher.heard(DispatchState(mark_of(message) + bytes(8), [Leg(handle, at)]))  # type: ignore[arg-type]
        assert await _state(me, address, wanted), at


async def _state(me, address: str, wanted: str) -> bool:
    return (await me.history(address))[-1].state == wanted
