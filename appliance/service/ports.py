"""What the services need of the layers above them, as interfaces: a clock, a dial, Tor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from appliance.protocol.desk import NewReader, NewReaderKey, Reader, ReaderKeys, Readers, TorState

Clock = Callable[[], float]
"""Unix time in seconds."""


class Dial(Protocol):
    """Opens a byte stream to an onion; raises Refusal("unreachable") or Refusal("tor_off")."""

    async def __call__(self, onion: str, port: int, isolation: str) -> trio.abc.Stream:
        """Connect on a circuit shared only with the same `isolation`."""
        ...


class TorPort(Protocol):
    """Tor as the desk sees it."""

    @property
    def status(self) -> TorState:
        """What Tor is doing now."""
        ...

    async def list_readers(self) -> Readers:
        """Who may read the onion's descriptor."""
        ...

    async def add_reader(self, new: NewReader) -> Reader:
        """Let one more reader in, at once."""
        ...

    async def remove_reader(self, name: str) -> None:
        """Shut one reader out, at once."""
        ...

    async def list_reader_keys(self) -> ReaderKeys:
        """Closed onions we hold a key for."""
        ...

    async def add_reader_key(self, new: NewReaderKey) -> None:
        """Keep our key to somebody's closed onion and use it at once."""
        ...

    async def remove_reader_key(self, address: str) -> None:
        """Forget a key."""
        ...


def hour_of(seconds: float) -> int:
    """The hour of a unix time: what relays store instead of times (SPEC.md, "Times")."""
    return int(seconds // 3600)
