"""What one circuit may take: a token bucket and a count of connections each, in bounded tables."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from math import ceil

from appliance.config import Config
from appliance.errors import Refusal

BURST = 4
"""Seconds of allowance that can be saved up."""

CIRCUITS_REMEMBERED = 8192
LOCAL_FACTOR = 100
"""The owner's own entrances get so many times what one circuit gets."""

LOCAL_CONNECTIONS = 512

BODIES_OCTETS = 96 * 1024 * 1024
"""Bodies being read at once, of all connections together."""


class Bucket:
    """A token bucket: `rate` tokens a second, `BURST` seconds' worth at most."""

    __slots__ = ("_stamp", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._tokens = rate * BURST
        self._stamp = now

    def take(self, rate: float, now: float, count: float = 1.0) -> float:
        """Take `count` tokens, going into debt if need be; returns the seconds until the debt is paid."""
        self._tokens = min(rate * BURST, self._tokens + (now - self._stamp) * rate)
        self._stamp = now
        self._tokens -= count
        return max(0.0, -self._tokens / rate)

    def give_back(self, count: float = 1.0) -> None:
        """Undo a `take` that was refused."""
        self._tokens += count


class Memory:
    """Octets that bodies, half messages and large answers of all strangers may hold together."""

    def __init__(self, limit: int) -> None:
        self._free = limit

    def take(self, octets: int) -> None:
        """Reserve; `Refusal("busy")` when there is not so much."""
        if octets > self._free:
            raise Refusal("busy")
        self._free -= octets

    def give_back(self, octets: int) -> None:
        """Undo a `take`."""
        self._free += octets

    @contextmanager
    def hold(self) -> Iterator[Callable[[int], None]]:
        """A `take` whose octets are given back at the end of the block.

        Nothing is reserved for what is only announced: strangers who announce much and send nothing would
        leave no room for others.
        """
        held = 0

        def take(octets: int) -> None:
            nonlocal held
            self.take(octets)
            held += octets

        try:
            yield take
        finally:
            self.give_back(held)


class Limits:
    """Requests and connections per circuit; shared by all connections, touched only on the trio thread."""

    def __init__(self, config: Callable[[], Config], clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()
        self._open: dict[Hashable, int] = {}
        self.memory = Memory(BODIES_OCTETS)

    def spend(self, circuit: int | None) -> None:
        """Count one request; `Refusal("too_many", retry_after=seconds)` when the circuit asks too often."""
        rate = float(self._config().circuit_requests) * (LOCAL_FACTOR if circuit is None else 1)
        now = self._clock()
        bucket = self._buckets.get(circuit)
        if bucket is None:
            bucket = self._buckets[circuit] = Bucket(rate, now)
            if len(self._buckets) > CIRCUITS_REMEMBERED:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(circuit)
        wait = bucket.take(rate, now)
        if wait > 0:
            bucket.give_back()
            raise Refusal("too_many", retry_after=ceil(wait))

    @contextmanager
    def connection(self, kind: str) -> Iterator[None]:
        """Hold one of the box's connections; `Refusal("busy")` when there are too many.

        Strangers and the owner are counted apart, so that a flood on the onion never locks the owner out.
        """
        key = "onion" if kind == "onion" else "local"
        limit = self._config().connections if key == "onion" else LOCAL_CONNECTIONS
        with self._count(key, limit, "busy"):
            yield

    @contextmanager
    def circuit(self, circuit: int) -> Iterator[None]:
        """Hold one of a circuit's connections; `Refusal("too_many")` when it has too many."""
        with self._count(circuit, self._config().circuit_connections, "too_many"):
            yield

    @contextmanager
    def _count(self, key: Hashable, limit: int, code: str) -> Iterator[None]:
        count = self._open.get(key, 0)
        if count >= limit:
            raise Refusal(code)
        self._open[key] = count + 1
        try:
            yield
        finally:
            left = self._open[key] - 1
            if left:
                self._open[key] = left
            else:
                del self._open[key]

    @property
    def open_connections(self) -> int:
        """Connections open now."""
        return self._open.get("onion", 0) + self._open.get("local", 0)
