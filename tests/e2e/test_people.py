"""Three people, three clients: a group's onion, bob's own box, a terminal, over the private Tor network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.client.entrance import control
from appliance.client.http import Http
from appliance.demo.actor import program
from appliance.demo.scene import Scene
from appliance.protocol.account import Invite, NewInvite
from tests.browsers import PLAY_SECONDS, browsers_tor, converse

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS = 300.0
LOOKED_AT = 28
"""Screenshots on the way: seven moments in two sizes and two looks."""


@pytest.mark.tor
@pytest.mark.browser
@pytest.mark.slow
async def test_three_people_with_three_clients(private_network, tmp_path):
    async with Scene(tmp_path, private_network.torrc_path) as scene:
        report = await journey(scene, tmp_path, private_network.torrc, "--look")
    assert report["problems"] == []
    assert len(report["shots"]) >= LOOKED_AT


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

        carol = Terminal(folder, folder / "browser" / "socks")
        await carol.type(
            "sign-up", "carol", "--invite", made.code or "", "--box", group.onion, *carol.secret()
        )

        async def act(wish: dict[str, Any]) -> Any:
            match wish:
                case {"ask": "carol"}:
                    return await carol.act(wish)
                case {"ask": "off", "box": name}:
                    await scene.actors[name].stop()
                case {"ask": "on", "box": name}:
                    await scene.start(name)
                case _:
                    raise AssertionError(wish)
            return None

        command = [
            *("node", "e2e/journey.mjs", "--socks", str(socks), "--out", str(folder / "shots")),
            *("--ada", f"http://{group.onion}/#/invite/{made.code}", "--bob", bob.ready.claim_url or ""),
            *("--carol", f"carol@{group.onion}", *more),
        ]
        with trio.fail_after(PLAY_SECONDS):
            return await converse(command, act)


class Terminal:
    """Carol, who types commands; Tor is the one beside the browser."""

    def __init__(self, folder: Path, socks: Path) -> None:
        self.common = ("--socks", str(socks), "--profile", str(folder / "carol.profile"), "--json")
        self.passphrase = folder / "carol.passphrase"
        self.heard: dict[str, str] = {}

    def secret(self) -> tuple[str, str]:
        """The option that gives her passphrase."""
        self.passphrase.write_text("copper finch nine harbour\n")
        return "--passphrase-file", str(self.passphrase)

    async def type(self, *words: str) -> Any:
        """Run a command; what it answers."""
        with trio.fail_after(COMMAND_SECONDS):
            done = await trio.run_process([*program(), *words, *self.common], capture_stdout=True, cwd=ROOT)
        return json.loads(done.stdout.splitlines()[-1])

    async def act(self, wish: dict[str, Any]) -> Any:
        """Do what the story wants of her."""
        match wish:
            case {"do": "read", "from": name, "text": text}:
                got = await self.type("message", "watch", "--strangers", "--count", "1")
                assert got["address"].partition("@")[0] == name
                assert got["text"] == text
                self.heard[text] = got["id"]
            case {"do": "accept", "who": name}:
                await self.type("message", "accept", name)
            case {"do": "answer", "who": name, "to": text, "text": words}:
                await self.type("message", "send", name, words, "--reply", self.heard[text])
            case {"do": "react", "who": name, "to": text}:
                await self.type("message", "react", name, self.heard[text], "👍")
            case {"do": "write", "who": address, "text": words}:
                await self.type("message", "send", address, words)
            case {"do": "safety", "who": name}:
                shown = await self.type("message", "safety", name)
                return "".join(shown["digits"])
            case _:
                raise AssertionError(wish)
        return None
