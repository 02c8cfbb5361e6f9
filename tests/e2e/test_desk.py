"""The owner's box in real browsers: one driven by the page, another over private Tor as its relay."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio

from appliance.demo.actor import PASSPHRASE, Actor
from appliance.protocol.desk import NewGrant
from tests.browsers import PLAY_SECONDS

WEB = Path(__file__).parents[2] / "web"


@pytest.mark.tor
@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_the_desk_from_the_link_to_signing_out(browser, private_network, tmp_path):
    mine = Actor("mine", tmp_path, private_network.torrc_path)
    peer = Actor("peer", tmp_path, private_network.torrc_path)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mine.start)
            nursery.start_soon(peer.start)
        await reachable(peer)
        async with peer.desk() as desk:
            await desk.claim("", "Ada", PASSPHRASE)
            invitation = (await desk.grant(NewGrant(label="A friend"))).code
        command = [
            *("node", "e2e/desk.mjs", "--base", mine.ready.url, "--claim", mine.ready.claim_url),
            *("--relay", invitation, "--browser", browser),
            *("--out", str(tmp_path / "shots"), "--passphrase", PASSPHRASE),
        ]
        answer = await trio.to_thread.run_sync(
            partial(subprocess.run, command, cwd=WEB, capture_output=True, text=True, timeout=PLAY_SECONDS)
        )
        assert answer.stdout, answer.stderr
        report = json.loads(answer.stdout.splitlines()[-1])
        assert report["problems"] == []
        assert len(report["shots"]) >= 20
    finally:
        await mine.stop()
        await peer.stop()


async def reachable(actor: Actor) -> None:
    """Wait until a box can be reached over Tor."""
    with trio.fail_after(300):
        while True:
            state = await actor.state()
            if state is not None and state.tor.phase == "reachable":
                return
            await trio.sleep(0.2)
