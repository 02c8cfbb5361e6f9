"""Dispatches of members: taken in, delivered on this box in the same commit, listed, forgotten.

What is for another box, or finds a full mailbox here, is left to the carrier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import envelope
from appliance.protocol.mailbox import MailboxId, capability_hash
from appliance.protocol.post import Dispatch, Dispatches, DispatchState, Leg
from appliance.protocol.route import Route
from appliance.service.caller import Caller
from appliance.service.ports import Clock, hour_of
from appliance.service.relay import Relay
from appliance.store import dispatches, legs, mailboxes
from appliance.store.dispatches import Bounds, Head, Underway
from appliance.store.engine import Store
from appliance.store.legs import LegKey, Target
from appliance.store.mailboxes import LONGEST_HOURS
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

LISTED: Final = 4096
"""Dispatches in one list."""
PLACED: Final = ("held", "already held")
FOR_GOOD: Final = ("no_mailbox", "capability")
"""Refusals of a mailbox that no waiting changes."""


class Sent(NamedTuple):
    """A dispatch that was taken in: its state, mailboxes here that got something, legs to be gone."""

    state: DispatchState
    arrived: list[MailboxId]
    due: list[LegKey]


class Share(NamedTuple):
    """What one destination gets by its first route; `hashed` is the capability's hash of a mailbox here."""

    numbers: list[int]
    mailbox: bytes
    hashed: bytes
    envelopes: list[bytes]


Intake = Callable[[Transaction], "list[Sent | Refusal]"]
"""Takes dispatches in; never raises a Refusal, and what it refuses has written nothing."""


class Dispatching:
    """Takes dispatches in. Durable state is in the store."""

    def __init__(self, store: Store, ring: KeyRing, config: Config, clock: Clock, relay: Relay) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._relay = relay
        self.on_due: Callable[[Sequence[LegKey]], None] = _nothing
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def send(self, caller: Caller, message: Dispatch) -> DispatchState:
        """Take in one dispatch, or answer alike for one that was taken in before.

        Refusals: no_device, wrong_size, unknown_version, malformed, outbox_full.
        """
        (answer,) = await self.send_all(caller, [message])
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def send_all(self, caller: Caller, messages: Sequence[Dispatch]) -> list[DispatchState | Refusal]:
        """Take in several in one commit, in this order; each gets its own answer."""
        return self.announce(await self._store.write(self.intake(caller, messages)))

    def intake(self, caller: Caller, messages: Sequence[Dispatch]) -> Intake:
        """What takes several in within a transaction; `announce` what it gave once that is durable.

        Refusals: no_device, locked.
        """
        sealer = self._ring.require()
        device = caller.require_device()
        here, now = self._ring.identity.public, int(self._clock())
        plans = [_plan(message, here) for message in messages]

        def job(txn: Transaction) -> list[Sent | Refusal]:
            return [
                plan
                if isinstance(plan, Refusal)
                else self._accept(txn, sealer, caller.account, device, message, plan, now)
                for message, plan in zip(messages, plans, strict=True)
            ]

        return job

    def announce(self, answers: Sequence[Sent | Refusal]) -> list[DispatchState | Refusal]:
        """Tell who waits for what was taken in, and give the answers."""
        told: list[DispatchState | Refusal] = []
        arrived: list[MailboxId] = []
        due: list[LegKey] = []
        for answer in answers:
            if isinstance(answer, Refusal):
                told.append(answer)
                continue
            told.append(answer.state)
            arrived += answer.arrived
            due += answer.due
        if arrived and self._relay.arrivals.watched:
            self._relay.arrivals.announce(dict.fromkeys(arrived))
        if due:
            self.on_due(due)
        return told

    async def page(self, caller: Caller) -> Dispatches:
        """What the account has under way, and what was done elsewhere or given up within the last day."""
        sealer = self._ring.require()
        return Dispatches(
            await self._store.read_cold(lambda txn: dispatches.list_all(txn, sealer, caller.account, LISTED))
        )

    async def remove(self, caller: Caller, id: bytes) -> None:
        """Forget a dispatch; what is placed already stays where it is."""
        sealer = self._ring.require()
        key = dispatches.key_of(caller.account, id)
        await self._store.write(lambda txn: dispatches.remove(txn, sealer, key), freeing=True)

    def _accept(
        self,
        txn: Transaction,
        sealer: Sealer,
        account: bytes,
        device: bytes,
        message: Dispatch,
        plan: list[Share],
        now: int,
    ) -> Sent | Refusal:
        """In a transaction; a refusal is given, not raised, and nothing was written before it."""
        key = dispatches.key_of(account, message.id)
        away = {number for share in plan if not share.hashed for number in share.numbers}
        if away:
            known = dispatches.find(txn, sealer, key)
            if known is not None:
                return Sent(dispatches.state(key, known), [], [])
            if not self._has_room(txn, account, message, away):
                return Refusal("outbox_full")
        rows: list[Leg] = []
        underway: dict[int, Underway] = {}
        arrived: list[MailboxId] = []
        done = 0
        for number, (to, share) in enumerate(zip(message.to, plan, strict=True)):
            missing, reason = share.numbers, None
            if share.hashed:
                missing, reason = deposit_here(txn, self._relay, share, now)
                if len(missing) < len(share.numbers):
                    arrived.append(MailboxId(share.mailbox))
            if not missing:
                rows.append(Leg(to.handle, "box"))
                done += 1
            elif reason in FOR_GOOD or (reason and not self._has_room(txn, account, message, set(missing))):
                rows.append(Leg(to.handle, "given_up", reason=reason))
            else:
                rows.append(Leg(to.handle, "waiting", reason=reason))
                underway[number] = Underway(Target(to.handle, to.routes), missing, len(share.numbers))
        if done == len(rows):
            # Not remembered: the mailboxes know the envelopes, so the same again is answered alike.
            return Sent(DispatchState(message.id, rows), arrived, [])
        known = None if away else dispatches.find(txn, sealer, key)
        if known is not None:  # the legs that wait are still its own
            return Sent(dispatches.state(key, known), arrived, [])
        head = Head(now, now + message.hours * 3600, rows, device)
        head = dispatches.add(txn, sealer, key, head, message.envelopes, underway, now)
        due = [legs.key_of(key, number) for number in underway]
        return Sent(dispatches.state(key, head), arrived, due)

    def _has_room(self, txn: Transaction, account: bytes, message: Dispatch, numbers: set[int]) -> bool:
        """Whether these envelopes may wait here as well."""
        octets = sum(len(message.envelopes[number]) for number in numbers)
        bounds = Bounds(self._config.dispatch_envelopes, self._config.dispatch_octets)
        return dispatches.has_room(txn, account, len(numbers), octets, bounds)


def share_of(route: Route, here: bytes, envelopes: Sequence[bytes], numbers: list[int]) -> Share:
    """What goes by a route; `here` is the onion key of this box, which may be a relay for others, too."""
    hashed = capability_hash(route.capability) if route.onion == here else b""
    return Share(numbers, route.mailbox, hashed, [envelopes[number] for number in numbers])


def deposit_here(
    txn: Transaction, relay: Relay, share: Share, now: int, hours: int = LONGEST_HOURS
) -> tuple[list[int], str | None]:
    """In a transaction: into a mailbox of this box; which are missing, and why the first of them."""
    numbers, mailbox, hashed, envelopes = share
    hour = hour_of(now)
    outcomes = mailboxes.deposit(txn, mailbox, hashed, envelopes, hour + hours, relay.limits, hour)
    refused = [(n, one.state) for n, one in zip(numbers, outcomes, strict=True) if one.state not in PLACED]
    return [number for number, _ in refused], refused[0][1] if refused else None


def _plan(message: Dispatch, here: bytes) -> list[Share] | Refusal:
    """What goes where first, or what is wrong with a dispatch, before anything is written."""
    envelopes = message.envelopes
    try:
        for one in envelopes:
            envelope.check(one)
    except Refusal as refusal:
        return refusal
    plan = []
    for to in message.to:
        if min(to.envelopes) < 0 or max(to.envelopes) >= len(envelopes):
            return Refusal("malformed", field="envelopes")
        plan.append(share_of(to.routes[0], here, envelopes, list(dict.fromkeys(to.envelopes))))
    return plan


def _nothing(_: Sequence[LegKey]) -> None:
    return None
