"""Every page in real browsers: two people of one box, and each place in both sizes, light and dark."""

from __future__ import annotations

import pytest

from appliance.demo.actor import Actor
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
