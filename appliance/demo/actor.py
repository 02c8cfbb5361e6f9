"""One box of the story: a child process of this program, its data folder, its desk."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from appliance.client.desk import Desk
from appliance.client.entrance import Entrance, Unanswered, control, loopback
from appliance.client.person import Options, Person
from appliance.errors import Refusal
from appliance.protocol.desk import State
from tor import child, testnode

IN_USE: Final = 5
"""Exit code of `island run` when another box still holds the folder."""

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.05
PASSPHRASE: Final = "a passphrase for the stage only"  # noqa: S105 (protects nothing; the folder is thrown away)

# Nobody waits half an hour in a demonstration.
BRISK: Final = (
    "outbox_direct_seconds=8",
    "outbox_first_seconds=1",
    "outbox_longest_seconds=5",
    "collect_seconds=5",
    "sweep_seconds=2",
)

QUICK: Final = Options(label="demonstration", patience=2.0, stock=10, pauses=(0.1, 0.3, 1.0))
"""How its people's clients behave: a few prekeys are enough for a play."""


class ActorFailed(Exception):
    """A box did not start, or ended by itself; the message has its last words."""


class Ready(msgspec.Struct, frozen=True):
    """The line that `island run --json` prints."""

    version: str
    url: str
    claim_url: str | None
    onion: str
    state: Any = None


class Actor:
    """A box that can be started, stopped and killed. Owner: the scene that made it."""

    def __init__(
        self, name: str, folder: Path, torrc: Path, *, tor: str = "auto", settings: tuple[str, ...] = ()
    ):
        self.name = name
        self.data = folder / name
        self.log = folder / f"{name}.log"
        self.profile = folder / f"{name}.profile"
        self.ready: Ready | None = None
        self.killed = False
        self._listen = f"127.0.0.1:{testnode.free_ports(1)[0]}"
        self._settings = (*BRISK, f"tor_torrc={torrc}", *settings)
        self._tor = tor
        self._child: child.Child | None = None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.code is None

    @property
    def onion(self) -> str:
        """Its onion address, known since its first start."""
        if self.ready is None:
            raise ActorFailed(f"{self.name} has never started")
        return self.ready.onion

    async def start(self) -> Ready:
        """Start the process and wait for its ready line."""
        with trio.move_on_after(READY_SECONDS):
            while True:
                begin = self.log.stat().st_size if self.log.exists() else 0
                with self.log.open("ab") as log:
                    self._child = child.start(self._command(), environment=environment(), output=log)
                found = await self._read_ready(self._child, begin)
                if found is not None:
                    self.ready, self.killed = found, False
                    return found
                # A process that was just killed may still hold the folder for a moment.
                await trio.sleep(POLL_SECONDS)
        raise ActorFailed(f"{self.name} was not ready in {READY_SECONDS:.0f} seconds: {self._last_words()}")

    async def stop(self) -> None:
        """Ask it to stop, as a service manager would."""
        if self._child is not None:
            await self._child.stop(STOP_SECONDS)
            self._child = None

    async def kill(self) -> None:
        """SIGKILL: no goodbye, no clean-up."""
        if self._child is not None:
            self.killed = True
            self._child.kill()
            await self._child.wait()
            self._child = None

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """Its owner's desk by the control socket."""
        async with Desk(control(self.data)) as desk:
            yield desk

    @property
    def page(self) -> Entrance:
        """The address of its web page, where its people sign in."""
        return loopback(self._listen)

    @property
    def address(self) -> str:
        """Its owner's address; the owner is called like the box."""
        return f"{self.name}@{self.onion}"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Person]:
        """Its owner's program, open while the block runs; Unanswered when the box is off."""
        async with Person.open(self.profile, self.page, options=QUICK) as me:
            yield me

    async def state(self) -> State | None:
        """Its state now; None while nobody answers."""
        async with self.desk() as desk:
            try:
                return await desk.state()
            except (Unanswered, Refusal):
                return None

    async def relays(self) -> dict[str, int]:
        """The relays it uses, and how many mailboxes its people have at each."""
        async with self.desk() as desk:
            return {relay.address: relay.mailboxes for relay in await desk.relays()}

    def _command(self) -> list[str]:
        arguments = ["run", "--json", "--data", str(self.data), "--listen", self._listen, "--tor", self._tor]
        for setting in self._settings:
            arguments += ["--set", setting]
        return [*program(), *arguments]

    async def _read_ready(self, process: child.Child, begin: int) -> Ready | None:
        """Read its ready line; None when the folder was still in use."""
        while True:
            code = process.code
            with self.log.open("rb") as log:
                log.seek(begin)
                for line in log.read().splitlines(keepends=True):
                    if line.startswith(b"{") and line.endswith(b"\n"):
                        try:
                            return msgspec.json.decode(line, type=Ready)
                        except msgspec.DecodeError:
                            continue
            if code == IN_USE:
                return None
            if code is not None:
                raise ActorFailed(f"{self.name} ended with code {code}: {self._last_words()}")
            await trio.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        lines = [line.strip(" |+-") for line in self.log.read_text(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line), "it said nothing")


def program() -> list[str]:
    """How to start this same program again, frozen or not."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-m", "appliance"]


def environment() -> dict[str, str]:
    """What a box runs with: a frozen program must unpack for itself and not live in our folder."""
    return {**os.environ, "PYINSTALLER_RESET_ENVIRONMENT": "1"}
