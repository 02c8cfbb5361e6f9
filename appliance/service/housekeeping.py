"""Housekeeping: what ended is forgotten in small steps, so that the store does not grow with the years."""

from __future__ import annotations

from typing import Final

import trio

from appliance.config import Config
from appliance.service.ports import Clock, hour_of
from appliance.store import inbox, outbox
from appliance.store.engine import Store

KEPT_SECONDS: Final = 30 * 24 * 3600
"""Delivered and given-up items stay in the list for so long."""


class Housekeeping:
    """Sweeps outbox and inbox. Needs no key: works while the box is locked."""

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def run(self) -> None:
        """Sweep for ever: batch after batch while there is work, then pause."""
        while True:
            if not await self.sweep():
                await trio.sleep(self._config.sweep_seconds)

    async def sweep(self) -> int:
        """One bounded step; how many rows went."""
        now, batch = self._clock(), self._config.sweep_batch
        before = int(now) - KEPT_SECONDS
        gone = await self._store.write(lambda txn: outbox.sweep(txn, before, batch), freeing=True)
        return gone + await self._store.write(lambda txn: inbox.sweep(txn, hour_of(now), batch), freeing=True)
