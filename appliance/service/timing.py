"""Timing: how long each route takes, in percentiles, and how often it refuses or fails; cheap and bounded.

A route has one row of counters over classes of time, each a quarter longer than the one before, so that a
percentile is at most an eighth off. Routes are named by the table of routes, never by what a stranger wrote.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

from appliance.protocol.desk import Endpoint

MOST_ROUTES: Final = 512
_FIRST: Final = 50e-6
_STEP: Final = 1.25
BOUNDS: Final = tuple(_FIRST * _STEP**power for power in range(64))
"""Upper ends of the classes: 50 microseconds to about a minute; longer falls into the last."""


class _Counted:
    __slots__ = ("classes", "faults", "refused", "requests")

    def __init__(self) -> None:
        self.classes = array("Q", bytes(8 * (len(BOUNDS) + 1)))
        self.requests = self.refused = self.faults = 0

    def percentile(self, part: float) -> int:
        """The middle of the class in which that part of all requests was done, in microseconds."""
        wanted, seen = part * self.requests, 0
        for place, count in enumerate(self.classes):
            seen += count
            if count and seen >= wanted:
                upper = BOUNDS[min(place, len(BOUNDS) - 1)]
                return round(upper * 1e6 * (1 + 1 / _STEP) / 2)
        return 0


class Timing:
    """Owner: the event loop; nothing is durable."""

    def __init__(self) -> None:
        self._routes: dict[str, _Counted] = {}

    def note(self, route: str, seconds: float) -> None:
        """A request was answered."""
        found = self._find(route)
        if found is not None:
            found.requests += 1
            found.classes[bisect_left(BOUNDS, seconds)] += 1

    def refused(self, route: str) -> None:
        """A request was refused."""
        found = self._find(route)
        if found is not None:
            found.refused += 1

    def failed(self, route: str) -> None:
        """A request failed where none should."""
        found = self._find(route)
        if found is not None:
            found.faults += 1

    def page(self) -> list[Endpoint]:
        """Every route that was asked, the slowest (by the 99th percentile) first."""
        rows = [
            Endpoint(
                route,
                one.requests,
                one.refused,
                one.faults,
                one.percentile(0.5),
                one.percentile(0.95),
                one.percentile(0.99),
            )
            for route, one in self._routes.items()
        ]
        return sorted(rows, key=lambda row: (-row.p99_us, row.route))

    def _find(self, route: str) -> _Counted | None:
        found = self._routes.get(route)
        if found is None and len(self._routes) < MOST_ROUTES:
            found = self._routes[route] = _Counted()
        return found
