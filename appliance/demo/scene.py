"""Boxes on a private Tor network and what can be done with them; every act is verified.

The demonstration, the self-test and the end-to-end tests put these acts together in their own order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import trio

from appliance.client.desk import CHUNK, Desk
from appliance.client.entrance import Unanswered
from appliance.demo.actor import PASSPHRASE, Actor
from appliance.errors import Refusal
from appliance.protocol.desk import Compose, InboxItem, NewGrant, OutboxItem, RelayLoad

T = TypeVar("T")

POLL_SECONDS: Final = 0.1
TOR_SECONDS: Final = 90.0
DELIVERY_SECONDS: Final = 120.0
GRANT_OCTETS: Final = 32 << 20


class NotVerified(Exception):
    """Something did not come out as it must; the message says what."""


class Scene:
    """Some boxes by name. Owner of their processes: leaving `async with` stops them all."""

    def __init__(self, folder: Path, torrc: Path, *, tor: str = "auto") -> None:
        self.folder = folder
        self.actors: dict[str, Actor] = {}
        self._torrc = torrc
        self._tor = tor

    def cast(self, name: str, *settings: str) -> Actor:
        """One more box, not started yet; `settings` are NAME=VALUE."""
        actor = Actor(name, self.folder, self._torrc, tor=self._tor, settings=settings)
        self.actors[name] = actor
        return actor

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every box, in whatever state it is."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for actor in self.actors.values():
                    nursery.start_soon(actor.stop)

    async def start(self, *names: str) -> None:
        """Start boxes together and wait until each can be reached over Tor."""
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(self._start_one, self.actors[name])

    async def _start_one(self, actor: Actor) -> None:
        await actor.start()
        await self.until_reachable(actor.name)

    async def until_reachable(self, name: str) -> None:
        """Wait until the box says it can be reached over Tor."""
        actor = self.actors[name]

        async def reachable() -> bool:
            state = await actor.state()
            if not actor.alive:
                raise NotVerified(f"{name} ended by itself")
            return state is not None and state.tor.phase == "reachable"

        await until(f"{name} can be reached over Tor", reachable, TOR_SECONDS)

    async def claim(self, name: str) -> None:
        """Make a box the property of somebody called like it."""
        actor = self.actors[name]
        token = (actor.ready.claim_url or "") if actor.ready else ""
        token = token.rpartition("=")[2].rpartition("/")[2].rpartition("#")[2]
        async with actor.desk() as desk:
            await desk.claim(token, name, PASSPHRASE)
            if not (await desk.state()).claimed:
                raise NotVerified(f"{name} has no owner after the claim")

    async def lend(self, relay: str, user: str) -> None:
        """The relay invites the user, who keeps mailboxes there from now on."""
        async with self.actors[relay].desk() as desk:
            code = (await desk.grant(NewGrant(label=user, mailboxes=16, octets=GRANT_OCTETS))).code
        async with self.actors[user].desk() as desk:
            await desk.use_relay(code)

            async def ready() -> bool:
                used = await desk.relays()
                refused = [r for r in used if r.state == "refused"]
                if refused:
                    raise NotVerified(f"the relay refused {user}: {refused[0].words}")
                return any(r.state == "ready" for r in used)

            await until(f"{user} has mailboxes at {relay}", ready, TOR_SECONDS)

    async def introduce(self, sender: str, recipient: str) -> str:
        """The sender adds the recipient's card; the recipient's address."""
        async with self.actors[recipient].desk() as desk:
            card = (await desk.identity()).card
        async with self.actors[sender].desk() as desk:
            return (await desk.add_contact(card=card)).address

    async def send_file(self, sender: str, address: str, name: str, content: bytes) -> str:
        """Hand a file to the sender's box; the item's id."""
        async with self.actors[sender].desk() as desk:
            item = await desk.compose(Compose(contact=address, kind="file", name=name, size=len(content)))
            for offset in range(0, len(content), CHUNK):
                await desk.upload(item, offset, content[offset : offset + CHUNK])
            return item

    async def send_note(self, sender: str, address: str, text: str) -> str:
        """Hand a note to the sender's box; the item's id."""
        async with self.actors[sender].desk() as desk:
            return await desk.compose(
                Compose(contact=address, kind="note", size=len(text.encode()), text=text)
            )

    async def outgoing(self, sender: str, item: str) -> OutboxItem | None:
        """The item in the sender's outbox; None while the box is off or does not know it."""
        rows = await self._ask(sender, lambda desk: desk.outbox())
        return next((row for row in rows.items if row.id == item), None) if rows else None

    async def arrived(self, recipient: str) -> list[InboxItem]:
        """The recipient's inbox; empty while the box is off."""
        found = await self._ask(recipient, lambda desk: desk.inbox())
        return found.items if found else []

    async def load(self, relay: str) -> RelayLoad | None:
        """What the relay holds; None while it is off."""
        return await self._ask(relay, lambda desk: desk.load())

    async def until_held(self, relay: str, envelopes: int) -> RelayLoad:
        """Wait until the relay holds at least so many envelopes."""

        async def held() -> RelayLoad | None:
            load = await self.load(relay)
            return load if load is not None and load.held >= envelopes else None

        return await until(f"{relay} holds {envelopes} envelopes", held, DELIVERY_SECONDS)

    async def until_empty(self, relay: str) -> None:
        """Wait until the relay holds nothing."""

        async def empty() -> bool:
            load = await self.load(relay)
            return load is not None and load.held == 0

        await until(f"{relay} holds nothing any more", empty, DELIVERY_SECONDS)

    async def until_sent(self, sender: str, item: str, *states: str) -> OutboxItem:
        """Wait until the sender's item is in one of these states."""

        async def there() -> OutboxItem | None:
            row = await self.outgoing(sender, item)
            if row is not None and row.state == "given_up":
                raise NotVerified(f"{sender} gave up: {row.words}")
            return row if row is not None and row.state in states else None

        return await until(f"the item is {' or '.join(states)}", there, DELIVERY_SECONDS)

    async def until_some(self, recipient: str) -> InboxItem:
        """Wait until the first part of anything is in the recipient's inbox."""

        async def some() -> InboxItem | None:
            items = await self.arrived(recipient)
            return items[0] if items else None

        return await until(f"something reached {recipient}", some, DELIVERY_SECONDS)

    async def until_arrived(self, recipient: str, count: int = 1) -> list[InboxItem]:
        """Wait until so many whole items are in the recipient's inbox."""

        async def whole() -> list[InboxItem] | None:
            items = await self.arrived(recipient)
            return items if len([i for i in items if i.complete]) >= count else None

        return await until(f"{count} items reached {recipient}", whole, DELIVERY_SECONDS)

    async def check_content(self, recipient: str, item: InboxItem, content: bytes) -> None:
        """The item's bytes are exactly these."""
        digest = hashlib.blake2b(digest_size=32)
        async with self.actors[recipient].desk() as desk, desk.content(item.id) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
        if digest.digest() != hashlib.blake2b(content, digest_size=32).digest():
            raise NotVerified(f"{item.name or item.kind} arrived changed")

    async def _ask(self, name: str, question: Callable[[Desk], Awaitable[T]]) -> T | None:
        async with self.actors[name].desk() as desk:
            try:
                return await question(desk)
            except Unanswered:
                return None
            except Refusal as refusal:
                if refusal.code in ("busy", "not_claimed"):
                    return None
                raise


async def until(what: str, check: Callable[[], Awaitable[T | None]], seconds: float) -> T:
    """Ask again until the answer is true, and return it; raises NotVerified after `seconds`."""
    with trio.move_on_after(seconds):
        while not (answer := await check()):
            await trio.sleep(POLL_SECONDS)
        return answer
    raise NotVerified(f"not so within {seconds:.0f} seconds: {what}")
