"""One life of the Tor process: from its start, over its bootstrap and its onion service, to its end."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from appliance.errors import Refusal
from tor import child, status
from tor.binary import Binary
from tor.control import Control, ControlFailed, ControlRefused, arguments_of
from tor.onion import Onion
from tor.readers import ReaderBook, base64_key
from tor.status import Board

CONNECT_SECONDS = 30.0
CONNECT_POLL_SECONDS = 0.05
PROBE_SECONDS = 30.0
STOP_SECONDS = 5.0
LAST_WORDS_SECONDS = 0.5
CLOCK_STEP_SECONDS = 30.0

LOCKED: Final = (
    "Only chosen readers may reach this box, and their list is locked: unlock the box with the passphrase."
)
_ALARMING: Final = frozenset({"old", "unrecommended", "obsolete"})
_LOG_LINE: Final = re.compile(r"^\w{3} \d+ [\d:.]+ \[(warn|err)\] (?P<text>.*)$")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a life runs: the executable, its folder in memory, its torrc in there, and the service."""

    binary: Binary
    folder: Path
    torrc: Path
    onion: Onion
    book: ReaderBook
    clock: Callable[[], float]
    judge: Callable[[Binary, bool], dict[str, Any]]


class Life:
    """One Tor process. `control` is there while Tor can be talked to, `last_words` after a bad end."""

    def __init__(self, plan: Plan, board: Board) -> None:
        self.control: Control | None = None
        self.talked = False
        self.last_words: str | None = None
        self.waits_for_book = False
        self._process: child.Child | None = None
        self._log_ended = trio.Event()
        self._plan = plan
        self._board = board
        self._own = plan.onion.address.removesuffix(".onion")
        self._published = trio.Lock()
        self._clock_step = self._clock_offset()

    @property
    def pid(self) -> int | None:
        """The process id, once it has started."""
        return None if self._process is None else self._process.pid

    def end(self, why: str) -> None:
        """Kill this Tor, so that the next one starts in a known state."""
        self.last_words = why
        if self._process is not None:
            self._process.kill()

    async def run(self) -> None:
        """Run until Tor ends, or end Tor when cancelled; OSError if it cannot be started."""
        command = [str(self._plan.binary.path), "--defaults-torrc", "/dev/null", "-f", str(self._plan.torrc)]
        process = child.start(command, environment=self._plan.binary.environment(), output=subprocess.PIPE)
        self._process = process
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_log, process)
                nursery.start_soon(self._talk)
                await process.wait()
                with trio.move_on_after(LAST_WORDS_SECONDS):
                    await self._log_ended.wait()
                nursery.cancel_scope.cancel()
        finally:
            await process.stop(STOP_SECONDS)
            control, self.control = self.control, None
            if control is not None:
                await control.close()

    async def publish(self, *, cut: bool = False) -> None:
        """Publish for the readers in the book; `cut` drops all circuits first. Silent while Tor is away."""
        control = self.control
        if control is None:
            return
        async with self._published:
            try:
                readers = self._plan.book.load_readers()
            except Refusal:
                self.waits_for_book = True
                self._board.change(problem=LOCKED)
                return
            if self.waits_for_book:
                self.waits_for_book = False
                self._board.change(problem=None)
            if cut:
                await self._plan.onion.withdraw(control)
            await self._plan.onion.publish(control, self._plan.folder, [key for _, key in readers])

    async def present_keys(self) -> None:
        """Give Tor every key to a closed onion that the book shows now."""
        if self.control is None:
            return
        try:
            rows = self._plan.book.load_keys()
        except Refusal:
            return  # locked; the supervisor asks again after the unlocking
        for address, key in rows:
            with suppress(ControlRefused):  # one bad key must not keep the others out
                await self.control.add_key(address.removesuffix(".onion"), base64_key(key))

    async def _read_log(self, process: child.Child) -> None:
        await process.read_lines(self._hear_line)
        self._log_ended.set()

    def _hear_line(self, line: str) -> None:
        found = _LOG_LINE.match(line)
        # A refused torrc is told in a warning, followed by an error that only points back to it.
        if found is None or "see warnings above" in found["text"]:
            return
        if found[1] == "err" or not self.talked:
            self.last_words = found["text"].removeprefix("Failed to parse/validate config: ")

    async def _talk(self) -> None:
        try:
            self.control = control = await self._connect()
            self.talked, self.last_words = True, None
            await self._probe(control)
            await self.publish()
            await self.present_keys()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow, control)
                nursery.start_soon(self._keep_probing, control)
        except ControlFailed as error:
            self.end(self.last_words or str(error))

    async def _connect(self) -> Control:
        path = self._plan.folder / "control"
        with trio.move_on_after(CONNECT_SECONDS):
            while not await _listens(path):
                await trio.sleep(CONNECT_POLL_SECONDS)
        return await Control.connect(path)

    async def _follow(self, control: Control) -> None:
        async for event in control.events:
            found = status.changes(event, self._board.state, self._own)
            if "skew_seconds" in found:
                self._clock_step = self._clock_offset()
            self._board.change(**found)
            if self.waits_for_book and self._board.state.phase == "publishing":
                self._board.change(problem=LOCKED)

    async def _keep_probing(self, control: Control) -> None:
        while True:
            await trio.sleep(PROBE_SECONDS)
            try:
                await self._probe(control)
            except ControlFailed as error:
                self.end(str(error))
                return

    async def _probe(self, control: Control) -> None:
        """Ask what events may have missed; a Tor that does not answer is ended by the caller."""
        said = await control.ask("traffic/read", "status/version/current", "status/bootstrap-phase")
        phase = said.get("status/bootstrap-phase", "")
        self._board.change(
            **status.bootstrap(arguments_of(phase), self._board.state, warning=phase.startswith("WARN"))
        )
        obsolete = said.get("status/version/current") in _ALARMING
        self._board.change(**self._plan.judge(self._plan.binary, obsolete))
        if abs(self._clock_offset() - self._clock_step) > CLOCK_STEP_SECONDS:
            # Somebody set the clock: what Tor said of the old one is void; it says it again if need be.
            self._clock_step = self._clock_offset()
            self._board.change(skew_seconds=None)

    def _clock_offset(self) -> float:
        return self._plan.clock() - time.monotonic()


async def _listens(path: Path) -> bool:
    try:
        stream = await trio.open_unix_socket(str(path))
    except OSError:
        return False
    await stream.aclose()
    return True


def end_problem(last_words: str | None) -> str:
    """The sentence for a Tor that ended."""
    return f"Tor stopped: {last_words.rstrip('.')}." if last_words else "Tor stopped by itself."
