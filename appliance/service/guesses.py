"""Guesses: wrong passphrases and codes are slowed for each name, for each circuit and in all.

A guess counts as wrong from its beginning, so that guesses made side by side are not free. Loopback and the
onion are counted apart: strangers must not be able to keep the people at the box itself out. What has 128
random bits (backup codes, invites) is guessed at without a name: a pause for everybody would help nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import trio

from appliance.errors import Refusal

FREE: Final = 5
LONGEST_PAUSE: Final = 300.0
REMEMBERED: Final = 4096
IN_ALL: Final = 120
"""Wrong guesses that can be saved up in all."""
IN_ALL_SECONDS: Final = 0.25
"""One more of them in this time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody guesses: at the box itself, or on a circuit of the onion."""

    home: bool = True
    circuit: int | None = None


@dataclass(slots=True)
class _Row:
    wrong: int = 0
    until: float = 0.0


class Verdict:
    """What became of a guess: wrong unless it is said otherwise."""

    __slots__ = ("right", "withdrawn")

    def __init__(self) -> None:
        self.right = False
        self.withdrawn = False


class Guesses:
    """Counts of wrong guesses in a row, in a bounded table. Owner: the event loop; nothing is durable."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, _Row] = OrderedDict()
        self._spent = {True: 0.0, False: 0.0}
        """By place: the time at which all wrong guesses so far are paid."""

    @contextmanager
    def one(self, place: Place, *names: str) -> Iterator[Verdict]:
        """One guess at these names; Refusal too_many while a pause lasts.

        Set `right` on the verdict when it was; a guess that ends in a fault or a cancellation is withdrawn.
        """
        self.check(place, *names)
        keys = _keys(place, names)
        for key in keys:
            self._note(key)
        self._spend(place, IN_ALL_SECONDS)
        verdict = Verdict()
        try:
            yield verdict
        except Refusal as refusal:
            verdict.withdrawn = verdict.withdrawn or refusal.code == "busy"
            raise
        except BaseException:
            verdict.withdrawn = True
            raise
        finally:
            if verdict.right or verdict.withdrawn:
                self._spend(place, -IN_ALL_SECONDS)
                for key in keys:
                    self._settle(key, verdict.right)

    def check(self, place: Place, *names: str) -> None:
        """Refusal too_many while a pause lasts; for what is costly before the guess itself."""
        now = trio.current_time()
        rows = (self._rows.get(key) for key in _keys(place, names))
        until = max((row.until for row in rows if row is not None), default=0.0)
        paid = self._spent[place.home] - (IN_ALL - 1) * IN_ALL_SECONDS
        left = max(until, paid) - now
        if left > 0:
            raise Refusal("too_many", seconds=int(left) + 1)

    def _note(self, key: Hashable) -> None:
        row = self._rows.setdefault(key, _Row())
        self._rows.move_to_end(key)
        if len(self._rows) > REMEMBERED:
            self._rows.popitem(last=False)
        row.wrong += 1
        if row.wrong >= FREE:
            row.until = trio.current_time() + min(2.0 ** (row.wrong - FREE + 1), LONGEST_PAUSE)

    def _settle(self, key: Hashable, right: bool) -> None:
        if right:
            self._rows.pop(key, None)
        elif (row := self._rows.get(key)) is not None:
            row.wrong -= 1
            if row.wrong < FREE:
                row.until = 0.0

    def _spend(self, place: Place, seconds: float) -> None:
        self._spent[place.home] = max(self._spent[place.home], trio.current_time()) + seconds


def _keys(place: Place, names: tuple[str, ...]) -> list[Hashable]:
    """The rows in which a guess counts."""
    keys: list[Hashable] = [(place.home, name) for name in names]
    return keys if place.circuit is None else [*keys, place.circuit]
