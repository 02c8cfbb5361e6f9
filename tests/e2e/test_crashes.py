"""SIGKILL at random moments, box after box, while a file goes to the relay and on, through Tor."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.client.person import Person
from appliance.demo.scene import Arrived, Scene, is_placed
from appliance.demo.story import RECIPIENT, RELAY, SENDER, Story

pytestmark = [pytest.mark.tor, pytest.mark.slow]

SIZE = 400_000


@pytest.fixture
async def scene(tmp_path: Path, private_network: Any) -> AsyncIterator[Scene]:
    async with Scene(tmp_path, private_network.torrc_path) as found:
        yield found


async def kill_and_start(scene: Scene, name: str) -> None:
    await scene.actors[name].kill()
    await scene.actors[name].start()


async def placed(scene: Scene) -> int:
    """How many dispatches are at the relay, as the sender's box says."""

    async def look(me: Person) -> list[bool]:
        return [is_placed(one) for one in me.sending()]

    return sum(await scene.at(SENDER, "the sender's box answers", look))


@pytest.mark.parametrize("seed", [1, 2])
async def test_whoever_is_killed_whenever_the_file_arrives_once(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    content = secrets.token_bytes(SIZE)
    story = Story(scene, lambda moment: None)
    for act in (story.start, story.claim, story.lend, story.introduce, story.leave):
        await act()
    before = await placed(scene)
    item = await scene.send_file(SENDER, RECIPIENT, "film.mkv", content)

    # On the way to the relay: one of the two goes, at whatever point they are.
    for name in rng.sample((SENDER, RELAY), 2):
        await trio.sleep(rng.uniform(0, 6))
        await kill_and_start(scene, name)
    await trio.sleep(rng.uniform(0, 4))
    told = await placed(scene) - before
    held = await scene.load(RELAY)
    assert held is None or held.held >= told, "the sender was told more than the relay has"

    # On the way to the recipient: any of the three.
    await scene.actors[RECIPIENT].start()
    for name in (RECIPIENT, *rng.choices((SENDER, RELAY, RECIPIENT), k=2)):
        await trio.sleep(rng.uniform(0, 6))
        await kill_and_start(scene, name)

    assert await scene.until_arrived(RECIPIENT, SENDER) == [Arrived("film.mkv", content)]
    await scene.until_sent(SENDER, RECIPIENT, item, "delivered")
    await scene.until_empty(RELAY)
    assert len(await scene.until_arrived(RECIPIENT, SENDER)) == 1
