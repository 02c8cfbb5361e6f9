"""The relays this box uses: which, under which grants, and how it goes with each.

A grant is asked for until the relay gives one, and renewed before it ends. Where it is full the relay is
asked for another, up to `places.MOST_HELD`; one that admits by invitation only has to be asked by a person.
The mailboxes there are the affair of `device_mailboxes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import trio

from appliance.client.relay import Relay as RelayClient
from appliance.errors import REFUSALS, Refusal
from appliance.protocol import onion
from appliance.protocol.desk import UsedRelay, UsedRelays, UseRelay
from appliance.protocol.mailbox import prove_peer
from appliance.protocol.messages import GrantRequest, WorkChallenge, WorkSolution
from appliance.protocol.work import is_solved
from appliance.service.changes import Changes
from appliance.service.invitation import read_invitation
from appliance.service.ports import Clock, hour_of
from appliance.service.remotes import Remotes
from appliance.store import device_mailboxes, places
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 900.0
RENEW_HOURS: Final = 24 * 7
"""A grant is renewed when it has less left than this."""


class Places:
    """Keeps the grants good. Durable and sealed; `run` needs the box unlocked."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
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
        self.on_relays: Callable[[], None] = _nothing
        """The list of relays, or a grant at one, has changed."""
        self._guessing = trio.CapacityLimiter(1)

    async def page(self) -> UsedRelays:
        """The relays this box uses, the oldest first."""
        sealer = self._ring.require()
        relays, rows = await self._store.read_cold(
            lambda txn: (places.list_relays(txn, sealer), device_mailboxes.list_places(txn, sealer))
        )
        counts = Counter((row.onion, row.state) for row in rows)
        return UsedRelays(
            [
                _row(
                    relay, counts[relay.onion, "ready"], counts[relay.onion, "wanted"] if relay.lacking else 0
                )
                for relay in relays
            ]
        )

    async def use(self, new: UseRelay) -> UsedRelay:
        """Start to use a relay; joining goes on in the background."""
        sealer = self._ring.require()
        public, secret = read_invitation(new.code)
        if public == self._ring.identity.public:
            raise Refusal("own_card")
        relay = places.Relay(onion=public, added=int(self._clock()), grant=secret)

        def job(txn: Transaction) -> places.Relay:
            old = places.find_relay(txn, sealer, public)
            kept = relay
            if old is not None:
                # A new invitation adds its room to what there is; the newest are kept.
                held = old.held + [places.Held(secret)] * (secret not in [b"", *_secrets(old)])
                kept = msgspec.structs.replace(relay, added=old.added).holding(held[-places.MOST_HELD :])
            places.save_relay(txn, sealer, kept)
            return kept

        kept = await self._store.write(job)
        self.provision()
        self.on_relays()
        self._changes.touch()
        return _row(kept)

    async def leave(self, address: str) -> None:
        """Use a relay no longer. What still waits there is collected before its mailboxes are deleted."""
        sealer = self._ring.require()
        public = onion.public_key(address)

        def job(txn: Transaction) -> None:
            if not places.remove_relay(txn, sealer, public):
                raise Refusal("no_item")

        await self._store.write(job, freeing=True)
        self.provision()
        self.on_relays()
        self._changes.touch()

    def provision(self) -> None:
        """Something is wanted: look now."""
        self._wake.set()

    async def run(self) -> None:
        """Get and renew grants for ever; the box is unlocked when this starts."""
        pause = FIRST_PAUSE
        while True:
            self._wake = trio.Event()
            settled = await self._settle()
            pause = FIRST_PAUSE if settled else min(pause * 2, LONGEST_PAUSE)
            with trio.move_on_after(3600 if settled else pause):
                await self._wake.wait()
                pause = FIRST_PAUSE

    async def _settle(self) -> bool:
        """One round over all relays side by side; whether nothing is left to do."""
        sealer = self._ring.require()
        relays = self._store.read(lambda txn: places.list_relays(txn, sealer))
        results: list[bool] = []

        async with trio.open_nursery() as nursery:
            for relay in relays:
                nursery.start_soon(self._try_join, results, relay)
        return all(results)

    async def _try_join(self, results: list[bool], relay: places.Relay) -> None:
        try:
            await self._join(relay)
        except Refusal as refusal:
            away = refusal.code in ("unreachable", "tor_off", "busy", "too_many")
            reason = str(refusal.details.get("reason", "")) if away else refusal.code
            state = "unreachable" if away else "refused"
            await self._mark(relay.onion, state=state, reason=reason)
            results.append(False)
        else:
            results.append(True)

    async def _join(self, relay: places.Relay) -> None:
        """Have a good grant at one relay, and see that it answers."""
        granted = await self._granted(relay)
        if granted.state in ("joining", "unreachable"):
            async with self._remotes.at(onion.address(relay.onion), "grant") as client:
                await client.info()
            await self._mark(relay.onion, state="ready", reason="")

    async def heard(self, relay: bytes, code: str, under: bytes = b"") -> None:
        """A relay made a mailbox for somebody of this box, or refused it with this code.

        `grant`: the one with this tag is good no more. `grant_full`: up to the one with this tag none has
        room for another mailbox.
        """
        sealer = self._ring.require()
        found = self._store.read(lambda txn: places.find_relay(txn, sealer, relay))
        if found is None:
            return
        if code == "grant":
            await self._drop_grant(found, under)
        elif code == "grant_full" and found.held and under == found.held[-1].tag:
            if not found.lacking:
                await self._mark(relay, lacking=True)
            self.provision()
        elif code == "policy" and (found.state, found.reason) != ("refused", code):
            await self._mark(relay, state="refused", reason=code)
        elif not code and found.state != "ready":
            await self._mark(relay, state="ready", reason="")

    async def _drop_grant(self, found: places.Relay, under: bytes) -> None:
        """A grant ended early: go on with the others, or ask for another one, or say so."""
        gone = next((one for one in found.held if one.tag == under), None)
        if gone is None:
            return
        held = [one for one in found.held if one != gone]
        if held:
            await self._hold(found.onion, held)
        elif gone.expires_hour:
            await self._hold(found.onion, [], state="joining", reason="")
        else:
            await self._hold(found.onion, [], state="refused", reason="grant")
            return
        self.provision()

    async def settled(self, relay: bytes) -> None:
        """Nothing waits for room at this relay any more."""
        sealer = self._ring.require()
        found = self._store.read(lambda txn: places.find_relay(txn, sealer, relay))
        if found is not None and found.lacking:
            await self._mark(relay, lacking=False)

    async def _granted(self, relay: places.Relay) -> places.Relay:
        """The relay with grants that are good for a while, and another one where they are full."""
        until = hour_of(self._clock()) + RENEW_HOURS
        held = relay.held
        if not held and (relay.state, relay.reason) == ("refused", "grant"):
            raise Refusal("grant")  # the invitation was taken back: only its giver has another
        for at, one in enumerate(held):
            if one.expires_hour and one.expires_hour <= until:
                held[at] = await self._obtain(relay)
                await self._hold(relay.onion, held, state="ready", reason="")
        if not held:
            held = [await self._obtain(relay)]
            await self._hold(relay.onion, held, state="ready", reason="")
        elif relay.lacking and len(held) < places.MOST_HELD:
            try:
                held.append(await self._obtain(relay))
            except Refusal as refusal:
                if refusal.code not in ("policy", "relay_full"):
                    raise
            else:
                await self._hold(relay.onion, held, lacking=False)
        return relay.holding(held)

    async def _obtain(self, relay: places.Relay) -> places.Held:
        async with self._remotes.at(onion.address(relay.onion), "grant", seconds=600) as client:
            grant = await client.grant(await self._admission_request(client))
        return places.Held(grant.secret, grant.expires_hour)

    async def _admission_request(self, client: RelayClient) -> GrantRequest:
        info = await client.info()
        if info.policy == "open" and info.work is not None:
            solution = await trio.to_thread.run_sync(
                _solve, info.work, limiter=self._guessing, abandon_on_cancel=True
            )
            return GrantRequest(work=WorkSolution(info.work.challenge, solution))
        if info.policy == "peers":
            return GrantRequest(peer=prove_peer(self._ring.identity, client.host, await client.nonce()))
        raise Refusal("policy", policy=info.policy)

    async def _mark(self, relay: bytes, **changed: object) -> None:
        """Change what we know of a relay, unless it was left meanwhile."""
        sealer = self._ring.require()

        def job(txn: Transaction) -> None:
            found = places.find_relay(txn, sealer, relay)
            if found is not None:
                places.save_relay(txn, sealer, msgspec.structs.replace(found, **changed))

        await self._store.write(job)
        self._changes.touch()

    async def _hold(self, relay: bytes, held: Sequence[places.Held], **changed: object) -> None:
        """These are the grants there from now on."""
        first = places.Relay(relay, 0).holding(held)
        await self._mark(
            relay, grant=first.grant, expires_hour=first.expires_hour, more=first.more, **changed
        )
        self.on_relays()

    async def mark_collected(self, relay: bytes) -> None:
        """A collection at this relay is complete."""
        await self._mark(relay, last_collected=int(self._clock()))


def _nothing() -> None:
    return None


def _solve(challenge: WorkChallenge) -> bytes:
    """Guess until the puzzle is solved; seconds to minutes in a thread."""
    number = 0
    while True:
        solution = number.to_bytes(8, "big")
        if is_solved(challenge, solution):
            return solution
        number += 1


def _secrets(relay: places.Relay) -> list[bytes]:
    return [one.secret for one in relay.held]


def _row(relay: places.Relay, count: int = 0, waiting: int = 0) -> UsedRelay:
    return UsedRelay(
        address=onion.address(relay.onion),
        state=relay.state,
        words=_words(relay, waiting),
        mailboxes=count,
        waiting=waiting,
        last_collected=relay.last_collected,
    )


def _words(relay: places.Relay, waiting: int) -> str:
    if relay.state == "joining":
        return "Asking for a place there."
    if relay.state == "ready" and waiting:
        wait = "1 mailbox waits" if waiting == 1 else f"{waiting} mailboxes wait"
        return f"{wait} for room there: ask its owner for a larger invitation."
    if relay.state == "ready":
        return "Keeps envelopes for you while this box is off."
    if relay.state == "unreachable":
        return "It cannot be reached now; it is tried again."
    row = REFUSALS.get(relay.reason)
    return "It does not serve this box" + (f": {row.message}" if row else ".")
