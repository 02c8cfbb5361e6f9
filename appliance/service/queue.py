"""What waits for a device, what it settles, and what its account keeps."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import trio

from appliance.config import Config
from appliance.protocol import envelope
from appliance.protocol.post import (
    MAX_QUEUE,
    DropKept,
    Keep,
    Kept,
    Lacking,
    Queue,
    Queued,
    ReadKept,
    Settle,
)
from appliance.service.caller import Caller
from appliance.service.ports import Clock, hour_of
from appliance.store import dispatches, forgetting, kept, queue
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

READERS: Final = 32
"""Devices of which it is remembered how far they have read, while more waits for them."""
DAY: Final = 24 * 3600


class DeviceQueue:
    """The queue of every device. The store is the truth; here is only how far devices that read much are."""

    def __init__(self, store: Store, ring: KeyRing, config: Config, clock: Clock) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._marked = -1
        self._ahead: OrderedDict[bytes, queue.Ahead] = OrderedDict()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def read(self, caller: Caller, after: int = 0, limit: int = 64) -> Queue:
        """Envelopes with numbers above `after` in order of arrival; Refusal no_device."""
        device = caller.account + caller.require_device()
        hour = hour_of(self._clock())
        most = min(max(limit, 1), MAX_QUEUE)
        ahead = self._ahead.pop(device, None)
        page = await self._store.read_cold(
            lambda txn: queue.read(txn, device, after, most, hour, ahead=ahead)
        )
        if page.more:
            self._ahead[device] = page.ahead
            if len(self._ahead) > READERS:
                self._ahead.popitem(last=False)
        return Queue([queued(one) for one in page.envelopes], page.more)

    async def settle(self, caller: Caller, message: Settle) -> None:
        """Keep some, remove all; again is alike. Refusals: no_device, kept_full (nothing is done then)."""
        device = caller.account + caller.require_device()
        hour, most = hour_of(self._clock()), self._config.kept_octets

        def job(txn: Transaction) -> None:
            found = [queue.find(txn, device, number) for number in message.keep]
            kept.keep(txn, caller.account, [one[1] for one in found if one is not None], most)
            queue.settle(txn, device, [*message.done, *message.keep], hour)

        # Without anything to keep it gives space back: it goes on when the disk is full.
        await self._store.write(job, freeing=not message.keep)

    async def read_kept(self, caller: Caller, message: ReadKept) -> Kept:
        """Kept envelopes of the account by id, None for one that is not there."""
        ids = message.ids
        return Kept(await self._store.read_cold(lambda txn: kept.read(txn, caller.account, ids)))

    async def lacking(self, caller: Caller, message: ReadKept) -> Lacking:
        """Which of these ids the account does not keep: how far an upload came."""
        ids = message.ids
        return Lacking(await self._store.read_cold(lambda txn: kept.lacking(txn, caller.account, ids)))

    async def keep(self, caller: Caller, message: Keep) -> None:
        """Keep envelopes of one's own. Refusals: wrong_size, unknown_version, kept_full."""
        for one in message.envelopes:
            envelope.check(one)
        most = self._config.kept_octets
        await self._store.write(lambda txn: kept.keep(txn, caller.account, message.envelopes, most))

    async def drop_kept(self, caller: Caller, message: DropKept) -> None:
        """Remove kept envelopes."""
        await self._store.write(lambda txn: kept.drop(txn, caller.account, message.ids), freeing=True)

    async def run(self) -> None:
        """Note every hour, forget what is over, and remove whom to forget, for ever."""
        while True:
            now = self._clock()
            await self.mark_hour()
            while await self.sweep():
                await trio.lowlevel.checkpoint()
            to_next_hour = 3600 - now % 3600
            await trio.sleep(min(to_next_hour + 0.05, float(self._config.sweep_seconds)))

    async def mark_hour(self) -> None:
        """Note from which number on envelopes come in the present hour."""
        hour = hour_of(self._clock())
        if self._marked != hour:
            await self._store.write(lambda txn: queue.mark_hour(txn, hour), freeing=True)
            self._marked = hour

    async def sweep(self) -> int:
        """One bounded step; how many rows went."""
        now, batch = int(self._clock()), self._config.sweep_batch

        def job(txn: Transaction) -> int:
            return queue.forget_old(txn, hour_of(now), batch) + dispatches.sweep(txn, now - DAY, batch)

        def is_idle(txn: Transaction) -> bool:
            return not (queue.is_over(txn, hour_of(now)) or dispatches.is_over(txn, now - DAY))

        gone = 0 if self._store.read(is_idle) else await self._store.write(job, freeing=True)
        return gone + await self._forget()

    async def _forget(self) -> int:
        marked = self._store.read(forgetting.marked)
        if not marked or self._ring.locked:
            return 0
        gone = 0
        for whom in marked:
            gone += await self.forget_some(whom)
        return gone

    async def forget_some(self, whom: bytes) -> int:
        """One step of forgetting an account, or an account ‖ device; 0 when nothing is left."""
        sealer, here = self._ring.require(), self._ring.identity.public
        batch = self._config.sweep_batch
        return await self._store.write(
            lambda txn: forgetting.step(txn, sealer, whom, here, batch), freeing=True
        )

    async def forget(self, whom: bytes) -> None:
        """Forget an account, or an account ‖ device, to the end. Refusal locked: it goes on later."""
        await self._store.write(lambda txn: forgetting.mark(txn, whom), freeing=True)
        while await self.forget_some(whom):
            await trio.lowlevel.checkpoint()


def queued(one: queue.Waiting) -> Queued:
    """An envelope as the device gets it."""
    return Queued(one.number, one.handle, one.hour, one.envelope)
