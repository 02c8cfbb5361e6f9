"""The collection: takes members' envelopes out of mailboxes at relays and into their mailboxes here.

What was taken is durable here before it is acknowledged at the relay, and what the device has had already
is only acknowledged. So a crash at any moment costs a repetition, never an envelope and never a second copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from appliance.client.relay import Relay as RelayClient
from appliance.client.stream import RelayStream
from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import envelope, onion
from appliance.protocol.envelope import EnvelopeId, envelope_id
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import MailboxId
from appliance.service.device_mailboxes import DeviceMailboxes, purpose
from appliance.service.dispatch import PLACED
from appliance.service.ports import Clock, hour_of
from appliance.service.relay import Relay
from appliance.service.remotes import Remotes
from appliance.store import device_mailboxes, mailboxes
from appliance.store.device_mailboxes import Place
from appliance.store.engine import Store
from appliance.store.transaction import Transaction

BATCH: Final = 64
ROUNDS: Final = 32
"""Batches taken from one mailbox in one go: more than one holds, so a relay cannot keep us for ever."""
AT_ONCE: Final = 4
"""Mailboxes of one relay that are emptied side by side, each over its own circuit."""
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 900.0
_AWAY: Final = {"unreachable", "tor_off", "bad_answer"}


class Collection:
    """Runs only while the box is unlocked. Nothing is durable but what it brings."""

    def __init__(
        self,
        store: Store,
        config: Config,
        clock: Clock,
        remotes: Remotes,
        relay: Relay,
        places: DeviceMailboxes,
    ) -> None:
        self._store = store
        self._clock = clock
        self._remotes = remotes
        self._relay = relay
        self._places = places
        self._wake = trio.Event()
        self.on_collected: Callable[[bytes], Awaitable[None]] = _nothing
        """All mailboxes at a relay (its onion key) were emptied."""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def look(self) -> None:
        """Collect at every relay now: Tor is back, or a relay is being left."""
        self._wake.set()

    async def run(self) -> None:
        """Collect for ever, now and then."""
        pause = FIRST_PAUSE
        while True:
            self._wake = trio.Event()
            whole = await self.collect()
            pause = self._config.collect_seconds if whole else min(pause * 2, LONGEST_PAUSE)
            with trio.move_on_after(pause):
                await self._wake.wait()
                pause = FIRST_PAUSE

    async def collect(self) -> bool:
        """Empty every mailbox at every relay, relays side by side; whether all could be reached."""
        there: defaultdict[bytes, list[Place]] = defaultdict(list)
        for place in await self._places.far():
            if place.state in ("ready", "leaving"):
                there[place.onion].append(place)
        whole: list[bool] = []
        async with trio.open_nursery() as nursery:
            for relay, rows in there.items():
                nursery.start_soon(
                    self._collect_at, relay, rows, whole, name="collect members' mail at a relay"
                )
        return all(whole)

    async def _collect_at(self, relay: bytes, rows: Sequence[Place], whole: list[bool]) -> None:
        results: list[bool] = []
        limit = trio.CapacityLimiter(AT_ONCE)
        away = trio.Event()

        async def empty(place: Place) -> None:
            async with limit:
                if away.is_set():
                    results.append(False)
                    return
                try:
                    await self.empty(place)
                except Refusal as refusal:
                    if refusal.code in _AWAY:
                        away.set()
                    elif refusal.code == "no_mailbox":
                        await self._places.remake(place)
                    elif refusal.code == "locked":
                        raise
                    results.append(False)

        async with trio.open_nursery() as nursery:
            for place in rows:
                nursery.start_soon(empty, place, name="collect one mailbox")
        whole.append(not results)
        if not results:
            await self.on_collected(relay)

    async def empty(self, place: Place) -> None:
        """Take everything out of one mailbox at a relay that there is room for here."""
        async with self._remotes.at(onion.address(place.onion), purpose(place.mailbox)) as client:
            await self.take_all(place, client)

    async def take_all(self, place: Place, client: RelayClient | RelayStream) -> None:
        """The same over a client that is there already."""
        key = SigningKey(place.fetch_seed)
        done: list[EnvelopeId] = []
        after = 0
        for _ in range(ROUNDS):
            answer = await client.fetch(key, after=after, limit=BATCH, acknowledge=done)
            if not answer.envelopes:
                return
            after = answer.envelopes[-1].number
            done, full = await self._take(place, [one.envelope for one in answer.envelopes])
            if full or not answer.more:
                break
        if done:
            await client.acknowledge(key, done)

    async def _take(self, place: Place, envelopes: list[bytes]) -> tuple[list[EnvelopeId], bool]:
        """Make durable here; what may be acknowledged there, and whether there is no room for the rest."""
        hour = hour_of(self._clock())
        limits = self._relay.limits

        good = [one for one in envelopes if _is_envelope(one)]

        def job(txn: Transaction) -> tuple[MailboxId | None, list[str]]:
            mailbox = device_mailboxes.mailbox_of(txn, place.owner)
            record = None if mailbox is None else mailboxes.find(txn, mailbox)
            if mailbox is None or record is None:
                return None, ["held"] * len(good)  # given up: nobody wants what comes there
            outcomes = mailboxes.deposit(
                txn, mailbox, record.capability_hash, good, hour + mailboxes.LONGEST_HOURS, limits, hour
            )
            return mailbox, [outcome.state for outcome in outcomes]

        mailbox, states = await self._store.write(job)
        if mailbox is not None and "held" in states:
            self._relay.arrivals.announce([mailbox])
        taken = [one for one, state in zip(good, states, strict=True) if state in PLACED]
        # What no mailbox would take, a relay's invention, is acknowledged as well.
        junk = [one for one in envelopes if not _is_envelope(one)]
        return [envelope_id(one) for one in [*taken, *junk]], len(taken) < len(good)


def _is_envelope(data: bytes) -> bool:
    try:
        envelope.check(data)
    except Refusal:
        return False
    return True


async def _nothing(_: bytes) -> None:
    return None
