"""SIGKILL of a box under load, fifty times: what it acknowledged is there, and there once."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest
import trio

from appliance.client.entrance import Entrance
from appliance.client.relay import Relay
from appliance.client.stream import open_stream
from appliance.protocol.envelope import envelope_id
from appliance.protocol.messages import Acknowledged, Deposit, Deposited, Fetched
from tests.processes import WIDE, Box, Process, envelope, make_mailboxes, start, until_broken, until_more

ROUNDS = 50
COLLECTED = 2
"""Mailboxes that are emptied under load."""


@dataclass
class Ledger:
    """What the box has answered for: held envelopes, gone ones, and those it was asked to remove."""

    held: dict[bytes, set[bytes]] = field(default_factory=dict)
    gone: dict[bytes, set[bytes]] = field(default_factory=dict)
    leaving: dict[bytes, set[bytes]] = field(default_factory=dict)
    answers: int = 0

    def note(self, box: Box, envelopes: list[bytes], answer: Deposited) -> None:
        (outcomes,) = answer.groups
        assert {outcome.state for outcome in outcomes} <= {"held", "already held"}
        # A collector may have been told of them before their sender was.
        ids = set(map(envelope_id, envelopes)) - self.gone.get(box.id, set())
        self.held.setdefault(box.id, set()).update(ids)
        self.answers += 1

    def check(self, box: Box, found: list[bytes]) -> None:
        """The whole content of a mailbox after a restart."""
        assert len(found) == len(set(found)), "an envelope is there twice"
        held, gone = self.held.get(box.id, set()), self.gone.get(box.id, set())
        lost = held - self.leaving.get(box.id, set()) - set(found)
        assert not lost, f"{len(lost)} acknowledged envelopes are lost"
        assert not gone & set(found), "what was removed came back"

    def remove(self, box: Box, ids: set[bytes]) -> None:
        self.held.get(box.id, set()).difference_update(ids)
        self.gone.setdefault(box.id, set()).update(ids)


async def deposit_for_ever(
    deposit: Callable[[Deposit], Awaitable[Deposited]], boxes: list[Box], ledger: Ledger, rng: random.Random
) -> None:
    while True:
        box = rng.choice(boxes)
        envelopes = [envelope() for _ in range(rng.choice((1, 3, 16)))]
        ledger.note(box, envelopes, await deposit(box.batch(envelopes)))
        if box in boxes[COLLECTED:] and rng.random() < 0.3:  # the sender did not hear and says it again
            ledger.note(box, envelopes, await deposit(box.batch(envelopes)))


async def collect_for_ever(
    fetch: Callable[..., Awaitable[Fetched]],
    acknowledge: Callable[..., Awaitable[Acknowledged]],
    box: Box,
    ledger: Ledger,
) -> None:
    while True:
        page = await fetch(box.key, limit=8)
        ids = {envelope_id(one.envelope) for one in page.envelopes}
        if ids:
            ledger.leaving.setdefault(box.id, set()).update(ids)
            await acknowledge(box.key, sorted(ids))
            ledger.remove(box, ids)


async def load(process: Process, boxes: list[Box], ledger: Ledger, rng: random.Random) -> None:
    """Six depositors and two collectors over every entrance, until all lines are broken."""
    doors: list[Entrance] = [process.loopback, process.control, process.onion]

    async def by_http(door: Entrance) -> None:
        async with Relay(door, process.host) as relay:
            await deposit_for_ever(relay.deposit, boxes, ledger, rng)

    async def by_stream(door: Entrance) -> None:
        async with open_stream(door, process.host) as stream:
            await deposit_for_ever(stream.deposit, boxes, ledger, rng)

    async def collect(box: Box) -> None:
        async with Relay(process.loopback, process.host) as relay:
            await collect_for_ever(relay.fetch, relay.acknowledge, box, ledger)

    async def collect_by_stream(box: Box) -> None:
        async with open_stream(process.loopback, process.host) as stream:
            await collect_for_ever(stream.fetch, stream.acknowledge, box, ledger)

    async with trio.open_nursery() as nursery:
        for door in doors:
            nursery.start_soon(until_broken, lambda door=door: by_http(door))
            nursery.start_soon(until_broken, lambda door=door: by_stream(door))
        nursery.start_soon(until_broken, lambda: collect(boxes[0]))
        nursery.start_soon(until_broken, lambda: collect_by_stream(boxes[1]))


async def verify_and_empty(process: Process, boxes: list[Box], ledger: Ledger) -> int:
    """Read everything back through the real API, compare, and acknowledge it."""
    total = 0
    async with Relay(process.control, process.host) as relay:
        for box in boxes:
            ids = [envelope_id(one.envelope) for one in await box.fetch_all(relay)]
            ledger.check(box, ids)
            total += len(ids)
            for at in range(0, len(ids), 1024):
                answer = await relay.acknowledge(box.key, ids[at : at + 1024])
                assert answer.removed == len(ids[at : at + 1024])
            ledger.remove(box, {*ids, *ledger.leaving.pop(box.id, ())})
    return total


@pytest.mark.slow
async def test_fifty_kills_under_load_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    rng = random.Random(50)
    ledger = Ledger()
    process = await start(tmp_path / "box", *WIDE, "sweep_seconds=1")
    boxes = await make_mailboxes(process, 6)
    total = 0
    for _, pause in zip(range(ROUNDS), cycle((0.15, 0.3, 0.05, 0.5)), strict=False):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load, process, boxes, ledger, rng)
            await until_more(lambda: ledger.answers, 6)  # the load is on
            await trio.sleep(pause * rng.random())
            await process.kill()
        assert process.said() == ""
        process = await start(tmp_path / "box", *WIDE, "sweep_seconds=1")
        total += await verify_and_empty(process, boxes, ledger)
    assert total > 20 * ROUNDS and ledger.answers > 10 * ROUNDS
    await process.stop()
