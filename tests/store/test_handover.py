"""Handing over: the trio thread stands by while a thread works, but neither for ever nor for its disk."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import trio

from appliance.store import handover
from appliance.store.handover import hand_over

WORK_SECONDS = 0.2


def busy(back: Callable[[], None]) -> tuple[float, float]:
    """Work that never gives back; when it began and ended."""
    began = time.monotonic()
    time.sleep(WORK_SECONDS)
    return began, time.monotonic()


async def _count(steps: list[float]) -> None:
    while True:
        steps.append(time.monotonic())
        await trio.lowlevel.checkpoint()


async def test_nothing_else_runs_while_it_works(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "PATIENCE_SECONDS", 30.0)
    steps: list[float] = []

    nursery.start_soon(_count, steps)
    await trio.sleep(0.01)
    began, ended = await hand_over(busy, "work")
    assert steps
    assert not [step for step in steps if began < step < ended]


async def test_others_go_on_once_it_gives_back(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "PATIENCE_SECONDS", 30.0)
    steps: list[float] = []

    def work(back: Callable[[], None]) -> tuple[float, float]:
        back()
        return busy(back)

    nursery.start_soon(_count, steps)
    began, ended = await hand_over(work, "work")
    assert [step for step in steps if began < step < ended]


async def test_patience_ends(nursery: trio.Nursery) -> None:
    steps: list[float] = []

    nursery.start_soon(_count, steps)
    began, ended = await hand_over(busy, "work")
    first = min(step for step in steps if began < step < ended)
    assert first - began >= handover.PATIENCE_SECONDS * 0.5


async def test_an_exception_comes_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PATIENCE_SECONDS", 30.0)

    def work(back: Callable[[], None]) -> None:
        raise KeyError("here")

    with trio.fail_after(10), pytest.raises(KeyError):
        await hand_over(work, "work")


async def test_a_cancelled_caller_has_the_end() -> None:
    ended: list[bool] = []

    def work(back: Callable[[], None]) -> str:
        back()
        time.sleep(WORK_SECONDS)
        ended.append(True)
        return "done"

    with trio.CancelScope() as scope:
        scope.cancel()
        assert await hand_over(work, "work") == "done"
    assert ended
