"""A conversation in real browsers whose window changes, and in one after a browser that was killed."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from subprocess import run

import pytest
import trio

from tests.browsers import PLAY_SECONDS
from tests.processes import running

WEB = Path(__file__).parents[2] / "web"
KNOCK = 9
"""So often a client asks who listens where its knock is not answered: before it, and eight times after."""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_a_conversation_keeps_its_place_and_outlives_its_browser(browser: str, tmp_path: Path) -> None:
    async with running(tmp_path / "box", claim=False) as box:
        command = ["node", "e2e/talk.mjs", "--claim", box.ready["claim_url"], "--browser", browser]
        call = partial(run, command, cwd=WEB, capture_output=True, text=True, timeout=PLAY_SECONDS)
        answer = await trio.to_thread.run_sync(call)
        assert answer.stdout, answer.stderr
        report = json.loads(answer.stdout.splitlines()[-1])
        assert report["problems"] == []
        # Nobody listens at the killed one's seat: it is taken as soon as the box says so.
        assert 0 < report["looks"] < KNOCK
