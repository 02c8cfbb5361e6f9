"""Listening: streams held open to relays, so that mail there comes at once to a device that is here.

One stream a mailbox, each on its own circuit, for a relay must not learn which mailboxes are one device's.
Only devices that are here are worth it, and only so many mailboxes; everything else is polled.
"""

from __future__ import annotations

import random
from typing import Final

import trio

from appliance.client.entrance import Unanswered
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.keys import SigningKey
from appliance.service.collection import Collection
from appliance.service.device_mailboxes import DeviceMailboxes, purpose
from appliance.service.events import EventBook
from appliance.service.remotes import Remotes
from appliance.store.device_mailboxes import Place

MOST_STREAMS: Final = 32
LOOK_SECONDS: Final = 5.0
FIRST_PAUSE: Final = 10.0
LONGEST_PAUSE: Final = 900.0


class Listening:
    """Holds the streams. Nothing is durable; what is missed here the collection finds."""

    def __init__(
        self, remotes: Remotes, places: DeviceMailboxes, collection: Collection, events: EventBook
    ) -> None:
        self._remotes = remotes
        self._places = places
        self._collection = collection
        self._events = events
        self._held: dict[bytes, trio.CancelScope] = {}

    async def run(self) -> None:
        """Hold streams for the devices that are here, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                wanted = await self._wanted() if self._events.mailboxes or self._held else {}
                for mailbox in self._held.keys() - wanted.keys():
                    self._held[mailbox].cancel()
                for mailbox, place in wanted.items():
                    if mailbox not in self._held:
                        scope = self._held[mailbox] = trio.CancelScope()
                        nursery.start_soon(self._hold, place, scope, name="listen at a relay")
                await trio.sleep(LOOK_SECONDS)

    async def _wanted(self) -> dict[bytes, Place]:
        """Mailboxes at relays of devices that are here; those already heard stay."""
        found = {
            place.mailbox: place
            for place in await self._places.far()
            if place.state == "ready" and self._events.is_here(place.account + place.device)
        }
        first = sorted(found, key=lambda mailbox: (mailbox not in self._held, mailbox))
        return {mailbox: found[mailbox] for mailbox in first[:MOST_STREAMS]}

    async def _hold(self, place: Place, scope: trio.CancelScope) -> None:
        pause = FIRST_PAUSE
        with scope:
            while True:
                begun = trio.current_time()
                try:
                    await self._listen(place)
                except (Refusal, Unanswered):
                    # Away, or it knows the mailbox no more, which the collection will find out.
                    if trio.current_time() - begun > LONGEST_PAUSE:
                        pause = FIRST_PAUSE
                await trio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 (spreads load)
                pause = min(2 * pause, LONGEST_PAUSE)
        self._held.pop(place.mailbox, None)

    async def _listen(self, place: Place) -> None:
        address = onion.address(place.onion)
        async with self._remotes.stream(address, purpose(place.mailbox)) as stream:
            await stream.subscribe(SigningKey(place.fetch_seed))
            while True:
                await self._collection.take_all(place, stream)
                await stream.looks()
