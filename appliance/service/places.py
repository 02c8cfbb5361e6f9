"""The mailboxes of this box, here and at the relays it uses: made, renewed, given up.

Each place has its own fetch key, so that two relays cannot tell that they serve one box. A place that
is wanted is asked for again and again until the relay gives it; one that is leaving is deleted there first.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, Literal

import msgspec
import trio

from appliance.client.relay import Relay as RelayClient
from appliance.config import Config
from appliance.errors import REFUSALS, Refusal
from appliance.protocol import onion
from appliance.protocol.desk import UsedRelay, UsedRelays, UseRelay
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import capability_hash, mailbox_id, prove_peer
from appliance.protocol.messages import GrantRequest, WorkChallenge, WorkSolution
from appliance.protocol.work import is_solved
from appliance.service.cards import Cards
from appliance.service.changes import Changes
from appliance.service.invitation import read_invitation
from appliance.service.ports import Clock, hour_of
from appliance.service.remotes import Remotes
from appliance.store import contacts, device_mailboxes, grants, mailboxes, places
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 900.0
RENEW_HOURS: Final = 24 * 7
"""A grant is renewed when it has less left than this."""
MOST_PLACES: Final = 1 << 20
FAR_HOUR: Final = 0xFFFF_0000


class Places:
    """Keeps the wanted mailboxes made. Durable and sealed; `run` needs the box unlocked."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        remotes: Remotes,
        cards: Cards,
        changes: Changes,
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._remotes = remotes
        self._cards = cards
        self._changes = changes
        self._wake = trio.Event()
        self.on_leaving: Callable[[], None] = _nothing
        self.on_relays: Callable[[], None] = _nothing
        """The list of relays, or a grant at one, has changed."""
        self._guessing = trio.CapacityLimiter(1)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def page(self) -> UsedRelays:
        """The relays this box uses, the oldest first."""
        sealer = self._ring.require()
        relays, rows = await self._store.read_cold(
            lambda txn: (places.list_relays(txn, sealer), device_mailboxes.list_places(txn, sealer))
        )
        ready = [row.onion for row in rows if row.state == "ready"]
        counts = {relay.onion: ready.count(relay.onion) for relay in relays}
        return UsedRelays([_row(relay, counts[relay.onion]) for relay in relays])

    async def use(self, new: UseRelay) -> UsedRelay:
        """Start to keep mailboxes at a relay; joining goes on in the background."""
        sealer = self._ring.require()
        public, secret = read_invitation(new.code)
        if public == self._ring.identity.public:
            raise Refusal("own_card")
        relay = places.Relay(onion=public, added=int(self._clock()), grant=secret)

        def job(txn: Transaction) -> places.Relay:
            old = places.find_relay(txn, sealer, public)
            kept = relay
            if old is not None:
                known = old if not secret else relay
                kept = msgspec.structs.replace(
                    relay,
                    added=old.added,
                    placed=old.placed,
                    grant=known.grant,
                    expires_hour=known.expires_hour,
                )
            places.save_relay(txn, sealer, kept)
            return kept

        kept = await self._store.write(job)
        self.provision()
        self.on_relays()
        self._changes.touch()
        return _row(kept, 0)

    async def leave(self, address: str) -> None:
        """Use a relay no longer. What still waits there is collected before its mailboxes are deleted."""
        sealer = self._ring.require()
        public = onion.public_key(address)

        def job(txn: Transaction) -> None:
            if not places.remove_relay(txn, sealer, public):
                raise Refusal("no_item")
            for place in places.list_all(txn, sealer, onion=public):
                places.save(txn, sealer, msgspec.structs.replace(place, state="leaving"))

        await self._store.write(job, freeing=True)
        self._cards.forget()
        self.provision()
        self.on_relays()
        self._changes.touch()

    def ensure_here(self, txn: Transaction, contact: bytes = b"") -> None:
        """In a transaction: the mailbox of this box itself for a contact, or for requests, exists."""
        sealer = self._ring.require()
        here = self._ring.identity.public
        if places.list_all(txn, sealer, onion=here, contact=contact):
            return
        grant = self._grant_here(txn)
        place = _fresh(here, contact)
        mailboxes.create(
            txn,
            fetch_key=SigningKey(place.fetch_seed).public,
            capability_hash=capability_hash(place.capability),
            kind="contact" if contact else "request",
            grant=grant,
            now_hour=hour_of(self._clock()),
        )
        places.save(txn, sealer, msgspec.structs.replace(place, state="ready"))

    def _grant_here(self, txn: Transaction) -> grants.GrantId:
        """In a transaction: the grant of this box's own mailboxes, as large as the inbox may be."""
        grant = grants.grant_id(self._ring.derive(b"own grant", 32))
        found, octets = grants.find(txn, grant), self._config.inbox_octets
        if found is None or found.octets_limit != octets:
            grants.create(
                txn,
                grant,
                origin="self",
                mailboxes=MOST_PLACES,
                octets=octets,
                now_hour=hour_of(self._clock()),
                expires_hour=FAR_HOUR,
            )
        return grant

    def _settle_here(self, txn: Transaction) -> None:
        self._grant_here(txn)  # the setting may have changed since the last start
        self.ensure_here(txn)

    def release(self, txn: Transaction, contact: bytes) -> None:
        """In a transaction: give up all mailboxes of a contact."""
        sealer = self._ring.require()
        here = self._ring.identity.public
        for place in places.list_all(txn, sealer, contact=contact):
            if place.onion == here:
                mailboxes.delete(txn, place.mailbox)
                places.remove(txn, sealer, place.mailbox)
            else:
                places.save(txn, sealer, msgspec.structs.replace(place, state="leaving"))

    def provision(self) -> None:
        """Something is wanted: look now."""
        self._wake.set()

    def ready(self, onion_key: bytes | None = None) -> list[places.Place]:
        """Places to collect from: made ones, also those being left; Refusal locked."""
        sealer = self._ring.require()
        found = self._store.read(lambda txn: places.list_all(txn, sealer, onion=onion_key))
        return [place for place in found if place.state != "wanted"]

    def relays(self) -> list[bytes]:
        """Onion keys of every box where we have places, except this one."""
        return sorted({place.onion for place in self.ready()} - {self._ring.identity.public})

    async def run(self) -> None:
        """Make and give up places for ever; the box is unlocked when this starts."""
        await self._store.write(self._settle_here)
        self._cards.forget()
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
        leaving = [place for place in self.ready() if place.state == "leaving"]
        results: list[bool] = []

        async with trio.open_nursery() as nursery:
            for relay in relays:
                nursery.start_soon(self._try_join, results, relay)
            for place in leaving:
                nursery.start_soon(self._give_up, results, place)
        return all(results)

    async def _try_join(self, results: list[bool], relay: places.Relay) -> None:
        try:
            await self._join(relay)
        except Refusal as refusal:
            if refusal.code == "grant" and relay.expires_hour:
                await self._mark(relay.onion, grant=b"", expires_hour=0)  # it ended early: ask for another
            away = refusal.code in ("unreachable", "tor_off", "busy", "too_many")
            reason = str(refusal.details.get("reason", "")) if away else refusal.code
            state = "unreachable" if away else "refused"
            await self._mark(relay.onion, state=state, reason=reason)
            results.append(False)
        else:
            results.append(True)

    async def _join(self, relay: places.Relay) -> None:
        """Get the grant and every wanted mailbox at one relay; under a new grant, all the others as well."""
        relay = await self._granted(relay)
        address = onion.address(relay.onion)
        made = False
        moves = relay.placed != relay.grant
        for place in await self._wanted(relay.onion, also_ready=moves):
            async with self._remotes.at(address, f"place {place.contact.hex()}") as client:
                await client.create(
                    SigningKey(place.fetch_seed),
                    place.capability,
                    relay.grant,
                    "contact" if place.contact else "request",
                )
            await self._set_state(place, "wanted", "ready")
            made = True
        if made or moves or relay.state != "ready":
            await self._mark(relay.onion, state="ready", reason="", placed=relay.grant)

    async def _granted(self, relay: places.Relay) -> places.Relay:
        now = hour_of(self._clock())
        given = relay.grant and not relay.expires_hour  # by invitation: its giver knows when it ends
        if given or relay.expires_hour > now + RENEW_HOURS:
            return relay
        async with self._remotes.at(onion.address(relay.onion), "grant", seconds=600) as client:
            grant = await client.grant(await self._admission_request(client))
        await self._mark(relay.onion, grant=grant.secret, expires_hour=grant.expires_hour)
        return msgspec.structs.replace(relay, grant=grant.secret, expires_hour=grant.expires_hour)

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

    async def _wanted(self, relay: bytes, *, also_ready: bool) -> list[places.Place]:
        """Places to be made at a relay: one for requests and one for each contact."""
        states = ("wanted", "ready") if also_ready else ("wanted",)
        sealer = self._ring.require()

        def job(txn: Transaction) -> list[places.Place]:
            found = places.list_all(txn, sealer, onion=relay)
            there = {place.contact: place for place in found if place.state != "leaving"}
            people = [c.identity for c in contacts.list_all(txn, sealer) if not c.request]
            for contact in [b"", *people]:
                if contact not in there:
                    there[contact] = _fresh(relay, contact)
                    places.save(txn, sealer, there[contact])
            return [place for place in there.values() if place.state in states]

        return await self._store.write(job)

    async def _give_up(self, results: list[bool], place: places.Place) -> None:
        sealer = self._ring.require()
        try:
            async with self._remotes.at(onion.address(place.onion), f"place {place.contact.hex()}") as client:
                key = SigningKey(place.fetch_seed)
                if self._serves(place) and (await client.fetch(key, limit=1)).envelopes:
                    self.on_leaving()  # a sender was told that it waits: collect it first
                    results.append(False)
                    return
                await client.delete(key)
        except Refusal as refusal:
            if refusal.code != "no_mailbox":
                results.append(False)
                return
        await self._store.write(lambda txn: places.remove(txn, sealer, place.mailbox), freeing=True)
        results.append(True)

    def _serves(self, place: places.Place) -> bool:
        """Whether we still want what lies at a place: it is for requests, or for a contact."""
        sealer = self._ring.require()
        return not place.contact or self._store.read(
            lambda txn: contacts.find(txn, sealer, place.contact) is not None
        )

    async def remake(self, place: places.Place) -> None:
        """The relay says that it does not have this mailbox (any more): make it again."""
        await self._set_state(place, "ready", "wanted")
        self.provision()

    async def _set_state(
        self, place: places.Place, before: Literal["wanted", "ready"], after: Literal["wanted", "ready"]
    ) -> None:
        """From one state to the next, unless the place is being left meanwhile."""
        sealer = self._ring.require()

        def job(txn: Transaction) -> None:
            found = places.find(txn, sealer, place.mailbox)
            if found is not None and found.state == before:
                places.save(txn, sealer, msgspec.structs.replace(found, state=after))

        await self._store.write(job)
        self._cards.forget()
        self._changes.touch()

    async def _mark(self, relay: bytes, **changed: object) -> None:
        """Change what we know of a relay, unless it was left meanwhile."""
        sealer = self._ring.require()

        def job(txn: Transaction) -> None:
            found = places.find_relay(txn, sealer, relay)
            if found is not None:
                places.save_relay(txn, sealer, msgspec.structs.replace(found, **changed))

        await self._store.write(job)
        if {"placed", "grant"} & changed.keys():
            self.on_relays()
        self._changes.touch()

    async def mark_collected(self, relay: bytes) -> None:
        """A collection at this relay is complete."""
        await self._mark(relay, last_collected=int(self._clock()))


def _nothing() -> None:
    return None


def _fresh(relay: bytes, contact: bytes) -> places.Place:
    seed = secrets.token_bytes(32)
    return places.Place(
        mailbox=mailbox_id(SigningKey(seed).public),
        onion=relay,
        fetch_seed=seed,
        capability=secrets.token_bytes(32),
        contact=contact,
    )


def _solve(challenge: WorkChallenge) -> bytes:
    """Guess until the puzzle is solved; seconds to minutes in a thread."""
    number = 0
    while True:
        solution = number.to_bytes(8, "big")
        if is_solved(challenge, solution):
            return solution
        number += 1


def _row(relay: places.Relay, count: int) -> UsedRelay:
    return UsedRelay(
        address=onion.address(relay.onion),
        state=relay.state,
        words=_words(relay),
        mailboxes=count,
        last_collected=relay.last_collected,
    )


def _words(relay: places.Relay) -> str:
    if relay.state == "joining":
        return "Asking for a place there."
    if relay.state == "ready":
        return "Keeps envelopes for you while this box is off."
    if relay.state == "unreachable":
        return "It cannot be reached now; it is tried again."
    row = REFUSALS.get(relay.reason)
    return "It does not serve this box" + (f": {row.message}" if row else ".")
