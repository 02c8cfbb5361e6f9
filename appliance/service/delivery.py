"""Delivery: brings sealed parts to the contact's own box, or to relays that wait for it.

One task an item, few at a time. A round tries the contact's box first; what it does not take is kept at
`relays_wanted` of their relays. Rounds are repeated with growing, jittered pauses until the horizon.
Every step can be taken again after a crash: a relay answers "already held", the store passes over what
is placed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, Literal

import trio

from appliance.client.relay import Relay
from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.card import Route, read_card
from appliance.protocol.item import ItemId
from appliance.protocol.messages import Deposit, DepositGroup, Outcome
from appliance.service.changes import Changes
from appliance.service.ports import Clock, hour_of
from appliance.service.remotes import Remotes
from appliance.store import contacts, deliveries, outbox
from appliance.store.deliveries import Pending, RouteKey
from appliance.store.engine import Store
from appliance.store.outbox import OutboxItem, Progress
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

AT_ONCE: Final = 8
"""Items on their way side by side."""
BATCH: Final = 16
"""Parts in one request: up to 256 KiB, half a second over a good circuit."""
FIRST_SECONDS: Final = 45.0
"""How long a relay may take over the first, single part."""
BATCH_SECONDS: Final = 180.0
OFF_SECONDS: Final = 60.0
"""Pause while Tor is not connected."""
FULL_SECONDS: Final = 120
"""Longest pause while there is no room."""
REVIVE_STEP: Final = 500
_PLACED: Final = ("held", "already held")
_NO_ROOM: Final = {"mailbox_full", "grant_full", "relay_full", "disk_full", "busy", "too_many"}


class Delivery:
    """Runs the rounds. Durable state is in the store; this holds only what is under way."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        remotes: Remotes,
        changes: Changes,
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._remotes = remotes
        self._changes = changes
        self._wake = trio.Event()
        self._active: set[bytes] = set()
        self._most_hours: dict[str, int] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def look(self) -> None:
        """Something may be due now."""
        self._wake.set()

    async def hasten_all(self) -> None:
        """Tor is back: try everything now."""
        await self._hasten(None)

    async def hasten_contact(self, contact: bytes) -> None:
        """A contact was heard of: their box may be on."""
        await self._hasten(contact)

    async def run(self) -> None:
        """Deliver for ever what is due."""
        async with trio.open_nursery() as nursery:
            while True:
                self._wake = trio.Event()
                now = int(self._clock())
                for item in self._due(now):
                    if item not in self._active and len(self._active) < AT_ONCE:
                        self._active.add(item)
                        nursery.start_soon(self._keep, item, name="deliver one item")
                with trio.move_on_after(self._pause(now)):
                    await self._wake.wait()

    def _pause(self, now: int) -> float:
        if len(self._active) >= AT_ONCE:
            return 3600.0
        if any(item not in self._active for item in self._due(now)):
            return 0.0
        following = self._store.read(deliveries.next_due)
        if following is None:
            return 3600.0
        # An item under way stays due until its round ends, which wakes us.
        return min(3600.0, max(1.0, following - self._clock()))

    def _due(self, now: int) -> list[ItemId]:
        return self._store.read(lambda txn: deliveries.due(txn, now, 4 * AT_ONCE))

    async def _keep(self, item: bytes) -> None:
        try:
            await self._round(item)
        except Refusal as refusal:
            if refusal.code != "no_item":  # cancelled meanwhile
                await self._postpone(item, self._clock() + 60, refusal.code)
        finally:
            self._active.discard(item)
            self._changes.touch()
            self._wake.set()

    async def _round(self, item: bytes) -> None:
        sealer = self._ring.require()
        found, progress, contact = self._store.read(
            lambda txn: (
                found := outbox.find(txn, sealer, item),
                outbox.progress_of(txn, item),
                contacts.find(txn, sealer, found.contact),
            )
        )
        if progress.state != "sending":
            return
        if contact is None:
            await self._end(item, "given_up", "no_contact")
            return
        if self._clock() >= progress.horizon:
            taken = progress.direct == progress.parts
            await self._end(item, "delivered" if taken else "given_up", "horizon")
            return
        routes = read_card(contact.card).routes
        own = [route for route in routes if route.onion == contact.identity]
        relays = [route for route in routes if route.onion != contact.identity]
        wanted = min(self._config.relays_wanted, len({route.onion for route in relays}))
        await self._revive(item, progress, wanted)
        problem = await self._direct(item, own)
        if problem and problem != "tor_off":
            problem = await self._at_relays(item, relays, wanted) or ""
        await self._settle(found, problem)

    async def _direct(self, item: bytes, own: Sequence[Route]) -> str:
        """Offer everything pending to the contact's own box; the problem, or nothing."""
        problem = "no_relay"
        for route in own:
            problem = await self._offer(item, route, direct=True, wanted=1)
            if not problem:
                return ""
        return problem

    async def _at_relays(self, item: bytes, relays: Sequence[Route], wanted: int) -> str:
        """Place what is pending at relays, one after the other, until each part lies at enough of them."""
        if not relays:
            return "no_relay"
        # A start that differs from item to item spreads the load over the contact's relays.
        first = item[0] % len(relays)
        problem = ""
        for route in [*relays[first:], *relays[:first]]:
            met = await self._offer(item, route, direct=False, wanted=wanted)
            problem = problem or met
            if not self._progress(item).pending:
                return ""
        return problem or "unreachable"

    async def _offer(self, item: bytes, route: Route, *, direct: bool, wanted: int) -> str:
        """Deposit all pending parts that this route does not hold; the problem, or nothing."""
        key = deliveries.route_key(route.onion, route.mailbox)
        address = onion.address(route.onion)
        purpose = f"deposit {route.mailbox.hex()}"
        after, size = -1, 1
        # The first part goes alone: who does not answer it in time is off.
        seconds = float(self._config.outbox_direct_seconds) if direct else FIRST_SECONDS
        while True:
            rows = await self._store.read_cold(
                lambda txn, at=after, most=size: deliveries.pending(txn, item, most, at)  # type: ignore[misc]
            )
            if not rows:
                return ""
            after = rows[-1].part
            hour = hour_of(self._clock())  # what the route held once it may have let go
            missing = [row for row in rows if row.held.get(key, 0) <= hour]
            if missing:
                try:
                    outcomes = await self._deposit(address, purpose, route, missing, seconds)
                except Refusal as refusal:
                    return _problem(refusal.code)
                await self._note(item, key, missing, outcomes, direct, wanted)
                refused = [outcome.state for outcome in outcomes if outcome.state not in _PLACED]
                if refused:
                    return _problem(refused[0])
            size, seconds = BATCH, BATCH_SECONDS

    async def _deposit(
        self, address: str, purpose: str, route: Route, rows: Sequence[Pending], seconds: float
    ) -> list[Outcome]:
        envelopes = [row.envelope for row in rows]
        wanted = self._config.ttl_default_hours
        async with self._remotes.at(address, purpose, seconds) as relay:
            try:
                hours = min(wanted, self._most_hours.get(address, wanted))
                return await _deposit(relay, route, hours, envelopes)
            except Refusal as refusal:
                if refusal.code != "ttl":
                    raise
            # It keeps nothing for so long: ask for how long, and take that.
            most = self._most_hours[address] = (await relay.info()).ttl_max_hours
            return await _deposit(relay, route, min(wanted, most), envelopes)

    async def _note(
        self,
        item: bytes,
        key: RouteKey,
        rows: Sequence[Pending],
        outcomes: Sequence[Outcome],
        direct: bool,
        wanted: int,
    ) -> None:
        """Keep what was placed; durable before the next batch goes."""
        placed = [
            (row.part, outcome.expires_hour)
            for row, outcome in zip(rows, outcomes, strict=True)
            if outcome.state in _PLACED
        ]
        if not placed:
            return
        parts = [part for part, _ in placed]
        # A relay cannot make us wait longer than we asked for.
        now = hour_of(self._clock())
        expires = min(min(hour for _, hour in placed), now + self._config.ttl_default_hours + 1)

        def job(txn: Transaction) -> None:
            if direct:
                deliveries.place_direct(txn, item, parts)
            else:
                deliveries.place_at(txn, item, parts, key, expires, wanted, now)

        # Small, and the way to free the item's space: goes on when the disk is full.
        await self._store.write(job, freeing=True)
        self._changes.touch()

    async def _settle(self, item: OutboxItem, problem: str) -> None:
        """After a round: end, or name the time of the next one."""
        progress = self._progress(item.id)
        now = self._clock()
        if progress.state != "sending":
            return
        if not progress.pending:
            if item.kind == "receipt":
                await self._end(item.id, "delivered", "")
                return
            until = progress.horizon
            if progress.direct < progress.parts:
                until = min(until, progress.expires_hour * 3600)
            await self._postpone(item.id, max(until, now + 60), "", tried=False)
        elif problem == "tor_off":
            # Tor's return hastens everything; until then each look is only wear of the disk.
            await self._postpone(item.id, now + OFF_SECONDS, problem, tried=False)
        else:
            pause = self._config.outbox_first_seconds * 2.0 ** min(progress.tries, 20)
            # Who is full empties soon after they come back; a file in many parts must not wait for long then.
            longest = FULL_SECONDS if problem == "full" else self._config.outbox_longest_seconds
            pause = min(pause, longest, self._config.outbox_longest_seconds)
            pause *= random.uniform(0.5, 1.5)  # noqa: S311
            await self._postpone(item.id, now + max(pause, 1), problem)

    async def _revive(self, item: bytes, progress: Progress, wanted: int) -> None:
        """Where relays have let parts go, those parts are pending again."""
        hour = hour_of(self._clock())
        if not progress.expires_hour or hour < progress.expires_hour:
            return
        after: int | None = -1
        while after is not None:

            def job(txn: Transaction, at: int = after) -> int | None:
                return deliveries.revive(txn, item, wanted, hour, REVIVE_STEP, at)

            after = await self._store.write(job, freeing=True)

    async def _hasten(self, contact: bytes | None) -> None:
        sealer = self._ring.require()
        now = int(self._clock())

        def job(txn: Transaction) -> None:
            for item in outbox.list_states(txn, "sending"):
                waits = outbox.progress_of(txn, item).pending > 0
                if waits and contact in (None, outbox.find(txn, sealer, item).contact):
                    deliveries.hasten(txn, item, now)

        await self._store.write(job, freeing=True)
        self._wake.set()

    def _progress(self, item: bytes) -> Progress:
        return self._store.read(lambda txn: outbox.progress_of(txn, item))

    async def _postpone(self, item: bytes, when: float, reason: str, *, tried: bool = True) -> None:
        try:
            await self._store.write(
                lambda txn: deliveries.postpone(txn, item, int(when), reason, tried=tried), freeing=True
            )
        except Refusal as refusal:
            if refusal.code != "no_item":
                raise

    async def _end(self, item: bytes, state: Literal["delivered", "given_up"], reason: str) -> None:
        now = int(self._clock())
        await self._store.write(lambda txn: outbox.end(txn, item, state, now, reason), freeing=True)


async def _deposit(relay: Relay, route: Route, hours: int, envelopes: list[bytes]) -> list[Outcome]:
    group = DepositGroup(route.mailbox, route.capability, hours, envelopes)
    answer = await relay.deposit(Deposit([group]))
    if len(answer.groups) != 1 or len(answer.groups[0]) != len(envelopes):
        raise Refusal("bad_answer")
    return answer.groups[0]


def _problem(code: str) -> str:
    """The word of `outbox_words` for a refusal's code."""
    if code in _NO_ROOM:
        return "full"
    if code in ("unreachable", "bad_answer"):
        return "unreachable"
    return "tor_off" if code == "tor_off" else "refused"
