"""The nameplate: the title on the door."""

from __future__ import annotations

from pathlib import Path

from appliance.service.caller import OPERATOR
from tests.households import home
from tests.services import refused


async def test_the_door_follows_the_title(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        plate = h.people.nameplate
        with refused("not_claimed"):
            await plate.rename(OPERATOR, "Home")
        await h.claim()
        before, revision = await plate.identity(), h.changes.revision
        await plate.rename(OPERATOR, "Ann’s island")
        after = await plate.identity()
        assert (before.name, after.name, plate.title) == ("ann", "Ann’s island", "Ann’s island")
        assert before.address == after.address == h.house.host
        assert h.changes.revision > revision and h.people.door.look().title == "Ann’s island"


async def test_a_title_hides_nothing(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        for title in ("  ", "a\nb", "\x07", "x" * 65):
            with refused("malformed"):
                await h.people.nameplate.rename(OPERATOR, title)
