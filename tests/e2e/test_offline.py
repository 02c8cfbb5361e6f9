"""A machine without internet: the box says so in one line and serves its page all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from appliance.client.desk import Desk
from appliance.client.entrance import control
from tor import child, status

pytestmark = pytest.mark.tor

CAN_UNSHARE = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not CAN_UNSHARE, reason="a network of its own needs root")
async def test_a_box_offline_says_so_and_serves(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run = [
        sys.executable,
        "-m",
        "appliance",
        "run",
        "--data",
        str(tmp_path / "data"),
        "--listen",
        "127.0.0.1:8717",
    ]
    with log.open("wb") as output:
        process = child.start(["unshare", "--net", *run], output=output)
    try:
        with trio.fail_after(120):
            while status.NO_INTERNET not in log.read_text():
                assert process.code is None
                await trio.sleep(0.1)
        async with Desk(control(tmp_path / "data")) as desk:
            state = await desk.state()
            assert (state.tor.problem, state.tor.phase) == (status.NO_INTERNET, "bootstrapping")
            assert (await desk.health()).faults == 0
        assert log.read_text().count(status.NO_INTERNET) == 1
    finally:
        assert await process.stop(60) == 0
