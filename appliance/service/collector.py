"""The collector: takes envelopes out of this box's mailboxes, here and at relays, and into the inbox.

What an envelope brought is durable before the envelope is acknowledged; what is known already is only
acknowledged. So a crash at any moment costs a repetition, never an item and never a second copy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import onion, sealing
from appliance.protocol.card import read_card
from appliance.protocol.envelope import EnvelopeId, envelope_id
from appliance.protocol.item import Part, read_part
from appliance.protocol.keys import SealingKey, SigningKey
from appliance.protocol.mailbox import MailboxId
from appliance.service.cards import Cards
from appliance.service.changes import Changes
from appliance.service.contacts import is_newer
from appliance.service.delivery import Delivery
from appliance.service.inbox import Inbox
from appliance.service.outbox import Outbox, add_receipt
from appliance.service.places import Places
from appliance.service.ports import Clock, hour_of
from appliance.service.relay import Relay
from appliance.service.remotes import Remotes
from appliance.store import contacts, inbox, mailboxes, outbox, places
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

BATCH: Final = 64
MAX_REQUESTS: Final = 100
"""People unknown to us who may wait for an answer; what others send stays where it is until there is room."""
STRANGERS_SHARE: Final = 2
"""Who is no contact yet may fill the inbox up to one part in so many."""
_AWAY: Final = {"unreachable", "tor_off", "bad_answer"}
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 900.0


@dataclass(frozen=True)
class Opened:
    """An envelope after opening; `sender` and `part` are None where it could not be opened."""

    envelope: EnvelopeId
    sender: bytes | None = None
    part: Part | None = None


@dataclass(frozen=True)
class Taken:
    """What may be acknowledged now, and which contacts were heard of."""

    envelopes: list[EnvelopeId]
    heard: set[bytes]
    full: bool


class Collector:
    """Runs only while the box is unlocked."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        remotes: Remotes,
        relay: Relay,
        cards: Cards,
        parts: tuple[Places, Inbox, Outbox, Delivery],
        changes: Changes,
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._remotes = remotes
        self._relay = relay
        self._cards = cards
        self._places, self._inbox, self._outbox, self._delivery = parts
        self._changes = changes
        self._wake = trio.Event()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def look(self) -> None:
        """Collect at every relay now: Tor is back, or the owner asks."""
        self._wake.set()

    async def send_receipts(self, sender: bytes) -> None:
        """A stranger became a contact: tell them what is here of theirs."""
        sealer = self._ring.require()
        self._cards.forget()
        card = self._cards.card_for(sender)
        now = int(self._clock())
        horizon = now + self._config.outbox_horizon_hours * 3600

        def job(txn: Transaction) -> None:
            for item, arrival in inbox.list_all(txn, sealer):
                if item.sender == sender and arrival.complete:
                    add_receipt(txn, self._ring, sender, item.item, card, now, horizon)

        await self._store.write(job)
        self._outbox.seal_soon()

    async def run_here(self) -> None:
        """Empty this box's own mailboxes whenever something arrives."""
        here = self._ring.identity.public
        while True:
            watcher = self._relay.watcher()
            try:
                own = self._places.ready(here)
                for place in own:
                    watcher.watch(MailboxId(place.mailbox))
                for place in own:
                    try:
                        await self._empty_here(place)
                    except Refusal as refusal:
                        if refusal.code != "no_mailbox":  # the contact was removed meanwhile
                            raise
                # A new contact's mailbox is not watched yet: look again within a moment of any change.
                await self._something(watcher.next, {place.mailbox for place in own})
            finally:
                watcher.close()

    async def run_relays(self) -> None:
        """Collect at every relay, now and then, side by side."""
        pause = FIRST_PAUSE
        while True:
            self._wake = trio.Event()
            results: list[bool] = []
            async with trio.open_nursery() as nursery:
                for relay in self._places.relays():
                    nursery.start_soon(self._collect_at, relay, results, name="collect at a relay")
            pause = self._config.collect_seconds if all(results) else min(pause * 2, LONGEST_PAUSE)
            with trio.move_on_after(pause):
                await self._wake.wait()
                pause = FIRST_PAUSE

    async def _something(self, arrival: Callable[[], Awaitable[object]], known: set[bytes]) -> None:
        """Return when a watched mailbox got something, own mailboxes changed, or the time is up."""
        here = self._ring.identity.public
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                await arrival()
                nursery.cancel_scope.cancel()

            nursery.start_soon(wait)
            nursery.cancel_scope.deadline = trio.current_time() + self._config.collect_seconds
            while {place.mailbox for place in self._places.ready(here)} == known:
                await self._changes.wait(self._changes.revision, 3600)
            nursery.cancel_scope.cancel()

    async def _empty_here(self, place: places.Place) -> None:
        after = 0
        while True:
            at = after
            found, more = await self._store.read_cold(
                lambda txn, at=at: mailboxes.fetch(  # type: ignore[misc]
                    txn, place.mailbox, at, BATCH, hour_of(self._clock())
                )
            )
            if not found:
                return
            after = found[-1].number
            taken = await self._take([one.envelope for one in found])
            if taken.envelopes:
                await self._store.write(
                    lambda txn, ids=taken.envelopes: mailboxes.acknowledge(txn, place.mailbox, ids),  # type: ignore[misc]
                    freeing=True,
                )
            if taken.full or not more:
                return

    async def _collect_at(self, relay: bytes, results: list[bool]) -> None:
        whole = True
        for place in self._places.ready(relay):
            try:
                await self._empty_at(place)
            except Refusal as refusal:
                if refusal.code == "locked":
                    raise
                whole = False
                if refusal.code in _AWAY:
                    break
                if refusal.code == "no_mailbox":
                    await self._places.remake(place)
        results.append(whole)
        if whole:
            await self._places.mark_collected(relay)

    async def _empty_at(self, place: places.Place) -> None:
        key = SigningKey(place.fetch_seed)
        address = onion.address(place.onion)
        done: list[EnvelopeId] = []
        after = 0
        while True:
            async with self._remotes.at(address, f"place {place.contact.hex()}") as client:
                answer = await client.fetch(key, after=after, limit=BATCH, acknowledge=done)
            if not answer.envelopes:
                return
            after = answer.envelopes[-1].number
            taken = await self._take([one.envelope for one in answer.envelopes])
            done = taken.envelopes
            if taken.full or not answer.more:
                break
        if done:
            async with self._remotes.at(address, f"place {place.contact.hex()}") as client:
                await client.acknowledge(key, done)

    async def _take(self, envelopes: Sequence[bytes]) -> Taken:
        """Open envelopes and make durable what they bring."""
        ids = [envelope_id(envelope) for envelope in envelopes]
        known = self._store.read(lambda txn: {id for id in ids if inbox.is_known(txn, id)})
        fresh = [(id, one) for id, one in zip(ids, envelopes, strict=True) if id not in known]
        opened = await trio.to_thread.run_sync(
            _open, self._cards.sealing_key(), self._ring.identity.public, fresh
        )
        sealer = self._ring.require()
        # Signed here, because a job runs in the committer's thread, where the store cannot be read anew.
        cards = {one.sender: self._cards.card_for(one.sender) for one in opened if one.sender is not None}
        try:
            taken = await self._store.write(lambda txn: self._keep(txn, sealer, opened, cards))
        except Refusal as refusal:
            if refusal.code != "disk_full":
                raise
            return Taken(list(known), set(), True)
        for contact in taken.heard:
            await self._delivery.hasten_contact(contact)
        if opened:
            self._outbox.seal_soon()
            self._cards.forget()
            self._changes.touch()
        return Taken([*known, *taken.envelopes], taken.heard, taken.full)

    def _keep(
        self, txn: Transaction, sealer: Sealer, opened: Sequence[Opened], cards: dict[bytes, bytes]
    ) -> Taken:
        """In a transaction: take in each part; what there is no room for stays where it is."""
        done: list[EnvelopeId] = []
        heard: set[bytes] = set()
        until = self._inbox.memory_hour()
        full = False
        for one in opened:
            if one.sender is None or one.part is None:
                inbox.remember(txn, one.envelope, until)
            else:
                # A stranger who is not let in does not stand in the way of the contacts behind.
                known = _is_contact(contacts.find(txn, sealer, one.sender))
                room = self._config.inbox_octets // (1 if known else STRANGERS_SHARE)
                if inbox.used_octets(txn) + len(one.part.data) > room:
                    full = full or known
                    continue
                if not self._admit(txn, sealer, one.sender, one.part):
                    continue
                self._accept(txn, sealer, one, one.sender, one.part, cards[one.sender], until)
                heard.add(one.sender)
            done.append(one.envelope)
        return Taken(done, heard, full)

    def _admit(self, txn: Transaction, sealer: Sealer, sender: bytes, part: Part) -> bool:
        """Know the sender, by their newest card; False when too many unknown people wait already."""
        contact = contacts.find(txn, sealer, sender)
        card = _card_of(sender, part)
        if contact is None:
            if part.header is not None and part.header.kind == "receipt":
                return True  # of somebody who was removed; it makes nobody known
            people = contacts.list_all(txn, sealer)
            if sum(person.request for person in people) >= MAX_REQUESTS:
                return False
            if card:
                name = read_card(card).name or onion.address(sender)[:12]
                now = int(self._clock())
                contacts.save(txn, sealer, contacts.Contact(sender, name, card, now, request=True))
        elif card and card != contact.card and is_newer(card, contact.card):
            contacts.save(txn, sealer, msgspec.structs.replace(contact, card=card))
        return True

    def _accept(
        self,
        txn: Transaction,
        sealer: Sealer,
        opened: Opened,
        sender: bytes,
        part: Part,
        card: bytes,
        until: int,
    ) -> None:
        header = part.header
        now = int(self._clock())
        if header is not None and header.kind == "receipt" and header.reply_to is not None:
            inbox.remember(txn, opened.envelope, until)
            self._note_receipt(txn, sealer, sender, header.reply_to, now)
            return
        accepted = inbox.accept(
            txn,
            sealer,
            sender=sender,
            envelope=opened.envelope,
            part=part,
            now=now,
            until_hour=until,
            octets_limit=self._config.inbox_octets,
        )
        known = _is_contact(contacts.find(txn, sealer, sender))
        if known and accepted.complete and accepted.state != "wrong":
            horizon = now + self._config.outbox_horizon_hours * 3600
            add_receipt(txn, self._ring, sender, part.item, card, now, horizon)

    def _note_receipt(self, txn: Transaction, sealer: Sealer, sender: bytes, item: bytes, now: int) -> None:
        """The contact has an item of ours; only the one it was sent to can say so."""
        try:
            ours = outbox.find(txn, sealer, item)
        except Refusal:
            return
        if ours.contact == sender:
            outbox.end(txn, item, "delivered", now)


def _open(key: SealingKey, identity: bytes, envelopes: Sequence[tuple[EnvelopeId, bytes]]) -> list[Opened]:
    """In a thread: open each envelope; what cannot be opened or read is junk, and will be acknowledged."""
    opened = []
    for id, envelope in envelopes:
        try:
            found = sealing.open_envelope(key, identity, envelope)
            opened.append(Opened(id, found.sender, read_part(found.payload)))
        except Refusal:
            opened.append(Opened(id))
    return opened


def _is_contact(contact: contacts.Contact | None) -> bool:
    return contact is not None and not contact.request


def _card_of(sender: bytes, part: Part) -> bytes:
    """The sender's card in a header, if it is really theirs."""
    signed = b"" if part.header is None else part.header.card
    if not signed:
        return b""
    try:
        return signed if read_card(signed).identity == sender else b""
    except Refusal:
        return b""
