"""Puzzles for strangers: a challenge given out, its solution checked and spent. Argon2id, so it costs memory.

Owner: the event loop; nothing is durable.
"""

from __future__ import annotations

from typing import Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import work
from appliance.protocol.messages import WorkChallenge, WorkSolution
from appliance.service.nonces import SpentTokens
from appliance.service.ports import Clock

WORK_SECONDS: Final = 600
WORK_PASSES: Final = 1
MAX_CHECKS: Final = 32
"""Solutions that may wait to be checked."""
_CHECKING: Final = trio.CapacityLimiter(1)
"""One guess takes the puzzle's memory: one at a time, so that strangers cannot multiply it."""


class Puzzle:
    """The puzzle for one purpose; its challenges are of no use for another."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._challenges = SpentTokens(clock, WORK_SECONDS, "work", config.nonces_kept)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def challenge(self) -> WorkChallenge:
        """A fresh challenge; nothing is kept for it."""
        return self._challenge(self._challenges.issue())

    async def check(self, solution: WorkSolution) -> None:
        """Spend a right solution of an unspent challenge; Refusal work, or busy when too many wait."""
        self._challenges.check(solution.challenge)
        if _CHECKING.statistics().tasks_waiting >= MAX_CHECKS:
            raise Refusal("busy")
        challenge = self._challenge(solution.challenge)
        await trio.to_thread.run_sync(work.check, challenge, solution, limiter=_CHECKING)
        self._challenges.check(solution.challenge)  # another task may have spent it meanwhile
        self._challenges.spend(solution.challenge)

    def _challenge(self, token: bytes) -> WorkChallenge:
        return WorkChallenge(
            challenge=token,
            memory_kib=self._config.work_memory_kib,
            passes=WORK_PASSES,
            bits=self._config.work_bits,
            seconds=WORK_SECONDS,
        )
