"""Channels in real browsers: three people of one box, each page in both sizes, light and dark."""

from __future__ import annotations

import pytest

from appliance.demo.actor import Actor
from tests.browsers import LIGHT, drive

LOOKED_AT = 16
"""Screenshots of a run that looks at every page."""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_three_people_and_the_channels_of_one_box(browser, tmp_path):
    box = Actor("box", tmp_path, tmp_path / "no-torrc", tor="off", settings=LIGHT)
    try:
        await box.start()
        words = ("--browser", browser, "--look")
        report = await drive(box, tmp_path / "shots", *words, script="channels")
        assert report["problems"] == []
        assert len(report["shots"]) >= LOOKED_AT
    finally:
        await box.stop()
