"""Handing over: a thread works first, and the trio thread stands by until it may go on.

Every call of LMDB gives the interpreter lock up, and a thread that wants it back while another works has to
wait for it. With 64 busy sockets a job of 50 microseconds took 160 to 250 that way, most of it waiting, and
commits were what the box waited for. So nothing else runs while the jobs of a commit do; what takes longest,
writing and the fsync, needs no lock, and the trio thread works beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any, Final, TypeVar, cast

import outcome
import trio

T = TypeVar("T")

PATIENCE_SECONDS: Final = 0.005
"""The longest that the trio thread stands by; jobs that take longer go on beside it."""


async def hand_over(work: Callable[[Callable[[], None]], T], name: str) -> T:
    """Run `work(back)` in a thread, give its value or raise its exception.

    The trio thread does nothing until `back` was called, the work has ended or its patience has. Cancelled
    callers wait for the end, as a thread cannot be stopped.
    """
    task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()
    back = Event()

    def run() -> T:
        try:
            return work(back.set)
        finally:
            back.set()

    def deliver(result: outcome.Outcome[T]) -> None:
        token.run_sync_soon(trio.lowlevel.reschedule, task, result)

    # `trio.to_thread` takes the same threads, but what would wait here has no place after its start.
    trio.lowlevel.start_thread_soon(run, deliver, name)
    back.wait(PATIENCE_SECONDS)
    return cast(T, await trio.lowlevel.wait_task_rescheduled(_keep_waiting))


def _keep_waiting(_: Any) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED
