"""Dispatches that leave with a change of the vault: one commit for both, through refusals and kills."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.protocol import codec
from appliance.protocol.envelope import envelope_id
from appliance.protocol.route import Route
from appliance.protocol.vault import MAX_DISPATCHES, Change, Left, Put, Read, SealedRecord
from appliance.service.vault import Vault
from tests.posts import Far, PostHouse, bodies, dispatch, member, posts, routes_of, settle_all, waiting
from tests.services import Time, envelope, refused

ADA, BOB = member("ada"), member("bob")
AWAY = [Route(b"\7" * 32, bytes(20), bytes(32))]
ROOT = Path(__file__).parent.parent.parent
ROUNDS = 10


@pytest.fixture
async def house(tmp_path: Path, clock: Time) -> AsyncIterator[PostHouse]:
    async with posts(tmp_path, clock, Far(), "home", dispatch_envelopes=2) as (found,):
        yield found


def vault_of(house: PostHouse) -> Vault:
    return Vault(house.house.store, house.house.config, house.house.clock, house.post.dispatch)


def put(number: int, base: int = 0) -> Put:
    return Put(number.to_bytes(16, "big"), base, b"sealed")


def states(left: list[Left]) -> list[str | None]:
    return [one.refused or (one.state and one.state.legs[0].state) for one in left]


async def test_what_leaves_is_at_the_mailbox_when_the_change_is_answered(house: PostHouse) -> None:
    vault, routes = vault_of(house), await routes_of(house, BOB)
    sent = [envelope() for _ in range(3)]
    change = Change([put(1)], dispatches=[dispatch(routes, envelopes=[one]) for one in sent])
    answer = await vault.change(ADA, change)
    assert (answer.revision, states(answer.left)) == (1, ["box", "box", "box"])
    assert [one.state.id for one in answer.left if one.state] == [one.id for one in change.dispatches]
    assert await bodies(house, BOB) == sent
    # The same again, as after a lost answer, is answered alike and brings nothing twice.
    assert states([Left(await house.post.dispatch.send(ADA, change.dispatches[0]))]) == ["box"]
    assert await bodies(house, BOB) == sent
    # Without a change of the vault they leave as well, and the revision stays.
    answer = await vault.change(ADA, Change(dispatches=[dispatch(AWAY, envelopes=[envelope()])]))
    assert (answer.revision, states(answer.left)) == (1, ["waiting"])


async def test_what_was_read_is_settled_with_the_change_that_saves_it(house: PostHouse) -> None:
    vault, routes = vault_of(house), await routes_of(house, BOB)
    sent = [envelope() for _ in range(4)]
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=sent))
    first, second, third, _ = [one.number for one in await waiting(house, BOB)]
    await vault.change(BOB, Change([put(1)], done=[first, third]))
    assert await bodies(house, BOB) == [sent[1], sent[3]]
    with refused("vault_conflict"):
        await vault.change(BOB, Change([put(1)], done=[second]))
    # Numbers of nobody and of others are passed over.
    await vault.change(BOB, Change([put(2)], done=[first, 1 << 40]))
    await vault.change(ADA, Change([put(1)], done=[second]))
    with refused("no_device"):
        await vault.change(replace(BOB, device=None), Change([put(3)], done=[second]))
    assert await bodies(house, BOB) == [sent[1], sent[3]]
    # What was settled does not come again.
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=sent))
    assert await bodies(house, BOB) == [sent[1], sent[3]]


async def test_nothing_leaves_with_a_change_that_is_refused(house: PostHouse) -> None:
    vault, routes = vault_of(house), await routes_of(house, BOB)
    await vault.change(ADA, Change([put(1)]))
    leaving = [dispatch(routes, envelopes=[envelope()]), dispatch(AWAY, envelopes=[envelope()])]
    with refused("vault_conflict"):
        await vault.change(ADA, Change([put(1), put(2)], dispatches=leaving))
    vault.configure(replace(house.house.config, vault_octets=10))
    with refused("vault_full"):
        await vault.change(ADA, Change([put(3)], dispatches=leaving))
    assert await bodies(house, BOB) == []
    assert (await house.post.dispatch.page(ADA)).dispatches == []


async def test_a_refused_dispatch_keeps_nothing_back(house: PostHouse) -> None:
    vault, routes = vault_of(house), await routes_of(house, BOB)
    good = envelope()
    leaving = [
        dispatch(AWAY, envelopes=[envelope()] * 3),
        dispatch(routes, envelopes=[good]),
        dispatch(routes, envelopes=[b"short"]),
    ]
    answer = await vault.change(ADA, Change([put(1)], dispatches=leaving))
    assert states(answer.left) == ["outbox_full", "box", "wrong_size"]
    assert await bodies(house, BOB) == [good]
    await settle_all(house, BOB)
    # A sign-in that stands for no device changes the vault, and sends nothing.
    answer = await vault.change(replace(ADA, device=None), Change([put(2)], dispatches=leaving))
    assert states(answer.left) == ["no_device"] * 3
    assert await bodies(house, BOB) == []
    page = await vault.read(ADA, Read([put(1).id, put(2).id]))
    assert [one.version for one in page.records] == [1, 1]


def test_no_more_than_so_many_leave_with_one_change() -> None:
    many = Change(dispatches=[dispatch(AWAY, envelopes=[envelope()])] * (MAX_DISPATCHES + 1))
    with refused("malformed"):
        codec.read(codec.encode(many), Change)


CHILD = """
import os, sys, time, trio
from pathlib import Path
from appliance.protocol.envelope import envelope_id
from appliance.protocol.vault import Change, Put
from tests.posts import Far, dispatch, member, posts, routes_of
from tests.service.test_leaving import vault_of
from tests.services import Time, envelope

async def main():
    async with posts(
        Path(sys.argv[1]), Time(time.time()), Far(), "home", member_envelopes=1 << 20, member_octets=1 << 40
    ) as (house,):
        vault, routes = vault_of(house), await routes_of(house, member("bob"))
        os.write(1, b"!" * 16)
        async def load():
            while True:
                one = envelope()
                id = envelope_id(one)
                leaving = [dispatch(routes, envelopes=[one])]
                await vault.change(member("ada"), Change([Put(id, 0, b"said")], dispatches=leaving))
                os.write(1, id)
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(load)

trio.run(main)
"""


@pytest.mark.slow
async def test_a_kill_leaves_the_record_and_its_envelope_or_neither(tmp_path: Path) -> None:
    for turn in range(ROUNDS):
        answered = _killed(tmp_path)
        async with posts(tmp_path, Time(time.time()), Far(), "home") as (house,):
            arrived = {envelope_id(one) for one in await _all(house)}
            saved = {one.id for one in await _records(house)}
        assert saved == arrived, f"turn {turn}"
        assert answered and answered <= saved


async def _records(house: PostHouse) -> list[SealedRecord]:
    found: list[SealedRecord] = []
    more = True
    while more:
        page = await vault_of(house).changes(ADA, found[-1].revision if found else 0)
        found, more = found + page.records, page.more
    return found


async def _all(house: PostHouse) -> list[bytes]:
    found: list[bytes] = []
    after, more = 0, True
    while more:
        queue = await house.post.queue.read(BOB, after, 256)
        found += [one.envelope for one in queue.envelopes]
        after, more = (queue.envelopes[-1].number, queue.more) if queue.envelopes else (after, False)
    return found


def _killed(folder: Path) -> set[bytes]:
    """Ids of the changes a child said were answered before it was killed."""
    command = [sys.executable, "-c", CHILD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT) as child:
        assert child.stdout is not None
        assert os.read(child.stdout.fileno(), 16) == b"!" * 16
        time.sleep(random.uniform(0.05, 0.4))
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read()
    return {said[at : at + 16] for at in range(0, len(said) // 16 * 16, 16)}
