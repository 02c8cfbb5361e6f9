"""The web client's engine against a real box: the tests that `npm test` leaves out, since they need one."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from subprocess import run

import pytest
import trio

from tests.browsers import PLAY_SECONDS
from tests.processes import running

WEB = Path(__file__).parents[2] / "web"
ISLAND = Path(sys.executable).with_name("island")


async def test_people_of_one_box_with_the_engine_of_the_page(tmp_path: Path) -> None:
    await vitest("engine", tmp_path, ISLAND=str(ISLAND))


async def test_channels_of_two_engines_and_a_program(tmp_path: Path) -> None:
    await vitest("channels", tmp_path, ISLAND=str(ISLAND))


@pytest.mark.slow
async def test_ten_thousand_messages_are_written_by_the_engine_of_the_page(tmp_path: Path) -> None:
    async with running(tmp_path / "box", claim=False) as box:
        await vitest("archive", tmp_path, ARCHIVE=box.ready["claim_url"])


async def vitest(name: str, folder: Path, **environment: str) -> None:
    """Every test of one file of `web/tests/real` is run, and passes."""
    report = folder / "report.json"
    command = ["node", "node_modules/vitest/vitest.mjs", "run", f"tests/real/{name}.test.ts"]
    command += ["--reporter=json", f"--outputFile={report}"]
    call = partial(run, command, cwd=WEB, env={**os.environ, **environment}, capture_output=True, text=True)
    with trio.fail_after(PLAY_SECONDS):
        said = await trio.to_thread.run_sync(partial(call, timeout=PLAY_SECONDS))
    told = json.loads(report.read_text()) if report.exists() else {}
    assert said.returncode == 0, said.stdout + said.stderr + json.dumps(told)
    assert told["numTotalTests"] == told["numPassedTests"] > 0
