"""Children: what they print, how they stop, and that they die with their parent."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tor import child


def running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def printed(one: child.Child) -> list[str]:
    lines: list[str] = []
    await one.read_lines(lines.append)
    return lines


def python(program: str) -> subprocess.Popen[bytes]:
    """A Python of its own that runs `program`."""
    root = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root)


async def test_prints_line_by_line() -> None:
    one = child.start(["/bin/sh", "-c", "echo one; echo two >&2; printf three"], output=subprocess.PIPE)
    assert await printed(one) == ["one", "two"]
    assert await one.wait() == 0
    assert one.code == 0


async def test_without_a_pipe_there_are_no_lines() -> None:
    one = child.start(["/bin/true"])
    assert await printed(one) == []
    assert await one.wait() == 0


async def test_an_endless_line_is_bounded() -> None:
    one = child.start(["/bin/sh", "-c", "head -c 1000000 /dev/zero; echo end"], output=subprocess.PIPE)
    (line,) = await printed(one)
    assert line.endswith("end")
    assert len(line) < 100_000
    await one.wait()


async def test_stops_when_asked() -> None:
    one = child.start(["/bin/sleep", "60"])
    assert one.code is None
    assert await one.stop() == -signal.SIGTERM
    assert await one.stop() == -signal.SIGTERM


async def test_is_killed_when_it_will_not_stop() -> None:
    command = ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]
    one = child.start(command, output=subprocess.PIPE)
    async with trio.open_nursery() as nursery:
        ready = trio.Event()
        nursery.start_soon(one.read_lines, lambda line: ready.set())
        await ready.wait()
        nursery.cancel_scope.cancel()  # a cancellation must not leave it running
        assert await one.stop(0.2) == -signal.SIGKILL


async def test_several_may_wait() -> None:
    one = child.start(["/bin/sleep", "60"])
    codes: list[int] = []

    async def wait() -> None:
        codes.append(await one.wait())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        one.kill()
    assert codes == [-signal.SIGKILL] * 3


async def test_environment() -> None:
    one = child.start(["/bin/sh", "-c", "echo $WORD"], environment={"WORD": "there"}, output=subprocess.PIPE)
    assert await printed(one) == ["there"]
    await one.wait()


def test_missing_program() -> None:
    with pytest.raises(FileNotFoundError):
        child.start(["/no/such/program"])


async def test_dies_with_its_parent() -> None:
    program = (
        "import time; from tor import child;"
        "print(child.start(['/bin/sleep', '60']).pid, flush=True); time.sleep(60)"
    )
    with python(program) as parent:
        assert parent.stdout is not None
        pid = int(await trio.to_thread.run_sync(parent.stdout.readline))
        assert running(pid)
        parent.kill()
    with trio.fail_after(60):
        while running(pid):
            await trio.sleep(0.02)
