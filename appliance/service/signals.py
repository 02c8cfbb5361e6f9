"""Signals: passing signs between devices, delivered now or never and stored nowhere.

To another box they go over the circuit on which dispatches to the same mailbox go. Owner: the event loop.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from hmac import compare_digest
from typing import Any, Final

import trio

from appliance.errors import Refusal
from appliance.protocol import codec, envelope, onion
from appliance.protocol.mailbox import capability_hash
from appliance.protocol.post import RelaySignal, Signal
from appliance.service.caller import Caller
from appliance.service.device_mailboxes import purpose
from appliance.service.events import EventBook
from appliance.service.ports import Clock
from appliance.service.remotes import Remotes
from appliance.store import device_mailboxes, mailboxes
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing

A_SECOND: Final = 4.0
BURST: Final = 16.0
REMEMBERED: Final = 4096
WAITING: Final = 64
AT_ONCE: Final = 16
SECONDS: Final = 20.0
"""After so long a sign says nothing any more."""


class Signals:
    """Passes signs on; bounded by mailbox, by circuit and by sender."""

    def __init__(
        self, store: Store, ring: KeyRing, clock: Clock, remotes: Remotes, events: EventBook
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._remotes = remotes
        self._events = events
        self._allowances: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._outgoing, self._queue = trio.open_memory_channel[tuple[str, RelaySignal]](WAITING)

    def send(self, caller: Caller, message: Signal) -> None:
        """Pass one on to each route; what cannot go now goes nowhere. Refusals: no_device, too_many."""
        caller.require_device()
        envelope.check(message.envelope)
        self._spend(("from", caller.session))
        here = self._ring.identity.public
        for route in message.routes:
            sign = RelaySignal(route.mailbox, route.capability, message.envelope)
            if route.onion == here:
                self._deliver(sign)
                continue
            try:
                self._outgoing.send_nowait((onion.address(route.onion), sign))
            except trio.WouldBlock:
                return

    def receive(self, message: RelaySignal, circuit: int | None) -> None:
        """One from another box. The answer is the same whether the device is here or not.

        Refusals: no_mailbox, capability, too_many.
        """
        envelope.check(message.envelope)
        if circuit is not None:
            self._spend(("circuit", circuit))
        record = self._store.read(lambda txn: mailboxes.find(txn, message.mailbox))
        if record is None:
            raise Refusal("no_mailbox")
        if not compare_digest(record.capability_hash, capability_hash(message.capability)):
            raise Refusal("capability")
        # Only now: mailboxes' names are no secret, and nobody else shall use their allowance up.
        self._spend(("mailbox", message.mailbox))
        self._deliver(message)

    async def run(self) -> None:
        """Carry signs to other boxes for ever, a few at a time."""
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(self._carry, name="carry signals")

    async def _carry(self) -> None:
        while True:
            address, sign = await self._queue.receive()
            try:
                async with self._remotes.at(address, purpose(sign.mailbox), SECONDS) as client:
                    await client.http.call("POST", "/v1/signal", dict[str, Any], sign, media=codec.CBOR)
            except Refusal:
                continue  # passing: nobody waits for it

    def _deliver(self, sign: RelaySignal) -> None:
        record = self._store.read(lambda txn: mailboxes.find(txn, sign.mailbox))
        if record is None or not record.owner:
            return
        if compare_digest(record.capability_hash, capability_hash(sign.capability)):
            owner = device_mailboxes.split(record.owner)
            self._events.tell(
                owner.account + owner.device, "signal", handle=owner.handle, envelope=sign.envelope
            )

    def _spend(self, key: Hashable) -> None:
        """Count one against an allowance that refills; Refusal too_many."""
        now = self._clock()
        left, stamp = self._allowances.pop(key, (BURST, now))
        left = min(BURST, left + max(0.0, now - stamp) * A_SECOND)
        self._allowances[key] = (max(0.0, left - 1), now)
        if len(self._allowances) > REMEMBERED:
            self._allowances.popitem(last=False)
        if left < 1:
            raise Refusal("too_many", retry_after=1)
