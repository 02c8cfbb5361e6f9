"""What a play is: boxes by name and steps in order, each verified and timed; and its account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import msgspec
import trio

from appliance.demo.scene import Scene
from appliance.errors import cause

Tell = Callable[["Moment"], None]
Step = tuple[str, str, Callable[[], Awaitable[str]]]
"""Key, title, and the act: it returns what is true now in words, or raises NotVerified."""


@dataclass(frozen=True)
class Moment:
    """One step as it stands; `seconds` since it began."""

    key: str
    title: str
    state: Literal["now", "done", "failed"]
    words: str
    seconds: float


class Act(msgspec.Struct, frozen=True):
    """One step in the account."""

    name: str
    title: str
    seconds: float
    words: str


class Account(msgspec.Struct, frozen=True):
    """What was played and verified; `problem` says what was not."""

    ok: bool
    seconds: float
    steps: list[Act]
    problem: str | None = None


class Play:
    """Base of a play on a scene: subclasses name `boxes` and fill `steps`. `tell` hears every moment."""

    boxes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, scene: Scene, tell: Tell) -> None:
        self.scene = scene
        self._tell = tell
        self.steps: list[Step] = []
        self._key = self._title = self._words = ""
        self._began = 0.0
        for name in self.boxes:
            scene.cast(name)

    async def perform(self) -> None:
        """Play every step; raises at the first that does not come out right."""
        for key, title, act in self.steps:
            await self.step(key, title, act)

    async def step(self, key: str, title: str, act: Callable[[], Awaitable[str]]) -> None:
        """One step: tell that it begins, do it, tell how it ended."""
        self._key, self._title, self._began = key, title, trio.current_time()
        self.say("")
        try:
            words = await act()
        except Exception as error:
            self._report("failed", str(cause(error)) or self._words)
            raise
        self._report("done", words)

    def say(self, words: str) -> None:
        """Tell how the present step goes."""
        self._words = words
        self._report("now", words)

    def _report(self, state: Literal["now", "done", "failed"], words: str) -> None:
        self._tell(Moment(self._key, self._title, state, words, trio.current_time() - self._began))
