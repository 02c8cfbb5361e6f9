"""Real browsers for tests: a program that asks for what is not done in a browser, and a Tor beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from appliance.demo.actor import Actor
from tests.boxes import Running
from tor import child, testnode

WEB = Path(__file__).parents[1] / "web"
GOODBYE_SECONDS = 10.0
PLAY_SECONDS = 1200
"""For one play: a busy machine takes several times as long as a free one."""
LIGHT = ("kdf_memory_kib=1024", "kdf_passes=1")
"""A box for plays about other things than signing in: a passphrase takes Firefox without JIT 20 s otherwise,
as it does in the plays of three and of twelve people."""

Answers = Callable[[dict[str, Any]], Awaitable[Any]]


async def drive(box: Actor | Running, shots: Path, *words: str, script: str = "people") -> dict[str, Any]:
    """Run a script of web/e2e against a box; its report, whatever it says."""
    assert box.ready is not None
    command = ["node", f"e2e/{script}.mjs", "--base", box.ready.url, "--claim", box.ready.claim_url or ""]
    answer = await trio.to_thread.run_sync(
        partial(
            subprocess.run,
            [*command, "--out", str(shots), *words],
            cwd=WEB,
            capture_output=True,
            text=True,
            timeout=PLAY_SECONDS,
        )
    )
    assert answer.stdout, answer.stderr
    return dict(json.loads(answer.stdout.splitlines()[-1]))


async def converse(command: list[str], act: Answers) -> dict[str, Any]:
    """Run the browsers' side, doing what it asks for; its last line."""
    process = await trio.lowlevel.open_process(
        command, cwd=WEB, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    rest = b""
    try:
        async for chunk in process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                said = json.loads(line)
                if "ask" not in said:
                    return dict(said)
                await process.stdin.send_all(json.dumps(await act(said)).encode() + b"\n")
        raise AssertionError("the browsers' side ended without a report")
    finally:
        with trio.CancelScope(shield=True):
            await process.stdin.aclose()
            with trio.move_on_after(GOODBYE_SECONDS):
                await process.wait()
            process.kill()
            await process.wait()


@asynccontextmanager
async def browsers_tor(folder: Path, torrc: tuple[str, ...]) -> AsyncIterator[int]:
    """A Tor client as a browser brings its own; its port for SOCKS."""
    folder.mkdir(mode=0o700)
    port = testnode.free_ports(1)[0]
    (folder / "torrc").write_text(
        "\n".join(
            [
                *torrc,
                f"SocksPort 127.0.0.1:{port}",
                f"SocksPort unix:{folder / 'socks'}",
                f'DataDirectory "{folder / "data"}"',
            ]
        )
        + "\n"
    )
    with (folder / "log").open("wb") as output:
        tor = child.start(["tor", "-f", str(folder / "torrc")], environment=None, output=output)
    try:
        yield port
    finally:
        with trio.CancelScope(shield=True):
            await tor.stop(5)
