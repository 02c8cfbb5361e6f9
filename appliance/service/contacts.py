"""Contacts: added by card or address, or as a request when they write first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec

from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.card import Card, card_text, fingerprint, parse_card_text, read_card
from appliance.protocol.desk import AddContact, CardPreview, CardText, Contact
from appliance.protocol.desk import Contacts as ContactsPage
from appliance.protocol.messages import Message
from appliance.protocol.names import is_plain
from appliance.service.changes import Changes
from appliance.service.places import Places
from appliance.service.ports import Clock
from appliance.service.remotes import Remotes
from appliance.store import contacts
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction


class PublicCard(Message):
    """What a box answers to who asks for its card."""

    card: Annotated[str, msgspec.Meta(max_length=16_384)]


class Contacts:
    """The people this box knows. Durable, sealed; a card is kept as it was signed."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        clock: Clock,
        remotes: Remotes,
        places: Places,
        changes: Changes,
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._remotes = remotes
        self._places = places
        self._changes = changes
        self.on_accept: Callable[[bytes], Awaitable[None]] = _nothing

    async def page(self) -> ContactsPage:
        """All contacts by name, requests among them."""
        sealer = self._ring.require()
        return ContactsPage(
            [_row(one) for one in self._store.read(lambda txn: contacts.list_all(txn, sealer))]
        )

    async def preview(self, text: CardText) -> CardPreview:
        """What a card says, its signature checked; nothing is kept."""
        card = read_card(parse_card_text(text.text))
        known = self.find(card.identity)
        return CardPreview(
            address=onion.address(card.identity),
            name=card.name,
            fingerprint=fingerprint(card.identity),
            relays=_relays(card),
            direct=_direct(card),
            own=card.identity == self._ring.identity.public,
            known=known is not None and not known.request,
        )

    async def add(self, new: AddContact) -> Contact:
        """Add by card, or by address where their box answers now; a newer card replaces the old."""
        if new.name is not None and not is_plain(new.name):
            raise Refusal("malformed", field="name")
        signed = await self._signed_card(new)
        card = read_card(signed)
        if card.identity == self._ring.identity.public:
            raise Refusal("own_card")
        sealer = self._ring.require()
        address = onion.address(card.identity)
        fresh = contacts.Contact(
            card.identity, new.name or card.name or address[:12], signed, int(self._clock())
        )

        def job(txn: Transaction) -> contacts.Contact:
            old = contacts.find(txn, sealer, card.identity)
            contact = fresh
            if old is not None:
                if not old.request and old.card == signed and new.name in (None, old.name):
                    raise Refusal("contact_exists")
                latest = signed if is_newer(signed, old.card) else old.card
                kept_name = fresh.name if old.request else old.name
                contact = msgspec.structs.replace(old, card=latest, name=new.name or kept_name, request=False)
            contacts.save(txn, sealer, contact)
            self._places.ensure_here(txn, card.identity)
            return contact

        contact = await self._store.write(job)
        self._places.provision()
        await self.on_accept(card.identity)
        self._changes.touch()
        return _row(contact)

    async def accept(self, address: str) -> Contact:
        """Turn a request into a contact."""
        return await self.add(AddContact(card=card_text(self.require(address).card)))

    async def remove(self, address: str) -> None:
        """Forget a contact, and delete the mailboxes that were theirs alone."""
        contact = self.require(address)
        sealer = self._ring.require()

        def job(txn: Transaction) -> None:
            contacts.remove(txn, sealer, contact.identity)
            self._places.release(txn, contact.identity)

        await self._store.write(job, freeing=True)
        self._places.provision()
        self._changes.touch()

    def find(self, identity: bytes) -> contacts.Contact | None:
        """The contact with this identity key, also one that only asks; Refusal locked."""
        sealer = self._ring.require()
        return self._store.read(lambda txn: contacts.find(txn, sealer, identity))

    def is_peer(self, identity: bytes) -> bool:
        """Whether a box with this identity is a contact of ours; never while locked."""
        if self._ring.locked:
            return False
        found = self.find(identity)
        return found is not None and not found.request

    def require(self, address: str) -> contacts.Contact:
        """The contact at an onion address; Refusal bad_address or no_contact."""
        contact = self.find(onion.public_key(address))
        if contact is None:
            raise Refusal("no_contact")
        return contact

    async def _signed_card(self, new: AddContact) -> bytes:
        if new.card is not None:
            return parse_card_text(new.card)
        if new.address is None:
            raise Refusal("malformed", field="card")
        public = onion.public_key(new.address)
        address = onion.address(public)
        if public == self._ring.identity.public:
            raise Refusal("own_card")
        answer = await self._remotes.ask(address, "card", "/v1/card", PublicCard)
        signed = parse_card_text(answer.card)
        if read_card(signed).identity != public:
            raise Refusal("bad_card")
        return signed


def is_newer(signed: bytes, old: bytes) -> bool:
    """Whether a signed card replaces another of the same identity; of one hour, the later one seen does."""
    return read_card(signed).issued_hour >= read_card(old).issued_hour


def _row(contact: contacts.Contact) -> Contact:
    card = read_card(contact.card)
    return Contact(
        address=onion.address(contact.identity),
        name=contact.name,
        fingerprint=fingerprint(contact.identity),
        request=contact.request,
        relays=_relays(card),
        direct=_direct(card),
        added=contact.added,
    )


def _relays(card: Card) -> int:
    return len({route.onion for route in card.routes if route.onion != card.identity})


def _direct(card: Card) -> bool:
    return any(route.onion == card.identity for route in card.routes)


async def _nothing(_: bytes) -> None:
    return None
