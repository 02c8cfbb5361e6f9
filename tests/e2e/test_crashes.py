"""SIGKILL at random moments, box after box, while a file goes to the relay and on, through Tor."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.demo.scene import Scene, until
from appliance.demo.story import RECIPIENT, RELAY, SENDER, Story
from appliance.protocol.desk import InboxItem, OutboxItem

pytestmark = [pytest.mark.tor, pytest.mark.slow]

SIZE = 400_000
FINISH_SECONDS = 150.0


@pytest.fixture
async def scene(tmp_path: Path, private_network: Any) -> AsyncIterator[Scene]:
    async with Scene(tmp_path, private_network.torrc_path) as found:
        yield found


async def kill_and_start(scene: Scene, name: str) -> None:
    await scene.actors[name].kill()
    await scene.actors[name].start()


async def progress(scene: Scene, item: str) -> tuple[int, str]:
    """How many parts lie somewhere, and the state of the item at the sender."""
    found: OutboxItem | None = await scene.outgoing(SENDER, item)
    return (0, "") if found is None else (found.parts_direct + found.parts_held, found.state)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whoever_is_killed_whenever_the_file_arrives_once(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    content = secrets.token_bytes(SIZE)
    story = Story(scene, lambda moment: None)
    for act in (story.start, story.claim, story.lend, story.introduce, story.leave):
        await act()
    item = await scene.send_file(SENDER, scene.actors[RECIPIENT].onion, "film.mkv", content)

    # On the way to the relay: one of the two goes, at whatever point they are.
    for name in rng.sample((SENDER, RELAY), 2):
        await trio.sleep(rng.uniform(0, 6))
        await kill_and_start(scene, name)
    await trio.sleep(rng.uniform(0, 4))
    placed, _ = await progress(scene, item)
    held = await scene.load(RELAY)
    assert held is None or held.held >= placed, "the sender was told more than the relay has"

    # On the way to the recipient: any of the three.
    await scene.actors[RECIPIENT].start()
    for name in (RECIPIENT, *rng.choices((SENDER, RELAY, RECIPIENT), k=2)):
        await trio.sleep(rng.uniform(0, 6))
        await kill_and_start(scene, name)

    async def whole() -> list[InboxItem] | None:
        items = await scene.arrived(RECIPIENT)
        return items if items and all(one.complete for one in items) else None

    (found,) = await until("the file is whole", whole, FINISH_SECONDS)
    await scene.check_content(RECIPIENT, found, content)

    async def delivered() -> bool:
        return (await progress(scene, item))[1] == "delivered"

    await until("the sender knows", delivered, FINISH_SECONDS)
    await scene.until_empty(RELAY)
    assert len(await scene.arrived(RECIPIENT)) == 1
