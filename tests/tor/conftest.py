"""Boxes for tests on the private network: a Tor of their own, and a service behind the onion that echoes."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.config import Config
from appliance.errors import Refusal
from tor.supervisor import Tor

PATIENCE = 240


class Book:
    """Readers and keys in memory; while `locked` a list with rows is refused."""

    def __init__(self) -> None:
        self.readers: list[tuple[str, str]] = []
        self.keys: list[tuple[str, str]] = []
        self.locked = False

    def load_readers(self) -> list[tuple[str, str]]:
        if self.locked and self.readers:
            raise Refusal("locked")
        return list(self.readers)

    async def save_readers(self, rows: list[tuple[str, str]]) -> None:
        await trio.lowlevel.checkpoint()
        self.readers = list(rows)

    def load_keys(self) -> list[tuple[str, str]]:
        if self.locked and self.keys:
            raise Refusal("locked")
        return list(self.keys)

    async def save_keys(self, rows: list[tuple[str, str]]) -> None:
        await trio.lowlevel.checkpoint()
        self.keys = list(rows)


@dataclass
class Box:
    """A running Tor, its book, and the PROXY lines its onion has seen."""

    tor: Tor
    book: Book
    folder: Path
    target: Path
    proxy_lines: list[bytes] = field(default_factory=list)

    def kill(self) -> None:
        """Kill this box's Tor, as the kernel would that has no memory left."""
        assert self.tor.pid is not None
        os.kill(self.tor.pid, signal.SIGKILL)

    async def until(self, *phases: str) -> None:
        """Wait for one of the phases."""
        with trio.fail_after(PATIENCE):
            while self.tor.status.phase not in phases:
                await self.tor.wait_changed(self.tor.revision)

    async def echo(self, stream: trio.SocketStream) -> None:
        async with stream:
            line = b""
            while not line.endswith(b"\r\n"):
                byte = await stream.receive_some(1)
                if not byte:
                    return
                line += byte
            self.proxy_lines.append(line)
            try:
                async for chunk in stream:
                    await stream.send_all(chunk)
            except trio.BrokenResourceError:
                return

    async def call(self, address: str, isolation: str = "test") -> None:
        """Send a word through an onion's echo and check what comes back."""
        with trio.fail_after(PATIENCE):
            async with await self.tor.dial(address, 80, isolation) as stream:
                await stream.send_all(b"across")
                answer = b""
                while len(answer) < 6:
                    chunk = await stream.receive_some(16)
                    assert chunk, "the stream ended early"
                    answer += chunk
                assert answer == b"across"


StartBox = Callable[..., Awaitable[Box]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as unix sockets need."""
    with tempfile.TemporaryDirectory(prefix="isl-") as name:
        yield Path(name)


@pytest.fixture
def book() -> Book:
    """An empty book."""
    return Book()


@pytest.fixture
async def start_box(folder: Path) -> AsyncIterator[StartBox]:
    """`await start_box(number, **settings)` starts a box with its own seed; all end with the test."""
    async with trio.open_nursery() as nursery:

        async def start(number: int = 0, *, book: Book | None = None, **settings: Any) -> Box:
            place = folder / f"box{number}"
            place.mkdir(exist_ok=True)
            target = place / "onion.sock"
            book = book or Book()
            config = Config(data=place, **settings)
            tor = Tor(config, seed=bytes([number + 1]) * 32, target=target, book=book)
            box = Box(tor, book, place, target)
            listener = trio.socket.socket(socket.AF_UNIX)
            await listener.bind(str(target))
            listener.listen()
            await nursery.start(trio.serve_listeners, box.echo, [trio.SocketListener(listener)])
            await nursery.start(tor.run)
            return box

        yield start
        nursery.cancel_scope.cancel()
