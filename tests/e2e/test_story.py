"""The main job through real Tor: a file for a box that is off, with SIGKILL for everybody in turn."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appliance.demo.play import Moment
from appliance.demo.scene import Arrived, Scene, sealed_count
from appliance.demo.story import RECIPIENT, RELAY, SENDER, Story

pytestmark = [pytest.mark.tor, pytest.mark.slow]


@pytest.fixture
async def scene(tmp_path: Path, private_network: Any) -> AsyncIterator[Scene]:
    async with Scene(tmp_path, private_network.torrc_path) as found:
        yield found


@pytest.mark.parametrize(
    "kill",
    [frozenset(), frozenset({SENDER, RELAY}), frozenset({RECIPIENT})],
    ids=lambda kill: "-".join(sorted(kill)),
)
async def test_the_story(scene: Scene, kill: frozenset[str]) -> None:
    moments: list[Moment] = []
    await Story(scene, moments.append, kill=kill).perform()
    steps = "boxes owners relay contact away deposit hold collect compare empty receipt"
    assert [m.key for m in moments if m.state == "done"] == steps.split()


async def test_a_relay_killed_while_it_takes_deposits(scene: Scene) -> None:
    """What it acknowledged stays; the sender brings the rest; nothing arrives twice."""
    content = secrets.token_bytes(600_000)
    story = Story(scene, lambda moment: None)
    for act in (story.start, story.claim, story.lend, story.introduce, story.leave):
        await act()
    item = await scene.send_file(SENDER, RECIPIENT, "film.mkv", content)
    before = await scene.until_held(RELAY, 1)
    await scene.actors[RELAY].kill()
    await scene.actors[RELAY].start()
    after = await scene.until_held(RELAY, before.held)
    assert after.held >= before.held
    await scene.until_sent(SENDER, RECIPIENT, item, "relay")
    assert (await scene.until_held(RELAY, 1)).held == sealed_count(len(content))
    await scene.actors[RECIPIENT].start()
    assert await scene.until_arrived(RECIPIENT, SENDER) == [Arrived("film.mkv", content)]
    await scene.until_empty(RELAY)
    await scene.until_sent(SENDER, RECIPIENT, item, "delivered")
