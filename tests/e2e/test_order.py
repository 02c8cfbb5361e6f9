"""Order among members in real browsers: the box is named and coloured, every page of order is looked at."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio

from appliance.demo.actor import Actor
from tests.browsers import LIGHT, PLAY_SECONDS

WEB = Path(__file__).parents[2] / "web"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_a_box_is_looked_after(browser, tmp_path):
    box = Actor("box", tmp_path, tmp_path / "no-torrc", tor="off", settings=LIGHT)
    try:
        await box.start()
        assert box.ready is not None
        command = [
            *("node", "e2e/order.mjs", "--base", box.ready.url, "--claim", box.ready.claim_url or ""),
            *("--browser", browser, "--out", str(tmp_path / "shots")),
        ]
        answer = await trio.to_thread.run_sync(
            partial(subprocess.run, command, cwd=WEB, capture_output=True, text=True, timeout=PLAY_SECONDS)
        )
        assert answer.stdout, answer.stderr
        report = json.loads(answer.stdout.splitlines()[-1])
        assert report["problems"] == []
        assert len(report["shots"]) >= 28
    finally:
        await box.stop()
