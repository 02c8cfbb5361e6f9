"""A private Tor network in a folder of its own, a play on it, and the account of how it went."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from appliance.client.entrance import Unanswered
from appliance.demo.actor import ActorFailed
from appliance.demo.play import Account, Act, Moment, Play, Tell
from appliance.demo.scene import NotVerified, Scene
from appliance.demo.stage import Stage
from appliance.errors import Refusal, cause
from tor import binary
from tor.testnet import NetworkFailed, PrivateNetwork

NETWORK: Final = ("network", "A private Tor network starts on this machine")


async def perform(
    make: Callable[[Scene, Tell], Play], stage: Stage, *, tor: str = "auto", keep: Path | None = None
) -> Account:
    """Play the play that `make` gives, on a fresh network; ok only if every step was verified."""
    began = trio.current_time()
    steps: list[Act] = []
    problem: str | None = None

    def tell(moment: Moment) -> None:
        if moment.state == "done":
            steps.append(Act(moment.key, moment.title, round(moment.seconds, 1), moment.words))
        stage.tell(moment)

    def progress(percent: int, words: str) -> None:
        tell(Moment(*NETWORK, "done" if percent == 100 else "now", words, trio.current_time() - began))

    try:
        async with theatre(progress, tor=tor, keep=keep) as scene:
            play = make(scene, tell)
            async with trio.open_nursery() as nursery:
                for actor in scene.actors.values():
                    nursery.start_soon(stage.watch, actor)
                await play.perform()
                nursery.cancel_scope.cancel()
    except Exception as error:
        problem = _words(cause(error))
        if problem is None:
            raise
    return Account(problem is None, round(trio.current_time() - began, 1), steps, problem)


@asynccontextmanager
async def theatre(
    progress: Callable[[int, str], None], *, tor: str = "auto", keep: Path | None = None
) -> AsyncIterator[Scene]:
    """A scene on a fresh private network, in `keep` or in a folder that is removed afterwards."""
    chosen, problems = await trio.to_thread.run_sync(binary.choose, tor)
    if chosen is None:
        raise NotVerified(" ".join(problems))
    folder = keep or Path(tempfile.mkdtemp(prefix="island-"))
    folder.mkdir(parents=True, exist_ok=True)
    network = PrivateNetwork(
        folder / "network", chosen.path, environment=chosen.environment(), progress=progress
    )
    try:
        async with network, Scene(folder, network.torrc_path, tor=tor) as scene:
            yield scene
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _words(error: BaseException) -> str | None:
    """What went wrong, for the account; None for a fault of this program."""
    match error:
        case NotVerified() | ActorFailed():
            return str(error)
        case NetworkFailed():
            return f"the private Tor network failed: {error}"
        case Refusal():
            return f"refused: {error.message}"
        case Unanswered():
            return "a box did not answer"
    return None
