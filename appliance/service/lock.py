"""The lock: whether the box starts locked, by whose passphrase it opens, and what waits for that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from appliance.errors import Refusal
from appliance.service.changes import Changes
from appliance.store.storekey import KeyRing


class Lock:
    """Opens the store key by an authentication key. Owner: the event loop."""

    def __init__(self, ring: KeyRing, changes: Changes) -> None:
        self._ring = ring
        self._changes = changes
        self.unlocked = trio.Event()
        if not ring.locked:
            self.unlocked.set()

    @property
    def locked(self) -> bool:
        """Whether the store key waits for its owner."""
        return self._ring.locked

    @property
    def protected(self) -> bool:
        """Whether the box starts locked."""
        return self._ring.protected

    def check(self) -> None:
        """Refusal locked while the store key waits."""
        if self._ring.locked:
            raise Refusal("locked")

    async def open(self, authentication: bytes) -> None:
        """Unlock the box; Refusal wrong_passphrase. An open box stays open."""
        await self._ring.unlock(authentication)
        if not self.unlocked.is_set():
            self.unlocked.set()
            self._changes.touch()

    def when_unlocked(self, run: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """A task that begins when the store key is open."""

        async def task() -> None:
            await self.unlocked.wait()
            await run()

        return task
