"""A conversation in real browsers whose window changes, and in one after a browser that was killed."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from subprocess import run

import pytest
import trio

from tests.processes import running

WEB = Path(__file__).parents[2] / "web"
SECONDS = 300
KNOCK = 12
"""Seconds that a client waits for an answer where it has to knock."""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_a_conversation_keeps_its_place_and_outlives_its_browser(browser: str, tmp_path: Path) -> None:
    async with running(tmp_path / "box", claim=False) as box:
        command = ["node", "e2e/talk.mjs", "--claim", box.ready["claim_url"], "--browser", browser]
        call = partial(run, command, cwd=WEB, capture_output=True, text=True, timeout=SECONDS)
        answer = await trio.to_thread.run_sync(call)
        assert answer.stdout, answer.stderr
        report = json.loads(answer.stdout.splitlines()[-1])
        assert report["problems"] == []
        # Nobody listens at the killed one's seat: it is taken without a knock.
        assert report["seconds"] < KNOCK
