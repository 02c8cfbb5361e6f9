"""Branding: what everybody sees of a box, with a revision that changes exactly when something does."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config import Config
from appliance.protocol.desk import ChangeBranding
from appliance.service.caller import OPERATOR
from appliance.service.settings import Settings
from tests.desks import desk
from tests.services import refused


async def test_it_changes_live_and_tells_everybody_who_is_here(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        boss = await d.join("boss", "admin")
        feed = d.hear("bob")
        first = d.branding.page()
        assert (first.box_name, first.accent, first.boards, len(first.revision)) == ("ann", "sea", True, 8)
        assert d.branding.page() is first, "kept ready"
        body = ChangeBranding(
            box_name="The choir", welcome="Hello.\nCome in.", policy="Be kind.", accent="forest", boards=False
        )
        second = await d.branding.change(boss, body)
        assert (second.box_name, second.welcome, second.policy) == (
            "The choir",
            "Hello.\nCome in.",
            "Be kind.",
        )
        assert (second.accent, second.boards, second.channels) == ("forest", False, True)
        assert second.revision != first.revision
        assert d.home.people.door.look().branding == second.revision
        assert {one.event.kind for one in feed.after(1)} == {"box"}
        before = feed.last
        await d.branding.change(boss, ChangeBranding(accent="forest"))
        await d.set(posts_minute=3)
        assert d.branding.page().revision == second.revision and feed.last == before
        await d.set(registration="closed")
        assert d.branding.page().registration == "closed" and feed.last == before + 1


async def test_it_is_for_owners_and_admins_and_bounded(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        for role in ("moderator", "member", "agent"):
            with refused("role"):
                await d.branding.change(await d.join(role, role), ChangeBranding(accent="plum"))
        for body in (ChangeBranding(box_name=" "), ChangeBranding(welcome="a\u202eb")):
            with refused("malformed"):
                await d.branding.change(OPERATOR, body)
        for name, value in (("welcome", "x" * 2001), ("policy", "x" * 20_001), ("accent", "pink")):
            with refused("bad_setting"):
                await d.set(**{name: value})


@pytest.mark.parametrize("value", ["", "Ünïcödé ✓", "x" * 2000])
async def test_a_greeting_outlives_a_restart(tmp_path: Path, value: str) -> None:
    async with desk(tmp_path) as d:
        await d.set(welcome=value)

        again = Settings(d.home.house.store, Config(), frozenset())
        assert again.config.welcome == value
