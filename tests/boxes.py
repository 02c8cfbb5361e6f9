"""Whole boxes in one process: the real composition root and store, only Tor is replaced by direct sockets."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from appliance import app
from appliance.client.desk import Desk
from appliance.client.entrance import control
from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.desk import ReaderKeys, Readers, TorState
from appliance.protocol.keys import SigningKey

PASSPHRASE = "correct horse battery"


@dataclass
class Net:
    """Which box listens where; a box that is off is not in it."""

    sockets: dict[str, Path] = field(default_factory=dict)
    circuits: itertools.count = field(default_factory=lambda: itertools.count(1))
    dialled: list[tuple[str, str]] = field(default_factory=list)

    async def dial(self, address: str, port: int, isolation: str) -> trio.SocketStream:
        self.dialled.append((address, isolation))
        path = self.sockets.get(address)
        if path is None:
            raise Refusal("unreachable", reason="no descriptor")
        try:
            stream = await trio.open_unix_socket(path)
        except OSError:
            raise Refusal("unreachable", reason="refused") from None
        circuit = next(self.circuits)
        try:
            await stream.send_all(b"PROXY TCP6 fc00:dead:beef:4dad::0:%x ::1 24 80\r\n" % circuit)
        except trio.BrokenResourceError:  # it goes off at this moment
            await trio.aclose_forcefully(stream)
            raise Refusal("unreachable", reason="refused") from None
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream


class Wire:
    """Stands where Tor stands: reachable at once, over unix sockets."""

    def __init__(self, net: Net, config: Config, *, seed: bytes, target: Path, book: object) -> None:
        self._net = net
        self._target = target
        self.address = onion.address(SigningKey(seed).public)
        self.revision = 1
        self.status = TorState(phase="reachable", percent=100, words="Reachable.")
        self.dial = net.dial

    def configure(self, config: Config) -> None:
        pass

    async def wait_changed(self, revision: int) -> int:
        await trio.sleep_forever()
        return revision

    async def run(self) -> None:
        self._net.sockets[self.address] = self._target
        try:
            await trio.sleep_forever()
        finally:
            self._net.sockets.pop(self.address, None)

    async def list_readers(self) -> Readers:
        return Readers([])

    async def list_reader_keys(self) -> ReaderKeys:
        return ReaderKeys([])

    async def refresh(self) -> None:
        pass


@dataclass
class Running:
    ready: app.Ready
    desk: Desk
    stop: trio.CancelScope


FAST = {
    "outbox_first_seconds": 1,
    "collect_seconds": 1,
    "sweep_seconds": 1,
    "work_bits": 1,
    "work_memory_kib": 64,
    "kdf_memory_kib": 64,
    "kdf_passes": 1,
}


@asynccontextmanager
async def running(
    net: Net, data: Path, claim: bool = True, clock: Callable[[], float] = time.time, **settings
) -> AsyncIterator[Running]:
    """A box that runs while the block does; claimed unless told otherwise."""
    config = replace(Config(data=data, listen="127.0.0.1:0"), **{**FAST, **settings})
    ready: list[app.Ready] = []
    answers = trio.Event()

    def announce(one: app.Ready) -> None:
        ready.append(one)
        answers.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(app.run, config, announce, lambda *a, **k: Wire(net, *a, **k), clock)
        with trio.fail_after(120):
            await answers.wait()
        async with Desk(control(data)) as desk:
            state = await desk.state()
            if claim and not state.claimed:
                await desk.claim("", data.name, PASSPHRASE)
            yield Running(ready[0], desk, nursery.cancel_scope)
        nursery.cancel_scope.cancel()


async def until(check, seconds: float = 120.0, pause: float = 0.05):
    """Wait until an async check gives something true, and return it."""
    with trio.fail_after(seconds):
        while not (found := await check()):
            await trio.sleep(pause)
    return found
