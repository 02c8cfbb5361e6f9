"""What owners do with whole boxes in one process, and strangers who seal whatever they like."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from appliance.protocol.card import Card, Route, parse_card_text, read_card, sign_card

from appliance.client.desk import Desk
from appliance.client.entrance import onion as onion_entrance
from appliance.client.relay import Relay
from appliance.protocol import item as items
from appliance.protocol import onion, sealing
from appliance.protocol.desk import Compose, InboxItem, OutboxItem, UsedRelay
from appliance.protocol.keys import SealingKey, SigningKey
from appliance.protocol.messages import Deposit, DepositGroup, Outcome
from tests.boxes import Net, Running, until


class Shifted:
    """The real clock, moved."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def pass_hours(self, hours: float) -> None:
        self.ahead += hours * 3600


async def befriend(alice: Running, bob: Running, *, mutual: bool = True) -> str:
    """Alice adds Bob by his card, and Bob her; Bob's address."""
    contact = await alice.desk.add_contact(card=(await bob.desk.identity()).card, name="Bob")
    if mutual:
        await bob.desk.add_contact(card=(await alice.desk.identity()).card, name="Alice")
    return contact.address


async def lodge(bob: Running, *relays: Running) -> None:
    """Bob keeps mailboxes at these relays."""
    for relay in relays:
        await bob.desk.use_relay(relay.ready.onion)
    await until(lambda: ready(bob.desk, len(relays)))


async def ready(desk: Desk, number: int) -> list[UsedRelay] | None:
    found = await desk.relays()
    return found if len(found) == number and all(one.state == "ready" for one in found) else None


async def send_note(desk: Desk, contact: str, text: str = "Hello") -> str:
    return await desk.compose(Compose(contact=contact, kind="note", text=text))


async def send_file(desk: Desk, contact: str, content: bytes, name: str = "film.mkv") -> str:
    item = await desk.compose(Compose(contact=contact, kind="file", name=name, size=len(content)))
    for offset in range(0, len(content), 1 << 20):
        await desk.upload(item, offset, content[offset : offset + (1 << 20)])
    return item


async def outgoing(desk: Desk, item: str) -> OutboxItem:
    return next(row for row in (await desk.outbox()).items if row.id == item)


async def until_state(desk: Desk, item: str, *states: str) -> OutboxItem:
    async def there() -> OutboxItem | None:
        row = await outgoing(desk, item)
        return row if row.state in states else None

    return await until(there)


async def until_arrived(desk: Desk, count: int = 1) -> list[InboxItem]:
    """Wait for so many whole items; it is an error if there are more."""

    async def there() -> list[InboxItem] | None:
        found = [item for item in (await desk.inbox()).items if item.complete]
        assert len(found) <= count
        return found if len(found) == count else None

    return await until(there)


async def until_held(desk: Desk, count: int) -> None:
    """Wait until a relay holds exactly so many envelopes."""

    async def there() -> bool:
        return (await desk.load()).held == count

    await until(there)


async def until_collected(clock: Shifted, desk: Desk) -> None:
    """Wait for two more complete collections at the first relay."""
    for _ in range(2):
        clock.ahead += 1
        now = int(clock())

        async def there(now: int = now) -> bool:
            (first, *_) = await desk.relays()
            return (first.last_collected or 0) >= now

        await until(there)


async def content(desk: Desk, item: str) -> bytes:
    async with desk.content(item) as chunks:
        return b"".join([chunk async for chunk in chunks])


@dataclass(frozen=True)
class Stranger:
    """Somebody with keys but without a box, who seals and deposits by hand."""

    name: str = "Mallory"
    key: SigningKey = field(default_factory=lambda: SigningKey(os.urandom(32)))
    sealing: SealingKey = field(default_factory=lambda: SealingKey(os.urandom(32), os.urandom(64)))

    @property
    def address(self) -> str:
        return onion.address(self.key.public)

    def card(self, *routes: Route, name: str | None = None, hour: int | None = None) -> bytes:
        hour = int(time.time() // 3600) if hour is None else hour
        name = self.name if name is None else name
        return sign_card(self.key, Card(1, self.key.public, name, self.sealing.public, list(routes), hour))

    def header(self, body: bytes = b"", **fields: object) -> items.Header:
        values = {
            "kind": "note",
            "name": "",
            "size": len(body),
            "digest": items.content_digest(body),
            "sent_hour": int(time.time() // 3600),
            "card": self.card(),
            **fields,
        }
        return items.Header(**values)  # type: ignore[arg-type]

    def seal(self, card: Card, part: items.Part, size: int = 4032) -> bytes:
        draw = sealing.draw(card.sealing, os.urandom(32))
        return sealing.seal(card.sealing, card.identity, self.key, items.write_part(part), draw, size)

    def note(self, card: Card, body: bytes = b"Hello", /, **fields: object) -> bytes:
        header = self.header(body, **fields)
        part = items.Part(os.urandom(16), 0, 1, body, header)
        return self.seal(card, part, 4032 if len(body) < 1000 else 16320)


async def card_of(box: Running) -> Card:
    return read_card(parse_card_text((await box.desk.identity()).card))


async def deposit(net: Net, route: Route, *envelopes: bytes) -> list[Outcome]:
    """Leave envelopes on a route as anybody can who has the card."""
    address = onion.address(route.onion)
    async with Relay(onion_entrance(net.dial, address), address) as relay:
        group = DepositGroup(route.mailbox, route.capability, 24, list(envelopes))
        (outcomes,) = (await relay.deposit(Deposit([group]))).groups
    return outcomes
