"""What waits for the committer: jobs with the tasks that asked for them, and chores between two commits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import outcome
import trio

from appliance.errors import Refusal
from appliance.store.transaction import Transaction


class Entry:
    """A job in the queue and the task that waits for it; `taken` once it cannot be withdrawn."""

    __slots__ = ("freeing", "job", "taken", "task")

    def __init__(self, job: Callable[[Transaction], Any], freeing: bool, task: trio.lowlevel.Task) -> None:
        self.job = job
        self.freeing = freeing
        self.task = task
        self.taken = False


class Torn(Exception):
    """A job failed after it had written: the flat batch must be undone."""


class Full(Exception):
    """The map or the disk had no room for the batch; `map_full` tells which."""

    def __init__(self, map_full: bool) -> None:
        self.map_full = map_full


class Chores:
    """Work on the file that needs it alone: done one after the other, between two commits."""

    def __init__(self, bell: trio.lowlevel.ParkingLot) -> None:
        self._bell = bell
        self._ended = False
        self._limiter = trio.CapacityLimiter(1)
        self._waiting: deque[tuple[Callable[[], Any], bool, trio.lowlevel.Task]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def ask(self, chore: Callable[[], Any], *, here: bool = False) -> Any:
        """Wait until it is done, also when cancelled; its value. Refusal busy once the store has ended.

        `here`: on the trio thread, so that nothing is read meanwhile.
        """
        if self._ended:
            raise Refusal("busy")
        self._bell.unpark()
        self._waiting.append((chore, here, trio.lowlevel.current_task()))
        return await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)

    async def do_one(self) -> None:
        """Do the next one and answer whoever waits; where one on the trio thread fails, the store ends."""
        chore, here, task = self._waiting.popleft()

        async def do() -> Any:
            return await trio.to_thread.run_sync(chore, limiter=self._limiter)

        result = outcome.capture(chore) if here else await outcome.acapture(do)
        trio.lowlevel.reschedule(task, result)
        if here and isinstance(result, outcome.Error):
            raise result.error

    def refuse(self) -> None:
        """The store ends."""
        self._ended = True
        for *_, task in self._waiting:
            trio.lowlevel.reschedule(task, outcome.Error(Refusal("busy")))
        self._waiting.clear()
