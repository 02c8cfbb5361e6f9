"""The mailboxes of members' devices, here and at the relays this box uses: made, renewed, given up.

A mailbox here is there at once; one at a relay is asked for until the relay gives it, each over a circuit
of its own. Which relays are used, and under which grants, is the affair of `places`. Where the grants at a
relay have too little room, request mailboxes come first, then those into which something came lately; who
has none there is reached on this box and through its other relays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final

import trio
from msgspec.structs import replace

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.keys import SigningKey
from appliance.protocol.post import AllRoutes, DropMailboxes, MailboxRoutes, WantMailboxes
from appliance.protocol.route import Route
from appliance.service.caller import Caller
from appliance.service.ports import Clock, hour_of
from appliance.service.remotes import Remotes
from appliance.store import device_mailboxes, grants, mailboxes, places, queue
from appliance.store.device_mailboxes import REQUESTS, Owner, Place, State
from appliance.store.engine import Store
from appliance.store.mailboxes import Kind
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

MOST_HANDLES: Final = 2048
"""Handles of one device."""
AT_ONCE: Final = 4
"""Mailboxes of one relay that are made side by side."""
BUSY_HOURS: Final = 7 * 24
"""Into a mailbox in use something came within this."""
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 900.0
_AWAY: Final = {"unreachable", "tor_off", "bad_answer", "busy", "too_many", "grant", "grant_full", "policy"}
"""After one of these the relay's other mailboxes would fare alike."""


class DeviceMailboxes:
    """Keeps the wanted mailboxes made. Durable and sealed; everything needs the box unlocked."""

    def __init__(self, store: Store, ring: KeyRing, config: Config, clock: Clock, remotes: Remotes) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._remotes = remotes
        self._wake = trio.Event()
        self._near: frozenset[bytes] = frozenset()
        """Rows that were of mailboxes here when the places were read last."""
        self.on_routes: Callable[[Owner], None] = _nothing
        """A handle's routes have changed."""
        self.on_here: Callable[[Owner, bytes], None] = _nothing
        """A mailbox was made here."""
        self.on_leaving: Callable[[], None] = _nothing
        self.on_relay: Callable[[bytes, str, bytes], Awaitable[None]] = _nothing_to_wait_for
        """A relay (its onion key) made a mailbox, or refused it with this code, under the grant of a tag."""
        self.on_room: Callable[[bytes], Awaitable[None]] = _nothing_to_wait_for
        """Nothing waits for room at a relay (its onion key)."""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def want(self, caller: Caller, message: WantMailboxes) -> AllRoutes:
        """Make sure of mailboxes for these handles; routes that are ready. Refusals: no_device, too_many."""
        sealer = self._ring.require()
        prefix = caller.account + caller.require_device()
        owners = [Owner(caller.account, prefix[16:], handle) for handle in dict.fromkeys(message.handles)]
        known = await self._store.read_cold(lambda txn: self._find(txn, sealer, owners))
        found = known or []
        if known is None:
            found, made = await self._store.write(lambda txn: self._ensure(txn, sealer, prefix, owners))
            for place in made:
                self.on_here(place.owner, place.mailbox)
            self.provision()
        return AllRoutes([MailboxRoutes(owner.handle, routes) for owner, routes in found])

    async def drop(self, caller: Caller, message: DropMailboxes) -> None:
        """Give up the mailboxes of some handles, with all that waits in them."""
        sealer = self._ring.require()
        here = self._ring.identity.public
        device = caller.require_device()

        def job(txn: Transaction) -> None:
            for handle in dict.fromkeys(message.handles):
                owner = Owner(caller.account, device, handle)
                device_mailboxes.drop_here(txn, owner)
                for place in device_mailboxes.list_places(txn, sealer, b"".join(owner)):
                    if place.onion == here:
                        device_mailboxes.remove(txn, sealer, place)
                    else:
                        device_mailboxes.change(txn, sealer, place, "dropped", "wanted", "ready", "leaving")

        await self._store.write(job, freeing=True)
        self.provision()

    def provision(self) -> None:
        """Something is wanted or to be given up: look now."""
        self._wake.set()

    async def far(self) -> list[Place]:
        """All places at relays."""
        sealer = self._ring.require()
        here = self._ring.identity.public
        known = self._near
        found, self._near = await self._store.read_cold(
            lambda txn: device_mailboxes.list_far(txn, sealer, here, known)
        )
        return found

    async def remake(self, place: Place) -> None:
        """The relay says that it does not have this mailbox (any more): make it again."""
        sealer = self._ring.require()
        await self._store.write(
            lambda txn: device_mailboxes.change(txn, sealer, place, "wanted", "ready"), freeing=True
        )
        self.provision()

    async def run(self) -> None:
        """Make and give up mailboxes at relays for ever; the box is unlocked when this starts."""
        pause = FIRST_PAUSE
        while True:
            self._wake = trio.Event()
            settled = await self.settle()
            pause = FIRST_PAUSE if settled else min(pause * 2, LONGEST_PAUSE)
            with trio.move_on_after(3600 if settled else pause):
                await self._wake.wait()
                pause = FIRST_PAUSE

    async def settle(self) -> bool:
        """One round over all relays side by side; whether nothing is left to do."""
        sealer = self._ring.require()
        relays = {
            relay.onion: relay
            for relay in self._store.read(lambda txn: places.list_relays(txn, sealer))
            if relay.held
        }
        await self._fill(sealer, list(relays))
        rows = await self._in_order(await self.far())
        results: list[bool] = []
        async with trio.open_nursery() as nursery:
            for key in {row.onion for row in rows}:
                there = [row for row in rows if row.onion == key]
                nursery.start_soon(self._settle_at, key, relays.get(key), there, results)
        return all(results)

    # In transactions

    def _find(
        self, txn: Transaction, sealer: Sealer, owners: Sequence[Owner]
    ) -> list[tuple[Owner, list[Route]]] | None:
        """The ready routes of each handle, this box first; None when one has no mailbox here."""
        here = self._ring.identity.public
        found = []
        for owner in owners:
            rows = device_mailboxes.list_places(txn, sealer, b"".join(owner))
            ready = [row for row in rows if row.state == "ready"]
            ready.sort(key=lambda row: (row.onion != here, row.onion))
            if not ready or ready[0].onion != here:
                return None
            found.append((owner, [Route(row.onion, row.mailbox, row.capability) for row in ready]))
        return found

    def _ensure(
        self, txn: Transaction, sealer: Sealer, device: bytes, owners: Sequence[Owner]
    ) -> tuple[list[tuple[Owner, list[Route]]], list[Place]]:
        here = self._ring.identity.public
        hour = hour_of(self._clock())
        lacking = [owner for owner in owners if device_mailboxes.mailbox_of(txn, owner) is None]
        if lacking and device_mailboxes.count(txn, device, MOST_HANDLES) + len(lacking) > MOST_HANDLES:
            raise Refusal("too_many")
        grant = self._grant(device[:16])
        if lacking:
            device_mailboxes.ensure_grant(txn, grant, self._config.member_octets, hour)
        made = [device_mailboxes.create_here(txn, sealer, owner, here, grant, hour) for owner in lacking]
        return self._find(txn, sealer, owners) or [], made

    def _grant(self, account: bytes) -> grants.GrantId:
        return grants.grant_id(self._ring.derive(b"member grant" + account, 32))

    async def resize(self) -> None:
        """Bring the grants of all accounts to the size that the settings say."""
        octets, hour = self._config.member_octets, hour_of(self._clock())
        accounts = await self._store.read_cold(
            lambda txn: {owner.account for owner, _ in device_mailboxes.list_here(txn, b"")}
        )
        wanted = [self._grant(account) for account in sorted(accounts)]

        def job(txn: Transaction) -> None:
            for grant in wanted:
                device_mailboxes.ensure_grant(txn, grant, octets, hour)

        await self._store.write(job)

    # At relays

    async def _in_order(self, rows: list[Place]) -> list[Place]:
        """Who wrote lately first."""
        wanted = {row.owner for row in rows if row.state == "wanted" and row.handle != REQUESTS}
        if not wanted:
            return rows
        lately = await self._store.read_cold(lambda txn: self._lately(txn, wanted))
        return sorted(rows, key=lambda row: -lately.get(row.owner, 0))

    def _lately(self, txn: Transaction, owners: Iterable[Owner]) -> dict[Owner, int]:
        """When something came for each handle last."""
        hour = hour_of(self._clock())
        found = [(owner, device_mailboxes.mailbox_of(txn, owner)) for owner in owners]
        return {owner: queue.last_came(txn, mailbox, hour) for owner, mailbox in found if mailbox}

    async def _make_room(self, rows: list[Place]) -> None:
        """At a relay that is full, mailboxes long silent give way to wanted ones that are in use."""
        hour = hour_of(self._clock())

        def choose(txn: Transaction) -> list[Place]:
            lately = self._lately(txn, {row.owner for row in rows})
            pressing = sum(
                row.state == "wanted" and lately.get(row.owner, 0) > hour - BUSY_HOURS for row in rows
            )
            silent = [
                row
                for row in rows
                if row.state == "ready" and row.handle != REQUESTS and not lately.get(row.owner, 0)
                and (mailbox := device_mailboxes.mailbox_of(txn, row.owner)) is not None
                and (record := mailboxes.find(txn, mailbox)) is not None
                and record.created_hour < hour - queue.SEEN_HOURS
            ]  # fmt: skip
            return silent[:pressing]

        sealer = self._ring.require()
        silent = await self._store.read_cold(choose)

        def leave(txn: Transaction) -> list[Place]:
            return [row for row in silent if device_mailboxes.change(txn, sealer, row, "leaving", "ready")]

        for row in await self._store.write(leave, freeing=True) if silent else []:
            self.on_routes(row.owner)
            self.provision()

    async def _fill(self, sealer: Sealer, relays: list[bytes]) -> None:
        """Write down a wanted place for each handle at each relay where it has none."""

        def lacking(txn: Transaction) -> list[tuple[Owner, bytes]]:
            rows = device_mailboxes.list_places(txn, sealer)
            there = {(row.owner, row.onion) for row in rows if row.state in ("wanted", "ready")}
            owners = [owner for owner, _ in device_mailboxes.list_here(txn, b"")]
            return [(owner, relay) for owner in owners for relay in relays if (owner, relay) not in there]

        missing = await self._store.read_cold(lacking)

        def job(txn: Transaction) -> None:
            for owner, relay in missing:
                if device_mailboxes.mailbox_of(txn, owner) is not None:
                    device_mailboxes.save(txn, sealer, device_mailboxes.fresh(owner, relay))

        if missing:
            await self._store.write(job)

    async def _settle_at(
        self, key: bytes, relay: places.Relay | None, rows: list[Place], results: list[bool]
    ) -> None:
        """Everything at one relay in this order, few at a time, until it turns out to be away or full."""
        away = trio.Event()
        full: set[bytes] = set()
        lacking = False

        async def work(due: Iterator[Place]) -> None:
            nonlocal lacking
            for row in due:
                if away.is_set():
                    results.append(False)
                    return
                try:
                    results.append(await self._settle_one(relay, row, full))
                except Refusal as refusal:
                    if refusal.code == "locked":
                        raise
                    results.append(False)
                    if refusal.code in _AWAY:
                        away.set()
                    lacking = lacking or refusal.code == "grant_full"
                    await self.on_relay(key, refusal.code, refusal.details.get("under", b""))

        # What is given up makes room. Then requests: without their mailbox strangers find nobody.
        going = [row for row in rows if relay is None or row.state in ("leaving", "dropped")]
        staying = [row for row in rows if row not in going and _is_due(relay, row)]
        requests = [row for row in staying if row.handle == REQUESTS]
        others = [row for row in staying if row.handle != REQUESTS]
        for phase in (going, requests, others):
            due = iter(phase)
            # Side by side they would come in any order, which matters where not all find room.
            workers = 1 if relay is not None and relay.lacking else AT_ONCE
            async with trio.open_nursery() as nursery:
                for _ in range(min(workers, len(phase))):
                    nursery.start_soon(work, due, name="settle mailboxes at a relay")
        if lacking:
            await self._make_room(rows)
        elif relay is not None and not away.is_set():
            await self.on_room(key)

    async def _settle_one(self, relay: places.Relay | None, row: Place, full: set[bytes]) -> bool:
        if row.state in ("wanted", "ready") and relay is not None:
            await self._make(relay, row, full)
            return True
        sealer = self._ring.require()
        if row.state in ("wanted", "ready"):  # we use this relay no longer
            state: State = "leaving" if row.state == "ready" else "dropped"
            await self._store.write(
                lambda txn: device_mailboxes.change(txn, sealer, row, state, row.state), freeing=True
            )
            self.on_routes(row.owner)
            row = replace(row, state=state)
        return await self._give_up(row)

    async def _make(self, relay: places.Relay, row: Place, full: set[bytes]) -> None:
        """Under the first grant that has room; `full` are the secrets of those found to have none."""
        sealer = self._ring.require()
        address = onion.address(relay.onion)
        kind: Kind = "request" if row.handle == REQUESTS else "contact"
        async with self._remotes.at(address, purpose(row.mailbox)) as client:
            for grant in [one for one in relay.held if one.secret not in full]:
                try:
                    await client.create(SigningKey(row.fetch_seed), row.capability, grant.secret, kind)
                    break
                except Refusal as refusal:
                    if refusal.code == "grant":
                        raise Refusal("grant", under=grant.tag) from None
                    if refusal.code != "grant_full":
                        raise
                    full.add(grant.secret)
            else:
                raise Refusal("grant_full", under=relay.held[-1].tag)
        changed = await self._store.write(lambda txn: device_mailboxes.place(txn, sealer, row, grant.tag))
        if changed and row.state == "wanted":
            self.on_routes(row.owner)
        await self.on_relay(relay.onion, "", grant.tag)

    async def _give_up(self, row: Place) -> bool:
        """Delete a mailbox at its relay; one that is left must be empty, for a sender was told it waits."""
        sealer = self._ring.require()
        key = SigningKey(row.fetch_seed)
        try:
            async with self._remotes.at(onion.address(row.onion), purpose(row.mailbox)) as client:
                if row.state == "leaving" and (await client.fetch(key, limit=1)).envelopes:
                    self.on_leaving()
                    return False
                await client.delete(key)
        except Refusal as refusal:
            if refusal.code != "no_mailbox":
                raise
        await self._store.write(lambda txn: device_mailboxes.remove(txn, sealer, row), freeing=True)
        return True


def purpose(mailbox: bytes) -> str:
    """What a circuit for one mailbox is called: no other mailbox is asked for on it."""
    return f"device {mailbox.hex()}"


def _is_due(relay: places.Relay | None, row: Place) -> bool:
    if row.state == "ready":
        return relay is None or row.under not in [one.tag for one in relay.held]
    return True


def _nothing(*_: object) -> None:
    return None


async def _nothing_to_wait_for(*_: object) -> None:
    return None
