"""The pages without scripts in a real browser that runs none: on the box itself, and through Tor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.demo.actor import Actor
from appliance.demo.scene import Scene
from appliance.protocol.account import ChangeMember, NewInvite
from appliance.protocol.board import Board, NewBoard
from tests.browsers import browsers_tor, converse

WHOLE_SECONDS = 800.0
LOOKED_AT = 60
"""Screenshots of a run that looks at every page."""


@pytest.mark.browser
@pytest.mark.slow
async def test_a_box_is_claimed_and_lived_in_without_scripts(tmp_path):
    box = Actor("box", tmp_path, tmp_path / "no-torrc", tor="off")
    try:
        ready = await box.start()
        claimed = await drive(box, tmp_path, ready.url, "--claim", ready.claim_url or "")
        assert claimed["problems"] == []
        await board(box)
        report = await drive(box, tmp_path, ready.url, "--invite", await invited(box), "--look")
        assert report["problems"] == []
        assert len(report["shots"]) >= LOOKED_AT
    finally:
        await box.stop()


@pytest.mark.tor
@pytest.mark.browser
@pytest.mark.slow
async def test_somebody_comes_over_the_onion_without_scripts(private_network, tmp_path):
    async with (
        Scene(tmp_path, private_network.torrc_path) as scene,
        browsers_tor(tmp_path / "browser", private_network.torrc) as socks,
    ):
        group = scene.cast("group")
        await scene.start("group")
        await scene.claim("group")
        await board(group)
        report = await drive(
            group,
            tmp_path,
            f"http://{group.onion}",
            *("--invite", await invited(group), "--socks", str(socks)),
            again=lambda: scene.start("group"),
        )
        assert report["problems"] == []


async def invited(box: Actor) -> str:
    """The code of an invite."""
    async with box.desk() as desk:
        return (await desk.invite(NewInvite())).code or ""


async def board(box: Actor) -> None:
    """A board of the box."""
    async with box.desk() as desk:
        await desk.http.call("POST", "/v1/boards", Board, NewBoard(id=b"B" * 16, title="Harbour"))


async def drive(box: Actor, folder: Path, base: str, *words: str, again: Any = None) -> dict[str, Any]:
    """Run the browser; its report."""

    async def act(wish: dict[str, Any]) -> None:
        match wish:
            case {"ask": "again"}:
                await box.stop()
                await (again or box.start)()
            case {"ask": "end sign-ins"}:
                # Suspending ends every sign-in of the account.
                async with box.desk() as desk:
                    for suspended in (True, False):
                        await suspend(desk, suspended)
            case _:
                raise AssertionError(wish)

    with trio.fail_after(WHOLE_SECONDS):
        return await converse(
            ["node", "e2e/plain.mjs", "--base", base, "--out", str(folder / "shots"), *words], act
        )


async def suspend(desk: Any, suspended: bool) -> None:
    """Shut ann out, or let her in again."""
    ann = next(row for row in await desk.members() if row.name == "ann")
    await desk.change_member(ann.account, ChangeMember(suspended=suspended))
