"""A child process that cannot outlive this one.

Linux sends the child SIGKILL when the *thread* that started it ends (PR_SET_PDEATHSIG), so start children
from the thread that runs trio, never from a worker thread: those end when they are idle.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import trio

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.2
LONGEST_LINE = 4096

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Child:
    """One running process; its owner must `stop` it or `wait` for its end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    async def read_lines(self, take: Callable[[str], None]) -> None:
        """Give `take` each line of a child started with `subprocess.PIPE`, until its end; do it once."""
        pipe = self._process.stdout
        if pipe is None:
            return
        stream = trio.lowlevel.FdStream(os.dup(pipe.fileno()))
        pipe.close()
        rest = b""
        async with stream:
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    take(line.decode("utf-8", "replace"))
                rest = rest[-LONGEST_LINE:]

    async def wait(self) -> int:
        """Wait for the end and return the exit code; several tasks may wait."""
        while (code := self._process.poll()) is None:
            await _exit_of(self.pid)
        return code

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    async def stop(self, patience: float = 5.0) -> int:
        """Ask it to end and kill it after `patience` seconds; a cancellation does not cut this short."""
        with trio.CancelScope(shield=True):
            self._process.terminate()
            with trio.move_on_after(patience):
                await self.wait()
            if self.code is None:
                self._process.kill()
                await self.wait()
        return self._process.wait()  # it has ended: this only tells the code


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    output: int | IO[Any] = subprocess.DEVNULL,
) -> Child:
    """Start `command` with its standard output and errors going to `output`; OSError if it cannot start."""
    process = subprocess.Popen(
        list(command),
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        preexec_fn=_die_with(os.getpid()),  # one system call whose symbol is already resolved
    )
    return Child(process)


def _die_with(parent: int) -> Callable[[], None] | None:
    if _libc is None:
        return None
    prctl = _libc.prctl

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the call above took hold
            os._exit(1)

    return prepare


async def _exit_of(pid: int) -> None:
    """Return when `pid` has probably ended; the caller asks again."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):  # an old kernel, or user-mode emulation
        await trio.sleep(POLL_SECONDS)
        return
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
