"""Every page in real browsers: two people of one box, and each place in both sizes, light and dark."""

from __future__ import annotations

import time

import pytest

from appliance.demo.actor import Actor
from appliance.protocol import board as wire
from appliance.protocol.onion import public_key
from appliance.protocol.room import RoomAddress, write_address
from tests.api.test_boards import GARDEN, PATH, settle
from tests.boxes import Net, running
from tests.browsers import LIGHT, drive

LOOKED_AT = 40
"""Screenshots of a run that looks at every page."""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_two_people_of_one_box(browser, tmp_path):
    box = Actor("box", tmp_path, tmp_path / "no-torrc", tor="off", settings=LIGHT)
    try:
        await box.start()
        report = await drive(box, tmp_path / "shots", "--browser", browser, "--look")
        assert report["problems"] == []
        assert len(report["shots"]) >= LOOKED_AT
    finally:
        await box.stop()


BOARDS_LOOKED_AT = 20
"""The same for the boards' pages."""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_two_people_and_the_boards_of_one_box(browser, tmp_path):
    box = Actor("box", tmp_path, tmp_path / "no-torrc", tor="off", settings=LIGHT)
    try:
        await box.start()
        words = ("--browser", browser, "--look")
        report = await drive(box, tmp_path / "shots", *words, script="boards")
        assert report["problems"] == []
        assert len(report["shots"]) >= BOARDS_LOOKED_AT
    finally:
        await box.stop()


MIRRORS_LOOKED_AT = 12
"""The same for a board of another box: the form, the board, a thread."""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_a_board_of_another_box(browser, tmp_path):
    light = {"kdf_memory_kib": 1024, "kdf_passes": 1}
    net = Net()
    async with running(net, tmp_path / "home") as home, running(net, tmp_path / "far", False, **light) as far:
        keeper = await settle(home.desk.http)
        await keeper.ask(wire.Board, "/v1/boards", wire.NewBoard(GARDEN, "Garden", "All that grows"))
        await keeper.submit(wire.Post, subject="Tomatoes", body="In August.", sent=int(time.time()))
        peers = wire.ChangeBoard(peers=[public_key(far.ready.onion)])
        await keeper.ask(wire.Board, PATH, peers, "PATCH")
        room = write_address(RoomAddress(public_key(home.ready.onion), GARDEN))
        words = ("--browser", browser, "--look", "--room", room)
        report = await drive(far, tmp_path / "shots", *words, script="mirrors")
    assert report["problems"] == []
    assert len(report["shots"]) >= MIRRORS_LOOKED_AT
