"""The carrier: brings what members dispatch to other boxes, or to relays that wait for them.

Legs with the same routes from one device travel together, one lane each; a lane has a connection of its
own. A round tries the recipient's box first; what it does not take is kept at `relays_wanted` relays. Rounds
are repeated with growing, jittered pauses until the horizon. Every step can be taken again after a crash:
a relay answers "already held", the store passes over what is placed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import trio

from appliance.client.relay import Relay as RelayClient
from appliance.config import Config
from appliance.errors import REFUSALS, Refusal
from appliance.protocol import onion
from appliance.protocol.mailbox import MailboxId
from appliance.protocol.messages import Deposit, DepositGroup, Outcome
from appliance.protocol.post import DispatchState
from appliance.protocol.route import Route
from appliance.service.device_mailboxes import purpose
from appliance.service.dispatch import FOR_GOOD, PLACED, deposit_here, share_of
from appliance.service.lane import Lane, Round, gather, lane_of, pause_after
from appliance.service.ports import Clock, hour_of
from appliance.service.relay import Relay
from appliance.service.remotes import Remotes
from appliance.store import dispatches, legs
from appliance.store.dispatches import Head
from appliance.store.engine import Store
from appliance.store.legs import DispatchKey, LegKey, Pending
from appliance.store.mailboxes import LONGEST_HOURS
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

AT_ONCE: Final = 64
"""Lanes side by side."""
RETRIES_AT_ONCE: Final = 48
"""How many of them may have failed before: boxes that are off must not hold up those that are on."""
LEGS_AT_ONCE: Final = 256
"""Legs that are looked at together."""
LANES_REMEMBERED: Final = 16_384
MOST_FRESH: Final = 1024
"""Legs that were handed over and are not under way yet; more are found when they are due."""
BATCH: Final = 32
"""Envelopes in one request."""
RELAY_SECONDS: Final = 45.0
"""How long a relay may take over the first batch."""
BATCH_SECONDS: Final = 180.0
REST_SECONDS: Final = 10.0
"""Pause of a lane whose progress could not be written down."""


class Carrier:
    """Runs the rounds. Durable state is in the store; this holds only what is under way."""

    def __init__(
        self, store: Store, ring: KeyRing, config: Config, clock: Clock, remotes: Remotes, relay: Relay
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._remotes = remotes
        self._relay = relay
        self._wake = trio.Event()
        self._active: set[Lane] = set()
        self._under_way: set[LegKey] = set()
        self._fresh: set[LegKey] = set()
        self._lanes: dict[LegKey, Lane] = {}
        """What was unsealed before, so that a long queue for one device is not unsealed at every wake."""
        self._most_hours: dict[str, int] = {}
        self.on_change: Callable[[bytes, DispatchState], None] = _nothing
        """A dispatch of a device (account ‖ device) has changed."""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def look(self, fresh: Sequence[LegKey]) -> None:
        """These were just handed over: they do not queue behind what waits for boxes that are off."""
        self._fresh.update(fresh[: MOST_FRESH - len(self._fresh)])
        self._wake.set()

    async def hasten(self) -> None:
        """Tor is back: try everything now."""
        now = int(self._clock())
        await self._store.write(lambda txn: legs.hasten(txn, legs.list_all(txn), now), freeing=True)
        self._wake.set()

    async def run(self) -> None:
        """Deliver for ever what is due."""
        async with trio.open_nursery() as nursery:
            while True:
                self._wake = trio.Event()
                now = int(self._clock())
                for lane, round in self._due(now).items():
                    most = RETRIES_AT_ONCE if round.tries else AT_ONCE
                    if lane not in self._active and len(self._active) < most:
                        self._active.add(lane)
                        self._under_way.update(round.legs)
                        self._fresh.difference_update(round.legs)
                        nursery.start_soon(self._keep, lane, round, list(round.legs), name="carry one lane")
                with trio.move_on_after(self._pause(now)):
                    await self._wake.wait()

    def _due(self, now: int) -> dict[Lane, Round]:
        """What is due, by lane; a lane's legs in the order in which they were handed over."""
        sealer = self._ring.require()

        def job(txn: Transaction) -> dict[Lane, Round]:
            self._fresh = {leg for leg in self._fresh if legs.is_there(txn, leg)}
            keys = [leg for leg in self._fresh if not self._is_taken(leg)]
            keys += legs.due(txn, now, LEGS_AT_ONCE, lambda leg: leg in self._fresh or self._is_taken(leg))
            lanes: dict[Lane, Round] = {}
            due = [(legs.target(txn, sealer, leg), leg) for leg in keys]
            for target, leg in sorted(due, key=lambda row: row[0].order):
                progress = legs.progress_of(txn, leg)
                lane = self._lanes[leg] = lane_of(leg, target.routes)
                round = lanes.setdefault(lane, Round([], target.routes, 0, progress.tries))
                round.legs.append(leg)
                round.horizon = max(round.horizon, progress.horizon)
                round.tries = min(round.tries, progress.tries)
            # New ones first: who was just written to is waited for.
            return dict(sorted(lanes.items(), key=lambda row: row[1].tries))

        if len(self._lanes) > LANES_REMEMBERED:
            self._lanes.clear()
        return self._store.read(job)

    def _is_taken(self, leg: LegKey) -> bool:
        """Whether a leg has to wait for the present round of its lane."""
        return leg in self._under_way or self._lanes.get(leg) in self._active

    def _pause(self, now: int) -> float:
        if len(self._active) >= AT_ONCE:
            return 3600.0
        # Legs under way stay due until their round ends, which wakes us.
        following = self._store.read(lambda txn: legs.next_due(txn, now))
        return 3600.0 if following is None else min(3600.0, max(0.2, following - self._clock()))

    async def _keep(self, lane: Lane, round: Round, taken: list[LegKey]) -> None:
        try:
            await self.go(round)
        except Refusal:
            # The disk is full, or the box stops or is being locked: the legs stay due.
            await trio.sleep(REST_SECONDS)
        finally:
            self._active.discard(lane)
            self._under_way.difference_update(taken)
            self._wake.set()

    async def go(self, round: Round) -> None:
        """One round of one lane."""
        now = int(self._clock())
        round.legs = await self._begin(round, now)
        if not round.legs:
            return
        own, *others = round.routes
        relays = [route for route in others if route.onion != own.onion]
        wanted = min(self._config.relays_wanted, len({route.onion for route in relays}))
        problem = await self._offer(round, own, direct=True, wanted=1)
        if problem and problem != "tor_off" and own.onion != self._ring.identity.public:
            # A start that differs from device to device spreads the load over the relays.
            first = own.mailbox[0] % len(relays) if relays else 0
            for route in [*relays[first:], *relays[:first]]:
                await self._offer(round, route, direct=False, wanted=wanted)
                if not self._waits(round):
                    problem = ""
                    break
        await self._settle(round, problem)

    async def _begin(self, round: Round, now: int) -> list[LegKey]:
        """The legs that are still to be gone; what relays have let go is pending again."""
        hour = hour_of(now)
        wanted = min(self._config.relays_wanted, len({route.onion for route in round.routes[1:]}))

        def job(txn: Transaction) -> list[LegKey]:
            left = []
            for leg in round.legs:
                try:
                    progress = legs.progress_of(txn, leg)
                except Refusal:
                    continue
                if progress.expires_hour and hour >= progress.expires_hour and now < progress.horizon:
                    legs.revive(txn, leg, max(wanted, 1), hour)
                left.append(leg)
            return left

        def is_fresh(txn: Transaction) -> bool:
            return all(
                legs.is_there(txn, leg) and not legs.progress_of(txn, leg).expires_hour for leg in round.legs
            )

        # Nothing at relays yet, as nearly always: nothing to write.
        return round.legs if self._store.read(is_fresh) else await self._store.write(job, freeing=True)

    async def _offer(self, round: Round, route: Route, *, direct: bool, wanted: int) -> str:
        """Deposit what is pending and not yet on this route; the problem, or nothing."""
        key = legs.route_key(route)
        seconds = float(self._config.outbox_direct_seconds) if direct else RELAY_SECONDS
        most = 4  # who does not answer the first few in time is off
        done: dict[LegKey, int] = {}
        while True:
            batch = await self._store.read_cold(
                lambda txn, most=most: gather(txn, round.legs, done, key, hour_of(self._clock()), most)  # type: ignore[misc]
            )
            if not batch:
                return ""
            for leg, row in batch:
                done[leg] = row.number
            try:
                outcomes = await self._deposit(
                    route, [row for _, row in batch], round.horizon, seconds, direct
                )
            except Refusal as refusal:
                round.met.append(refusal.code)
                return refusal.code
            await self._note(batch, outcomes, key, direct, wanted)
            refused = [outcome.state for outcome in outcomes if outcome.state not in PLACED]
            if refused:
                round.met.append(refused[0])
                return refused[0]
            most, seconds = BATCH, BATCH_SECONDS

    async def _deposit(
        self, route: Route, rows: Sequence[Pending], horizon: int, seconds: float, direct: bool
    ) -> list[Outcome]:
        envelopes = [row.envelope for row in rows]
        # The recipient's own box keeps it until their device comes; a relay as long as it is of use.
        left = -(-(horizon - int(self._clock())) // 3600)
        wanted = LONGEST_HOURS if direct else max(1, min(left, LONGEST_HOURS))
        if route.onion == self._ring.identity.public:
            return await self._deposit_here(route, envelopes, wanted)
        address = onion.address(route.onion)
        async with self._remotes.at(address, purpose(route.mailbox), seconds) as client:
            try:
                hours = min(wanted, self._most_hours.get(address, wanted))
                return await _deposit(client, route, hours, envelopes)
            except Refusal as refusal:
                if refusal.code != "ttl":
                    raise
            # It keeps nothing for so long: ask for how long, and take that.
            most = self._most_hours[address] = (await client.info()).ttl_max_hours
            return await _deposit(client, route, min(wanted, most), envelopes)

    async def _deposit_here(self, route: Route, envelopes: list[bytes], hours: int) -> list[Outcome]:
        """A mailbox of this box: one that was full, or for which this box is a relay."""
        now = int(self._clock())
        numbers = list(range(len(envelopes)))
        share = share_of(route, route.onion, envelopes, numbers)
        missing, reason = await self._store.write(
            lambda txn: deposit_here(txn, self._relay, share, now, hours)
        )
        if len(missing) < len(envelopes):
            self._relay.arrivals.announce([MailboxId(route.mailbox)])
        held = Outcome("held", hour_of(now) + hours)
        return [Outcome(reason or "busy") if number in missing else held for number in numbers]

    async def _note(
        self,
        batch: Sequence[tuple[LegKey, Pending]],
        outcomes: Sequence[Outcome],
        key: legs.RouteKey,
        direct: bool,
        wanted: int,
    ) -> None:
        """Keep what was placed, durably, before the next batch goes."""
        placed: dict[LegKey, list[tuple[int, int]]] = {}
        for (leg, row), outcome in zip(batch, outcomes, strict=True):
            if outcome.state in PLACED:
                placed.setdefault(leg, []).append((row.number, outcome.expires_hour))
        if not placed:
            return
        sealer = self._ring.require()
        now = int(self._clock())

        def job(txn: Transaction) -> list[tuple[DispatchKey, Head]]:
            changed = []
            for leg, rows in placed.items():
                numbers = [number for number, _ in rows]
                try:
                    if direct:
                        progress = legs.place_direct(txn, leg, numbers)
                    else:
                        # A relay cannot make us wait longer than we asked for.
                        expires = min([hour_of(now) + LONGEST_HOURS + 1, *(hour for _, hour in rows)])
                        progress = legs.place_at(txn, leg, numbers, key, expires, wanted, hour_of(now))
                except Refusal:  # removed meanwhile
                    continue
                done = progress.direct == progress.total
                if head := dispatches.note(txn, sealer, leg, progress._replace(reason=""), now, done=done):
                    changed.append((DispatchKey(leg[:32]), head))
            return changed

        # Small, and the way to free space: goes on when the disk is full.
        self._tell(await self._store.write(job, freeing=True))

    async def _settle(self, round: Round, problem: str) -> None:
        """After a round: end each leg, or name the time of its next round."""
        sealer = self._ring.require()
        now = int(self._clock())
        for_good = bool(round.met) and all(code in FOR_GOOD for code in round.met)
        config = self._config

        def job(txn: Transaction) -> list[tuple[DispatchKey, Head]]:
            changed = []
            for leg in round.legs:
                try:
                    progress = legs.progress_of(txn, leg)
                except Refusal:  # done, or removed meanwhile
                    continue
                progress = progress._replace(reason=problem if progress.pending else "")
                done = False
                if progress.pending and (now >= progress.horizon or (for_good and problem)):
                    progress = progress._replace(given_up=1, reason=problem or "unreachable")
                    done = True
                elif not progress.pending:
                    until = progress.expires_hour * 3600 if progress.direct < progress.total else 0
                    # A relay keeps an envelope through its expiry hour.
                    done = not until or until + 3600 >= progress.horizon or now >= progress.horizon
                    if not done:
                        legs.schedule(txn, leg, progress, max(until, now + 60))
                else:
                    tried = problem != "tor_off"
                    pause = pause_after(progress.tries, problem, config)
                    progress = progress._replace(tries=progress.tries + tried)
                    when = min(now + pause, max(progress.horizon, now + 1))
                    legs.schedule(txn, leg, progress, when)
                if head := dispatches.note(txn, sealer, leg, progress, now, done=done):
                    changed.append((DispatchKey(leg[:32]), head))
            return changed

        self._tell(await self._store.write(job, freeing=True))

    def _waits(self, round: Round) -> bool:
        """Whether any leg has something that is not placed."""

        def job(txn: Transaction) -> bool:
            return any(next(iter(legs.pending(txn, leg, 1)), None) for leg in round.legs)

        return self._store.read(job)

    def _tell(self, changed: Sequence[tuple[DispatchKey, Head]]) -> None:
        for key, head in dict(changed).items():
            self.on_change(key[:16] + head.device, dispatches.state(key, head))


async def _deposit(relay: RelayClient, route: Route, hours: int, envelopes: list[bytes]) -> list[Outcome]:
    group = DepositGroup(route.mailbox, route.capability, hours, envelopes)
    answer = await relay.deposit(Deposit([group]))
    if len(answer.groups) != 1 or len(answer.groups[0]) != len(envelopes):
        raise Refusal("bad_answer")
    outcomes = answer.groups[0]
    if any(outcome.state not in PLACED and outcome.state not in REFUSALS for outcome in outcomes):
        raise Refusal("bad_answer")
    if outcomes[0].state == "ttl":
        raise Refusal("ttl")
    return outcomes


def _nothing(*_: object) -> None:
    return None
