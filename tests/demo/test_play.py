"""Plays without boxes: what is told, in which order, and the account of a failure."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import trio
import trio.testing
from rich.console import Console

from appliance.demo.play import Moment, Play, Tell
from appliance.demo.scene import NotVerified, Scene, until
from appliance.demo.selftest import Selftest
from appliance.demo.stage import Stage
from appliance.demo.story import Story, expiry
from appliance.demo.theatre import perform
from appliance.protocol.desk import ExpiryDay, RelayLoad


class Monologue(Play):
    """Three steps; the one called `fails` does."""

    def __init__(self, scene: Scene, tell: Tell, fails: str = "") -> None:
        super().__init__(scene, tell)
        self.fails = fails
        self.steps = [(key, f"Step {key}", self.act) for key in ("one", "two", "three")]

    async def act(self) -> str:
        key = self._key
        self.say(f"doing {key}")
        if key == self.fails:
            raise ExceptionGroup("from a nursery", [NotVerified(f"{key} went wrong")])
        return f"{key} is done"


def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, tmp_path / "torrc")


async def test_every_step_is_told_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    told: list[Moment] = []
    await Monologue(scene(tmp_path), told.append).perform()
    assert [(m.key, m.state, m.words) for m in told[:3]] == [
        ("one", "now", ""),
        ("one", "now", "doing one"),
        ("one", "done", "one is done"),
    ]
    assert [m.key for m in told if m.state == "done"] == ["one", "two", "three"]


async def test_a_failure_is_told_and_ends_the_play(tmp_path: Path) -> None:
    told: list[Moment] = []
    with pytest.RaisesGroup(NotVerified):
        await Monologue(scene(tmp_path), told.append, fails="two").perform()
    assert (told[-1].key, told[-1].state, told[-1].words) == ("two", "failed", "two went wrong")


async def test_without_tor_the_account_says_so(tmp_path: Path) -> None:
    account = await perform(Selftest, Stage("a test", quiet=True), tor="/nonexistent/tor")
    assert not account.ok
    assert account.problem == "There is no tor at /nonexistent/tor."


def test_a_story_names_its_boxes_and_steps(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    story = Story(stage, lambda moment: None, size=1000)
    assert set(stage.actors) == {"sender", "recipient", "relay"}
    assert len({key for key, _, _ in story.steps}) == len(story.steps)
    assert len(story.content) == 1000


async def test_lines_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage("a test")
    for moment in (
        Moment("one", "Step one", "now", "", 0),
        Moment("one", "Step one", "now", "", 0.1),
        Moment("one", "Step one", "done", "well", 0.2),
    ):
        stage.tell(moment)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("s  ", 1)[1] for line in lines] == ["… Step one", "✓ Step one: well"]


async def test_a_quiet_stage_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage("a test", quiet=True)
    stage.tell(Moment("one", "Step one", "done", "well", 0.2))
    await stage.show()
    assert capsys.readouterr().out == ""


async def test_a_terminal_gets_a_table_that_changes(autojump_clock: trio.testing.MockClock) -> None:
    screen = io.StringIO()
    stage = Stage("a test", console=Console(file=screen, force_terminal=True, width=80))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.show)
        stage.tell(Moment("one", "Step one", "now", "trying", 0))
        await trio.sleep(1)
        stage.tell(Moment("one", "Step one", "done", "well", 1))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    shown = screen.getvalue()
    assert shown.index("trying") < shown.index("well")
    assert shown.count("a test") > 5


async def test_waiting_has_an_end() -> None:
    answers = iter([None, 0, 7])

    async def third() -> int | None:
        return next(answers)

    assert await until("seven", third, 5) == 7

    async def never() -> bool:
        return False

    with pytest.raises(NotVerified, match="the moon"):
        await until("the moon", never, 0.2)


def test_expiry_in_words() -> None:
    day = ExpiryDay(day="2026-11-28", envelopes=3, octets=9)
    load = RelayLoad("invite", 3, 9, 100, 100, 1, [day, ExpiryDay("2026-12-01", 1, 1)], [])
    assert expiry(load) == "kept until 1 December"
