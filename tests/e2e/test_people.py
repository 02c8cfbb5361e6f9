"""The main job: three people, three clients, a group's onion and bob's own box, over the private Tor network."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.client.entrance import control
from appliance.client.http import Http
from appliance.demo.scene import Scene
from appliance.protocol.account import Invite, NewInvite
from tor import child, testnode

WEB = Path(__file__).parents[2] / "web"
WHOLE_SECONDS = 400.0

Answers = Callable[[dict[str, Any]], Awaitable[Any]]


@pytest.mark.tor
@pytest.mark.browser
@pytest.mark.slow
async def test_three_people_with_three_clients(private_network, tmp_path):
    async with Scene(tmp_path, private_network.torrc_path) as scene:
        report = await journey(scene, tmp_path, private_network.torrc)
    assert report["problems"] == []


async def journey(scene: Scene, folder: Path, torrc: tuple[str, ...], *more: str) -> dict[str, Any]:
    """The whole story; what the browsers' side reports of it."""
    for name in ("group", "bob"):
        scene.cast(name)
    async with browsers_tor(folder / "browser", torrc) as socks:
        await scene.start("group", "bob")
        await scene.claim("group")
        group, bob = scene.actors["group"], scene.actors["bob"]
        assert bob.ready is not None
        async with Http(control(group.data)) as http:
            made = await http.call("POST", "/v1/invites", Invite, NewInvite(uses=2))

        async def act(wish: dict[str, Any]) -> Any:
            match wish:
                case {"ask": "off", "box": name}:
                    await scene.actors[name].stop()
                case {"ask": "on", "box": name}:
                    await scene.start(name)
                case _:
                    raise AssertionError(wish)

        command = [
            *("node", "e2e/journey.mjs", "--socks", str(socks), "--out", str(folder / "shots")),
            *("--ada", f"http://{group.onion}/#/invite/{made.code}", "--bob", bob.ready.claim_url or ""),
            *more,
        ]
        with trio.fail_after(WHOLE_SECONDS):
            return await converse(command, act)


async def converse(command: list[str], act: Answers) -> dict[str, Any]:
    """Run the browsers' side, doing what it asks for; its last line."""
    process = await trio.lowlevel.open_process(
        command, cwd=WEB, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    rest = b""
    try:
        async for chunk in process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                said = json.loads(line)
                if "ask" not in said:
                    return dict(said)
                await process.stdin.send_all(json.dumps(await act(said)).encode() + b"\n")
        raise AssertionError("the browsers' side ended without a report")
    finally:
        with trio.CancelScope(shield=True):
            await process.stdin.aclose()
            await process.wait()


@asynccontextmanager
async def browsers_tor(folder: Path, torrc: tuple[str, ...]) -> AsyncIterator[int]:
    """A Tor client as a browser brings its own; its port for SOCKS."""
    folder.mkdir(mode=0o700)
    port = testnode.free_ports(1)[0]
    (folder / "torrc").write_text(
        "\n".join([*torrc, f"SocksPort 127.0.0.1:{port}", f'DataDirectory "{folder / "data"}"']) + "\n"
    )
    with (folder / "log").open("wb") as output:
        tor = child.start(["tor", "-f", str(folder / "torrc")], environment=None, output=output)
    try:
        yield port
    finally:
        with trio.CancelScope(shield=True):
            await tor.stop(5)
