"""The named tasks of a box: each has an owner, a restart policy and a line on the health page."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import trio

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
CALM_SECONDS: Final = 300.0
"""A task that ran so long before it failed starts again with the first pause."""


@dataclass
class Task:
    """One long-lived task; `restarts` and `fault` are for the health page."""

    name: str
    run: Callable[[], Awaitable[None]]
    restarts: int = 0
    fault: str | None = None
    running: bool = False


@dataclass
class Tasks:
    """Runs tasks for ever; a fault in one is noted and the task starts again after a pause."""

    count_fault: Callable[[str, BaseException], None]
    tasks: list[Task] = field(default_factory=list)

    def add(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Name a task. It starts with `run`."""
        self.tasks.append(Task(name, run))

    async def run(self) -> None:
        """Run all of them until cancelled."""
        async with trio.open_nursery() as nursery:
            for task in self.tasks:
                nursery.start_soon(self._keep, task, name=task.name)

    async def _keep(self, task: Task) -> None:
        pause = FIRST_PAUSE
        while True:
            started = trio.current_time()
            task.running = True
            try:
                await task.run()
                return
            except Exception as error:
                task.fault = type(error).__name__
                self.count_fault(f"task {task.name}", error)
            finally:
                task.running = False
            task.restarts += 1
            if trio.current_time() - started > CALM_SECONDS:
                pause = FIRST_PAUSE
            await trio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 (spreads restarts; not a secret)
            pause = min(pause * 2, LONGEST_PAUSE)
