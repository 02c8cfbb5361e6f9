"""Follows Tor: tells the page of each change, and sets everybody to work when the network is back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from appliance.service.changes import Changes
from appliance.service.lock import Lock
from appliance.service.places import Places
from appliance.service.ports import TorPort

_CONNECTED = ("publishing", "reachable")


class WatchedTor(TorPort, Protocol):
    """Tor with what is needed to follow it."""

    @property
    def revision(self) -> int:
        """Counts the changes of `status`."""
        ...

    async def wait_changed(self, revision: int) -> int:
        """Return the revision as soon as it is another."""
        ...


class TorWatch:
    """One task. Nothing is durable."""

    def __init__(
        self,
        tor: WatchedTor,
        changes: Changes,
        lock: Lock,
        places: Places,
    ) -> None:
        self._tor = tor
        self._changes = changes
        self._lock = lock
        self._places = places
        self.on_connected: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        """Tor is back."""

    async def run(self) -> None:
        """Follow Tor for ever."""
        connected = False
        while True:
            revision = self._tor.revision
            now = self._tor.status.phase in _CONNECTED
            if now and not connected and not self._lock.locked:
                self._places.provision()
                await self.on_connected()
            connected = now
            self._changes.touch()
            await self._tor.wait_changed(revision)
            await trio.lowlevel.checkpoint()
