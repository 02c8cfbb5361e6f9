"""What others find of us: the entry with our devices, the device's bundle, a stock of one-time prekeys."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.routes import digest
from appliance.errors import Refusal
from appliance.protocol import onion, prekeys
from appliance.protocol.directory import VERSION, Device, Entry, OneTimePrekey, Publish, Published
from appliance.protocol.keys import SigningKey
from appliance.protocol.prekeys import KEEP_HOURS, ROTATE_HOURS, OneTimeSecret

if TYPE_CHECKING:
    from appliance.client.person.core import Core

LOW: Final = 60
"""Below this the stock is filled up again."""
SLICE: Final = 50
"""Prekeys made between two changes of the vault."""
KEPT: Final = 200
"""Secrets that are kept: the box gives out a hundred, older ones than twice that will not come any more."""
TRIES: Final = 5


class Upkeep:
    """What is published."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._filling = trio.Lock()
        self._settling = trio.Lock()

    async def settle(self) -> None:
        """Make what others find agree with what we are."""
        async with self._settling:
            published = await self._publish_entry()
            await self._rotate()
            await self._core.routes.settle()
            await self._publish_bundle()
            if published.one_time < min(LOW, self._core.options.stock):
                await self.fill(published.one_time)

    async def _publish_entry(self) -> Published:
        """The signed entry names exactly our devices."""
        turn = 1
        while True:
            published = await self._core.member.published()
            entry = prekeys.read_entry(published.entry) if published.entry else None
            if entry is not None and self._holds(entry):
                return published
            try:
                await self._core.member.publish(Publish(entry=self._signed(entry)))
            except Refusal as refusal:
                if refusal.code != "old_entry" or turn == TRIES:
                    raise
            turn += 1

    def _holds(self, entry: Entry) -> bool:
        mine = {(row.device, row.agreement) for row in self._core.account.devices}
        shown = {(one.device, one.agreement) for one in entry.devices}
        return entry.identity == self._core.identity.public and mine == shown

    def _signed(self, before: Entry | None) -> bytes:
        account = self._core.account
        entry = Entry(
            version=VERSION,
            name=account.name,
            onion=onion.public_key(account.onion),
            identity=self._core.identity.public,
            revision=(before.revision if before else 0) + 1,
            issued_hour=self._core.hour(),
            devices=[Device(row.device, row.signing, row.agreement, row.added) for row in account.devices],
        )
        return prekeys.sign_entry(self._core.identity, entry)

    async def _rotate(self) -> None:
        hour, current = self._core.hour(), self._core.keys.lasting[0]
        if hour - current.issued_hour < ROTATE_HOURS:
            return
        fresh = secrets.token_bytes(prekeys.FRESH)
        new = prekeys.lasting(current.prekey_id + 1, current.kem_id + 1, hour, fresh)

        async def step(batch: Batch) -> None:
            keys = self._core.keys
            kept = [one for one in keys.lasting if hour - one.issued_hour < KEEP_HOURS + ROTATE_HOURS]
            after = msgspec.structs.replace(keys, lasting=[new, *kept])
            batch.set(records.keys(self._core.seat.device), after)

        await self._core.ledger.run(step)

    async def _publish_bundle(self) -> None:
        core, keys = self._core, self._core.keys
        shown = digest([keys.lasting[0].prekey_id, core.routes.requests])
        if shown == keys.shown:
            return
        bundle = prekeys.bundle_of(
            core.identity.public, core.seat.device, keys.lasting[0], core.routes.requests, core.hour()
        )
        await core.member.publish(Publish(bundle=prekeys.sign_bundle(SigningKey(keys.signing), bundle)))

        async def step(batch: Batch) -> None:
            now = await batch.get(records.keys(core.seat.device), records.Keys)
            if now is not None:
                batch.set(records.keys(core.seat.device), msgspec.structs.replace(now, shown=shown))

        await core.ledger.run(step)

    async def fill(self, left: int) -> None:
        """Fill the stock of one-time prekeys; their secrets are saved before anybody can use them."""
        async with self._filling:
            stock = self._core.options.stock
            while left < stock:
                made = await self._make(min(SLICE, stock - left))
                published = await self._core.member.publish(Publish(one_time=made))
                if published.one_time <= left:
                    return
                left = published.one_time

    async def _make(self, count: int) -> list[OneTimePrekey]:
        device, key = self._core.seat.device, SigningKey(self._core.keys.signing)
        first = self._core.vault.known(records.prekeys(device), records.Prekeys).next
        made = await trio.to_thread.run_sync(_make, device, key, first, count)

        async def step(batch: Batch) -> None:
            now = await batch.get(records.prekeys(device), records.Prekeys)
            if now is not None:
                kept = [*now.secrets, *(secret for secret, _ in made)][-KEPT:]
                batch.set(records.prekeys(device), records.Prekeys(1, first + count, kept))

        await self._core.ledger.run(step)
        return [public for _, public in made]


def _make(
    device: bytes, key: SigningKey, first: int, count: int
) -> list[tuple[OneTimeSecret, OneTimePrekey]]:
    """So many prekeys with their public halves."""
    fresh = [
        prekeys.one_time(number, secrets.token_bytes(prekeys.FRESH)) for number in range(first, first + count)
    ]
    return [(secret, prekeys.make_one_time(device, key, secret)) for secret in fresh]
