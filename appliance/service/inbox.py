"""The inbox as its owner sees it: what arrived, its content, seen, deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.codec import from_text, to_text
from appliance.protocol.desk import Inbox as InboxPage
from appliance.protocol.desk import InboxItem, ItemKind
from appliance.service.changes import Changes
from appliance.service.ports import Clock, hour_of
from appliance.store import contacts, inbox
from appliance.store.contacts import Contact
from appliance.store.engine import Store
from appliance.store.inbox import Arrival
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

SHORT_NOTE: Final = 16 * 1024
"""Notes up to this many octets come with the list; longer ones are opened one by one."""
PARTS_AT_ONCE: Final = 32
LONGEST_TTL_HOURS: Final = 31 * 24


class Inbox:
    """Items that arrived. Durable and sealed."""

    def __init__(self, store: Store, ring: KeyRing, config: Config, clock: Clock, changes: Changes) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._changes = changes
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def page(self) -> InboxPage:
        """Every item, newest first; short notes with their text."""

        def job(txn: Transaction) -> list[InboxItem]:
            sealer = self._ring.require()
            people = {one.identity: one for one in contacts.list_all(txn, sealer)}
            return [self._row(txn, item, arrival, people) for item, arrival in inbox.list_all(txn, sealer)]

        return InboxPage(await self._store.read_cold(job))

    def unseen(self) -> int:
        """How many complete items the owner has not opened."""
        return self._store.read(inbox.count_unseen)

    async def open(self, id: str) -> tuple[InboxItem, AsyncIterator[bytes]]:
        """An item and its content, piece by piece; Refusal no_item, or wrong_state while parts lack."""
        item_id = from_text(id)

        def job(txn: Transaction) -> InboxItem:
            sealer = self._ring.require()
            item = inbox.find(txn, sealer, item_id)
            arrival = inbox.find_arrival(txn, item_id)
            people = {one.identity: one for one in contacts.list_all(txn, sealer)}
            if arrival is None or not arrival.complete:
                raise Refusal("wrong_state")
            return self._row(txn, item, arrival, people)

        return await self._store.read_cold(job), self._pieces(item_id)

    async def seen(self, id: str) -> None:
        """The owner has opened an item."""
        item = from_text(id)
        await self._store.write(lambda txn: inbox.mark_seen(txn, item), freeing=True)
        self._changes.touch()

    async def remove(self, id: str) -> None:
        """Delete an item; copies of it that still wait somewhere do not bring it back."""
        item = from_text(id)
        until = self.memory_hour()
        await self._store.write(lambda txn: inbox.remove(txn, item, until), freeing=True)
        self._changes.touch()

    def memory_hour(self) -> int:
        """Until when what arrives now is remembered: no copy can live longer at a relay."""
        return hour_of(self._clock()) + LONGEST_TTL_HOURS

    async def _pieces(self, item: bytes) -> AsyncIterator[bytes]:
        sealer = self._ring.require()
        first = 0
        while True:
            at = first
            parts = await self._store.read_cold(
                lambda txn, at=at: inbox.read_parts(txn, sealer, item, at, PARTS_AT_ONCE)  # type: ignore[misc]
            )
            for part in parts:
                if part:
                    yield part
            if len(parts) < PARTS_AT_ONCE:
                return
            first += len(parts)

    def _row(
        self, txn: Transaction, item: inbox.InboxItem, arrival: Arrival, people: dict[bytes, Contact]
    ) -> InboxItem:
        sender = people.get(item.sender)
        header = item.header
        kind: ItemKind = "note" if header is not None and header.kind == "note" else "file"
        short = arrival.complete and kind == "note" and arrival.octets <= SHORT_NOTE
        text = None
        if short:
            parts = inbox.read_parts(txn, self._ring.require(), item.id, 0, arrival.parts)
            text = b"".join(parts).decode("utf-8", "replace")
        return InboxItem(
            id=to_text(item.id),
            sender=onion.address(item.sender),
            sender_name="" if sender is None else sender.name,
            contact=sender is not None and not sender.request,
            kind=kind,
            name="" if header is None else header.name,
            # What the header says is only the sender's word.
            size=arrival.octets if arrival.complete or header is None else header.size,
            parts=arrival.parts,
            parts_here=arrival.parts_here,
            complete=arrival.complete,
            seen=arrival.seen,
            received=arrival.received,
            text=text,
        )
