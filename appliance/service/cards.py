"""The cards this box hands out: one for everybody, and one for each contact with mailboxes of its own."""

from __future__ import annotations

from appliance.protocol import onion
from appliance.protocol.card import MAX_ROUTES, Card, Route, card_text, sign_card
from appliance.protocol.keys import SealingKey
from appliance.service.ports import Clock, hour_of
from appliance.store import accounts, places
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

VERSION = 1


class Cards:
    """Signs cards from the places that are ready. Owner: the event loop."""

    def __init__(self, store: Store, ring: KeyRing, clock: Clock) -> None:
        self.host = onion.address(ring.identity.public)
        self._store = store
        self._ring = ring
        self._clock = clock
        self._sealing: SealingKey | None = None
        self._kept: dict[bytes, bytes] = {}

    def sealing_key(self) -> SealingKey:
        """The key to which others seal; Refusal locked."""
        if self._sealing is None:
            seeds = self._ring.derive(b"sealing", 96)
            self._sealing = SealingKey(seeds[:32], seeds[32:])
        return self._sealing

    def card_for(self, contact: bytes = b"") -> bytes:
        """The signed card for one contact (identity key), or for everybody; Refusal locked."""
        kept = self._kept.get(contact)
        if kept is None:
            routes = self._store.read(lambda txn: self._routes(txn, contact))
            plate = self._store.read(lambda txn: accounts.plate(txn, self._ring.machine))
            kept = self._kept[contact] = self._sign(routes, plate.title)
        return kept

    def public_text(self) -> str:
        """The card for everybody as text."""
        return card_text(self.card_for())

    def forget(self) -> None:
        """Name or places changed: sign anew at the next use."""
        self._kept.clear()

    def _routes(self, txn: Transaction, contact: bytes) -> list[Route]:
        """Ready places of this contact, the box's own first, then the oldest relays."""
        sealer = self._ring.require()
        here = self._ring.identity.public
        order = {relay.onion: number for number, relay in enumerate(places.list_relays(txn, sealer))}
        ready = [place for place in places.list_all(txn, sealer, contact=contact) if place.state == "ready"]
        ready.sort(key=lambda place: -1 if place.onion == here else order.get(place.onion, MAX_ROUTES))
        return [Route(place.onion, place.mailbox, place.capability) for place in ready[:MAX_ROUTES]]

    def _sign(self, routes: list[Route], name: str) -> bytes:
        card = Card(
            version=VERSION,
            identity=self._ring.identity.public,
            name=name,
            sealing=self.sealing_key().public,
            routes=routes,
            issued_hour=hour_of(self._clock()),
        )
        return sign_card(self._ring.identity, card)
