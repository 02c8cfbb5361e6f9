"""The box's Tor: chooses it, keeps it running, tells its state, serves the rest of the box."""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol.desk import NewReader, NewReaderKey, Reader, ReaderKeys, Readers, TorState
from tor import binary, bridges, torrc
from tor.binary import Binary
from tor.control import Control, ControlFailed, ControlRefused
from tor.life import Life, Plan, end_problem
from tor.onion import Guards, Onion
from tor.readers import Access, ReaderBook, base64_key
from tor.status import Board
from tor.transport import Dial

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 300.0
LOOK_AGAIN_SECONDS = 60.0


class Tor:
    """One per box. `run` it in the nursery; everything else may be called at any time from trio's thread.

    `seed` is the box's identity, `target` the unix socket of the onion entrance, `book` keeps the readers.
    """

    def __init__(
        self,
        config: Config,
        *,
        seed: bytes,
        target: Path,
        book: ReaderBook,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._book = book
        self._clock = clock
        self._board = Board()
        self._life: Life | None = None
        self._folder: Path | None = None
        self._onion = Onion(seed, target, Guards(config.onion_pow, config.circuit_connections))
        self._access = Access(book, apply=self._apply_readers, grant=self._grant, drop=self._drop)
        self.dial = Dial(self._socks, self._new_circuits)

    @property
    def address(self) -> str:
        """The box's own onion address, "….onion"."""
        return self._onion.address

    @property
    def status(self) -> TorState:
        """What Tor is doing now."""
        return self._board.state

    @property
    def revision(self) -> int:
        """Counts the changes of `status`."""
        return self._board.revision

    @property
    def pid(self) -> int | None:
        """The process id of the running Tor."""
        return None if self._life is None else self._life.pid

    async def wait_changed(self, revision: int) -> int:
        """Return the present revision as soon as it is another than `revision`."""
        return await self._board.wait_changed(revision)

    def configure(self, config: Config) -> None:
        """Take over changed live settings."""
        self._config = config

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Keep Tor running until cancelled; it has started when the task reports so, reachable or not."""
        task_status.started()
        if self._config.tor == "off":
            self._board.change(phase="off", source="none")
            await trio.sleep_forever()
        pause = FIRST_PAUSE_SECONDS
        while True:
            chosen = await self._choose()
            began = trio.current_time()
            self._board.change(percent=0, skew_seconds=None, **await self._live(chosen))
            if trio.current_time() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await trio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def list_readers(self) -> Readers:
        """Who may read the onion's descriptor; empty means everyone."""
        return await self._access.list_readers()

    async def add_reader(self, new: NewReader) -> Reader:
        """Let one more reader in, at once; Refusal malformed (key) or wrong_state (name taken)."""
        return await self._access.add_reader(new)

    async def remove_reader(self, name: str) -> None:
        """Shut one reader out, at once; Refusal not_found."""
        await self._access.remove_reader(name)

    async def list_reader_keys(self) -> ReaderKeys:
        """Closed onions we hold a key for."""
        return await self._access.list_reader_keys()

    async def add_reader_key(self, new: NewReaderKey) -> None:
        """Keep and use our key to a closed onion; Refusal bad_address or malformed (key)."""
        await self._access.add_reader_key(new)

    async def remove_reader_key(self, address: str) -> None:
        """Forget our key to a closed onion; Refusal not_found."""
        await self._access.remove_reader_key(address)

    async def refresh(self) -> None:
        """Read the book anew, after the box was unlocked."""
        if self._life is not None:
            await self._ask(self._life.present_keys)
            if self._life.waits_for_book:
                await self._ask(self._life.publish)

    async def _choose(self) -> Binary:
        """The tor to run, as soon as there is one: somebody may install it while the box is on."""
        while True:
            chosen, problems = await trio.to_thread.run_sync(binary.choose, self._config.tor)
            if chosen is not None:
                self._board.change(version=chosen.version, source=chosen.source, **self._judge(chosen, False))
                return chosen
            self._board.change(phase="failed", percent=0, source="none", problem=" ".join(problems))
            await trio.sleep(LOOK_AGAIN_SECONDS)

    async def _live(self, chosen: Binary) -> dict[str, Any]:
        """Run one Tor to its end; what the status says afterwards."""
        folder = torrc.open_folder(self._config.data.expanduser())
        try:
            file = self._prepare(folder, chosen)
            plan = Plan(chosen, folder, file, self._onion, self._book, self._clock, self._judge)
            self._folder, self._life = folder, Life(plan, self._board)
            self._board.change(phase="starting", percent=0, skew_seconds=None)
            await self._life.run()
            problem = end_problem(self._life.last_words)
            return {"phase": "restarting" if self._life.talked else "failed", "problem": problem}
        except (OSError, Refusal) as error:
            return {"phase": "failed", "problem": _setup_problem(error)}
        finally:
            self._folder = self._life = None
            shutil.rmtree(folder, ignore_errors=True)

    def _prepare(self, folder: Path, chosen: Binary) -> Path:
        """Write the torrc and make Tor's data folder; Refusal bad_setting if the bridges cannot work."""
        config = self._config
        data = config.data.expanduser() / "tor"
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = chosen.path.parent
        lines, problems = bridges.torrc(config.bridges, config.bridge_transports, beside)
        if problems:
            raise Refusal("bad_setting", setting="bridges", problem=" ".join(problems))
        file = folder / "torrc"
        file.write_text(torrc.compose(config, folder, data, lines))
        return file

    def _judge(self, chosen: Binary, obsolete: bool) -> dict[str, Any]:
        """The status fields about age; `obsolete` is the Tor network's own word."""
        age = chosen.age_days(self._clock())
        old = age is not None and age > self._config.tor_old_days
        return {"age_days": age, "outdated": old or obsolete}

    def _socks(self) -> Path | None:
        connected = self._board.state.phase in ("publishing", "reachable")
        return self._folder / "socks" if self._folder is not None and connected else None

    async def _new_circuits(self) -> None:
        await self._command(lambda control: control.new_circuits())
        if self._life is not None:
            await self._ask(self._life.present_keys)  # Tor forgets them with its circuits

    async def _apply_readers(self, cut: bool) -> None:
        if self._life is not None:
            await self._ask(partial(self._life.publish, cut=cut))

    async def _grant(self, address: str, key: str) -> None:
        name = address.removesuffix(".onion")
        await self._command(lambda control: control.add_key(name, base64_key(key)))

    async def _drop(self, address: str) -> None:
        await self._command(lambda control: control.remove_key(address.removesuffix(".onion")))

    async def _command(self, say: Callable[[Control], Awaitable[None]]) -> None:
        if self._life is not None and self._life.control is not None:
            try:
                await say(self._life.control)
            except ControlRefused:
                return  # nothing has changed then, and the next dial tells why
            except ControlFailed as error:
                if self._life is not None:
                    self._life.end(str(error))

    async def _ask(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do what must hold afterwards; a Tor that refuses is restarted and gets the book again."""
        life = self._life
        try:
            await action()
        except ControlFailed as error:
            if life is not None:
                life.end(str(error))


def _setup_problem(error: OSError | Refusal) -> str:
    if isinstance(error, Refusal):
        return str(error.details.get("problem") or "A bridge line in the settings cannot be read.")
    return f"Tor cannot be started: {error.strerror or error}."
