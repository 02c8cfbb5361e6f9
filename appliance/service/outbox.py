"""The outbox as its owner sees it: compose, upload, watch, retry, cancel.

An item's content is uploaded, cut into parts, sealed to the contact, and handed to `delivery`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import item as items
from appliance.protocol import onion, sealing
from appliance.protocol.card import read_card
from appliance.protocol.codec import from_text, to_text
from appliance.protocol.desk import Compose, ItemId, Uploaded
from appliance.protocol.desk import Outbox as OutboxPage
from appliance.protocol.keys import SealingPublic
from appliance.protocol.names import clean_file_name
from appliance.service.cards import Cards
from appliance.service.changes import Changes
from appliance.service.outbox_words import describe
from appliance.service.ports import Clock
from appliance.store import contacts, deliveries, outbox
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

BATCH: Final = 16
"""Parts sealed in one thread call and kept in one commit."""
HASH_PIECE: Final = 1 << 20
_UPLOADED: Final = ("sealing", "sending", "delivered")


class Outbox:
    """Items on their way. Durable; everything that names people or content is sealed."""

    def __init__(
        self, store: Store, ring: KeyRing, config: Config, clock: Clock, cards: Cards, changes: Changes
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._cards = cards
        self._changes = changes
        self._unsealed = trio.Event()
        self.on_due: Callable[[], None] = _nothing
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def page(self) -> OutboxPage:
        """Every item of the owner, newest first; receipts travel unseen."""
        sealer = self._ring.require()
        rows, people = await self._store.read_cold(
            lambda txn: (outbox.list_all(txn, sealer), contacts.list_all(txn, sealer))
        )
        by_identity = {person.identity: person for person in people}
        now = int(self._clock())
        wanted = self._config.relays_wanted
        return OutboxPage(
            [
                describe(item, progress, by_identity.get(item.contact), now, wanted)
                for item, progress in rows
                if item.kind != "receipt"
            ]
        )

    def waiting(self) -> int:
        """How many items are not with their contact yet."""
        sealer = self._ring.require()

        def job(txn: Transaction) -> int:
            ids = outbox.list_states(txn, "uploading", "sealing", "sending")
            return sum(outbox.find(txn, sealer, id).kind != "receipt" for id in ids)

        return self._store.read(job)

    async def compose(self, new: Compose) -> ItemId:
        """Start an item. A note is complete with its text; a file's bytes follow by `upload`."""
        sealer = self._ring.require()
        identity = onion.public_key(new.contact)
        content = (new.text or "").encode() if new.kind == "note" else b""
        size = len(content) if new.kind == "note" else new.size
        if size > self._config.outbox_octets:
            raise Refusal("too_large", most=self._config.outbox_octets)
        if new.kind == "note" and not content:
            raise Refusal("malformed", field="text")
        now = int(self._clock())
        item = outbox.OutboxItem(
            id=secrets.token_bytes(16),
            contact=identity,
            kind=new.kind,
            name=clean_file_name(new.name) if new.kind == "file" else "",
            size=size,
            created=now,
            horizon=now + self._config.outbox_horizon_hours * 3600,
        )

        def job(txn: Transaction) -> None:
            contact = contacts.find(txn, sealer, identity)
            if contact is None or contact.request:
                raise Refusal("no_contact")
            if not read_card(contact.card).routes:
                raise Refusal("no_route")
            outbox.compose(txn, sealer, item)
            if content:
                outbox.upload(txn, sealer, item.id, 0, content)

        await self._store.write(job)
        if len(content) == size:
            self._unsealed.set()
        self._changes.touch()
        return ItemId(to_text(item.id))

    async def upload(self, id: str, offset: int, data: bytes) -> Uploaded:
        """Keep a piece of a file; with the last one the item goes on its way. Again is alike."""
        sealer = self._ring.require()
        item = from_text(id)

        def job(txn: Transaction) -> tuple[int, int]:
            found, state = outbox.find(txn, sealer, item), outbox.progress_of(txn, item).state
            if state in _UPLOADED and offset + len(data) <= found.size:
                return found.size, found.size  # the answer to the last piece was lost, and it comes again
            return outbox.upload(txn, sealer, item, offset, data), found.size

        reached, size = await self._store.write(job)
        if reached == size:
            self._unsealed.set()
        self._changes.touch()
        return Uploaded(reached, size)

    async def retry(self, id: str) -> None:
        """Try an item now."""
        item, now = from_text(id), int(self._clock())
        await self._store.write(lambda txn: deliveries.hasten(txn, item, now))
        self.on_due()
        self._changes.touch()

    async def cancel(self, id: str) -> None:
        """Forget an item. What relays already hold expires there unread or is still collected."""
        item = from_text(id)
        if not await self._store.write(lambda txn: outbox.remove(txn, item), freeing=True):
            raise Refusal("no_item")
        self._changes.touch()

    def seal_soon(self) -> None:
        """A receipt waits to be sealed."""
        self._unsealed.set()

    async def run(self) -> None:
        """Seal items whose content is complete, for ever; goes on where a crash stopped it."""
        while True:
            self._unsealed = trio.Event()
            await self._complete_uploads()
            for item in self._store.read(lambda txn: outbox.list_states(txn, "sealing")):
                try:
                    await self._seal(item)
                except Refusal as refusal:
                    if refusal.code not in ("no_item", "wrong_state", "no_contact"):
                        raise
                    await self._give_up(item)
            await self._unsealed.wait()

    async def _complete_uploads(self) -> None:
        """Whole uploads begin to be sealed; here only, so that no lost request or crash leaves one behind."""
        sealer = self._ring.require()

        def job(txn: Transaction) -> list[bytes]:
            found = outbox.list_states(txn, "uploading")
            return [
                id
                for id in found
                if outbox.progress_of(txn, id).uploaded == outbox.find(txn, sealer, id).size
            ]

        for item in self._store.read(job):
            try:
                await self._complete(item)
            except Refusal as refusal:
                if refusal.code != "no_item":  # cancelled meanwhile
                    raise

    async def _complete(self, item: bytes) -> None:
        """Fix digest, card and number of parts; from here on the item is cut the same way always."""
        sealer = self._ring.require()
        found = self._store.read(lambda txn: outbox.find(txn, sealer, item))
        digest = hashlib.blake2b(digest_size=32)
        for offset in range(0, found.size, HASH_PIECE):
            digest.update(await self._content(item, offset, HASH_PIECE))
        card = self._cards.card_for(found.contact)
        parts = items.plan(_header(found, digest.digest(), card)).count

        def job(txn: Transaction) -> None:
            outbox.begin_sealing(txn, sealer, item, digest.digest(), parts, card)

        await self._store.write(job)

    async def _seal(self, item: bytes) -> None:
        sealer = self._ring.require()
        found, progress, contact = self._store.read(
            lambda txn: (
                found := outbox.find(txn, sealer, item),
                outbox.progress_of(txn, item),
                contacts.find(txn, sealer, found.contact),
            )
        )
        if contact is None:
            raise Refusal("no_contact")
        recipient = read_card(contact.card).sealing
        header = _header(found, found.digest, found.card)
        plan = items.plan(header)
        for first in range(progress.sealed, plan.count, BATCH):
            indexes = range(first, min(first + BATCH, plan.count))
            parts = []
            for index in indexes:
                offset, length = plan.span(index)
                data = await self._content(item, offset, length) if length else b""
                parts.append(items.cut(plan, item, header, index, data))
            envelopes = await trio.to_thread.run_sync(
                self._seal_parts, recipient, found.contact, parts, plan.envelope_size
            )
            now = int(self._clock())

            def keep(
                txn: Transaction, first: int = first, kept: list[bytes] = envelopes, at: int = now
            ) -> None:
                outbox.add_envelopes(txn, item, first, kept, at)

            await self._store.write(keep)
            self._changes.touch()
        self.on_due()

    def _seal_parts(
        self, recipient: SealingPublic, identity: bytes, parts: list[items.Part], size: int
    ) -> list[bytes]:
        """In a thread: each part under its own fresh keys."""
        return [
            sealing.seal(
                recipient,
                identity,
                self._ring.identity,
                items.write_part(part),
                sealing.draw(recipient, secrets.token_bytes(32)),
                size,
            )
            for part in parts
        ]

    async def _content(self, item: bytes, offset: int, length: int) -> bytes:
        sealer = self._ring.require()
        return await self._store.read_cold(lambda txn: outbox.read_content(txn, sealer, item, offset, length))

    async def _give_up(self, item: bytes) -> None:
        now = int(self._clock())
        await self._store.write(
            lambda txn: outbox.end(txn, item, "given_up", now, "no_contact"), freeing=True
        )
        self._changes.touch()


def add_receipt(
    txn: Transaction, ring: KeyRing, contact: bytes, reply_to: bytes, card: bytes, now: int, horizon: int
) -> None:
    """In a transaction: tell a contact that their item is here; at most one receipt an hour for an item."""
    sealer = ring.require()
    hour = (now // 3600).to_bytes(4, "big")
    id = hashlib.blake2b(b"receipt" + contact + reply_to + hour, digest_size=16).digest()
    item = outbox.OutboxItem(id, contact, "receipt", "", 0, now, horizon, reply_to=reply_to)
    if outbox.compose(txn, sealer, item).state == "uploading":
        digest = items.content_digest(b"")
        outbox.begin_sealing(txn, sealer, id, digest, items.plan(_header(item, digest, card)).count, card)


def _header(item: outbox.OutboxItem, digest: bytes, card: bytes) -> items.Header:
    return items.Header(
        kind=item.kind,
        name=item.name,
        size=item.size,
        digest=digest,
        sent_hour=item.created // 3600,
        card=card,
        reply_to=item.reply_to or None,
    )


def _nothing() -> None:
    return None
