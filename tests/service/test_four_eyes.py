"""Four eyes: what destroys waits for a second owner or admin, and for a day only."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol.account import ChangeMember
from appliance.protocol.codec import from_text
from appliance.service.caller import OPERATOR, Caller
from tests.desks import Desk, desk
from tests.services import refused


async def ask(d: Desk, caller: Caller, name: str = "bob") -> bytes:
    """Ask for an account's removal; the id under which it waits."""
    with pytest.raises(Refusal) as caught:
        await d.moderation.four_eyes.ask(caller, "member.remove", d.callers[name].account, name)
    assert caught.value.code == "second_eyes"
    return from_text(caught.value.details["id"])


async def names(d: Desk) -> set[str]:
    return {row.name for row in (await d.home.people.members.page()).members}


async def test_one_pair_is_enough_unless_set_otherwise(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob = await d.join("bob")
        await d.moderation.four_eyes.ask(OPERATOR, "member.remove", bob.account, "bob")
        assert await names(d) == {"ann"}


async def test_it_is_done_when_somebody_else_agrees(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        ann, boss, mod = d.callers["ann"], await d.join("boss", "admin"), await d.join("mod", "moderator")
        await d.set(four_eyes=True)
        feed, eyes = d.hear("boss"), d.moderation.four_eyes
        id = await ask(d, ann)
        assert await ask(d, ann) == id, "asking again is the same"
        assert "bob" in await names(d) and [one.event.kind for one in feed.after(1)] == ["desk", "desk"]
        (row,) = eyes.page(boss).approvals
        assert (row.id, row.action, row.target, row.asked_by, row.mine) == (
            id,
            "member.remove",
            "bob",
            "ann",
            False,
        )
        assert eyes.page(ann).approvals[0].mine and row.until == int(d.clock()) + 24 * 3600
        with refused("yourself"):
            await eyes.approve(ann, id)
        for attempt in (eyes.approve(mod, id), eyes.refuse(mod, id)):
            with refused("role"):
                await attempt
        await eyes.approve(boss, id)
        assert "bob" not in await names(d) and eyes.page(ann).approvals == []
        with refused("no_item"):
            await eyes.approve(boss, id)
        assert [(who, what) for who, what, _ in await d.said()][-3:] == [
            ("ann", "ask.made"),
            ("boss", "ask.approved"),
            ("boss", "member.remove"),
        ]


async def test_asking_for_what_another_asked_for_is_agreeing(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        boss = await d.join("boss", "admin")
        await d.set(four_eyes=True)
        await ask(d, d.callers["ann"])
        await d.moderation.four_eyes.ask(boss, "member.remove", d.callers["bob"].account, "bob")
        assert "bob" not in await names(d)


async def test_the_command_line_is_somebody_else(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        await d.set(four_eyes=True)
        id = await ask(d, OPERATOR)
        with refused("yourself"):
            await d.moderation.four_eyes.approve(OPERATOR, id)
        await d.moderation.four_eyes.approve(d.callers["ann"], id)
        assert "bob" not in await names(d)


async def test_it_may_be_refused_or_taken_back_or_end(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        ann, boss, eyes = d.callers["ann"], await d.join("boss", "admin"), d.moderation.four_eyes
        await d.set(four_eyes=True)
        for who in (boss, ann):
            await eyes.refuse(who, await ask(d, ann))
        id = await ask(d, ann)
        d.clock.pass_hours(24)
        assert eyes.page(boss).approvals == []
        with refused("no_item"):
            await eyes.approve(boss, id)
        assert await ask(d, boss) != id, "what is over counts for nothing"
        await eyes.forget_over()
        assert len(eyes.page(boss).approvals) == 1 and "bob" in await names(d)


async def test_rights_are_looked_at_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        boss, ann = await d.join("boss", "admin"), d.callers["ann"]
        await d.set(four_eyes=True)
        id = await ask(d, boss)
        await d.home.people.members.change(OPERATOR, boss.account, ChangeMember(role="member"))
        with refused("role"):
            await d.moderation.four_eyes.approve(ann, id)
        assert await ask(d, ann) != id, "it does not count as a first pair of eyes any more"
        await d.join("deputy", "admin")
        id = await ask(d, ann, "deputy")
        with refused("role"):
            await d.moderation.four_eyes.approve(await d.join("other", "admin"), id)
        assert "deputy" in await names(d)
