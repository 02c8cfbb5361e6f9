"""Boxes on a private Tor network and what can be done with them; every act is verified.

The demonstration, the self-test and the end-to-end tests put these acts together in their own order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import trio

from appliance.client.desk import Desk
from appliance.client.entrance import Unanswered
from appliance.client.person import Person
from appliance.demo.actor import PASSPHRASE, QUICK, Actor
from appliance.errors import Refusal
from appliance.protocol import attachment
from appliance.protocol.desk import NewGrant, RelayLoad
from appliance.protocol.post import DispatchState

T = TypeVar("T")

POLL_SECONDS: Final = 0.1
TOR_SECONDS: Final = 240.0
DELIVERY_SECONDS: Final = 240.0
GRANT_OCTETS: Final = 32 << 20
HELLO: Final = "May I write to you?"


@dataclass(frozen=True)
class Arrived:
    """A file at the recipient's, its digest checked by their program."""

    name: str
    content: bytes


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
        """Make a box the property of somebody called like it; their program's profile stays in the folder."""
        actor = self.actors[name]
        token = (actor.ready.claim_url or "") if actor.ready else ""
        token = token.rpartition("=")[2].rpartition("/")[2].rpartition("#")[2]
        async with Person.register(
            actor.page, name, PASSPHRASE, invite=token, profile=actor.profile, options=QUICK
        ):
            state = await actor.state()
            if state is None or not state.claimed:
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
                return any(r.state == "ready" and r.mailboxes for r in used)

            await until(f"{user} has mailboxes at {relay}", ready, TOR_SECONDS)

    async def introduce(self, sender: str, recipient: str) -> None:
        """The sender asks, the recipient accepts: each knows where the other takes mail."""
        one, other = self.actors[sender], self.actors[recipient]
        async with one.client() as here, other.client() as there:
            await here.send(other.address, HELLO)

            async def asked() -> bool:
                return any(contact.address == one.address for contact in there.contacts())

            await until(f"{recipient} was asked", asked, DELIVERY_SECONDS)
            before = await other.relays()
            await there.accept(one.address)
            await self.until_heard(there, one.address, 1)
            await there.mark_read(one.address)
            await until_read(here, other.address)
            await self._until_reached(here, other, before)
            await until("all that they told each other came", lambda: is_quiet(here, there), DELIVERY_SECONDS)

    async def _until_reached(self, person: Person, whom: Actor, before: dict[str, int]) -> None:
        """Wait until each relay of another has one mailbox more, and somebody knows of them all."""

        async def reached() -> bool:
            now = await whom.relays()
            made = all(count > before.get(onion, 0) for onion, count in now.items())
            return made and await person.reach(whom.address) == {whom.onion, *now}

        await until(f"{person.address} knows where {whom.name} takes mail", reached, DELIVERY_SECONDS)

    async def send_file(self, sender: str, recipient: str, name: str, content: bytes) -> str:
        """Hand a file to the sender's box and close the program; the message's id."""
        async with self.actors[sender].client() as me:
            return (await me.send_bytes(self.actors[recipient].address, content, name)).id

    async def send_note(self, sender: str, recipient: str, text: str) -> str:
        """Hand a note to the sender's box and close the program; the message's id."""
        async with self.actors[sender].client() as me:
            return (await me.send(self.actors[recipient].address, text)).id

    async def until_sent(self, sender: str, recipient: str, id: str, *states: str) -> str:
        """Wait until the sender's message, with all that belongs to it, came so far; how far."""
        address = self.actors[recipient].address

        async def there(me: Person) -> str | None:
            message = await me.find(address, id)
            if message.state == "failed":
                raise NotVerified(f"{sender} gave up: {message.problem}")
            return message.state if message.state in states else None

        return await self.at(sender, f"the message is {' or '.join(states)}", there)

    async def until_arrived(self, recipient: str, sender: str, count: int = 1) -> list[Arrived]:
        """Wait until so many files are with the recipient's program, whole and checked."""
        address = self.actors[sender].address

        async def whole(me: Person) -> list[Arrived] | None:
            files = [one for one in await me.history(address) if one.attachment and not one.mine]
            if len(files) < count:
                return None
            found = [Arrived(one.attachment.name, await one.content()) for one in files if one.attachment]
            await me.settled()  # what tells the sender is with our box
            return found

        return await self.at(recipient, f"{count} files reached {recipient}", whole)

    async def until_heard(self, me: Person, address: str, count: int) -> list[str]:
        """Wait until so many notes of somebody can be read; their words."""

        async def heard() -> list[str] | None:
            found = [one.text for one in await me.history(address) if one.kind == "text" and not one.mine]
            return found if len(found) >= count else None

        return await until(f"{count} notes of {address}", heard, DELIVERY_SECONDS)

    async def at(self, name: str, what: str, check: Callable[[Person], Awaitable[T | None]]) -> T:
        """Keep somebody's program open until `check` gives something; its box may be killed meanwhile."""
        with trio.move_on_after(DELIVERY_SECONDS):
            while True:
                try:
                    async with self.actors[name].client() as me:
                        while not (answer := await check(me)):
                            with trio.move_on_after(POLL_SECONDS):
                                await me.news()
                        return answer
                except Unanswered:
                    await trio.sleep(POLL_SECONDS)
                except Refusal as refusal:
                    if refusal.code not in ("busy", "not_found"):
                        raise
        raise NotVerified(f"not so within {DELIVERY_SECONDS:.0f} seconds: {what}")

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

    async def until_fewer(self, relay: str, envelopes: int) -> RelayLoad:
        """Wait until some of what the relay held was fetched."""

        async def fewer() -> RelayLoad | None:
            load = await self.load(relay)
            return load if load is not None and load.held < envelopes else None

        return await until(f"something of {envelopes} envelopes left {relay}", fewer, DELIVERY_SECONDS)

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


def is_placed(dispatch: DispatchState) -> bool:
    """Whether every device's envelopes are at its box or at relays."""
    return all(leg.state in ("box", "relay") for leg in dispatch.legs)


async def is_quiet(*people: Person) -> bool:
    """Whether everything these people's programs told one another came, and nothing is to be answered."""
    before = [len(person.sending()) for person in people]
    for person in people:
        await person.settled()
    told = [person.sending() for person in people]
    return [len(one) for one in told] == before and all(is_placed(one) for each in told for one in each)


def sealed_count(size: int) -> int:
    """How many envelopes a file of so many octets becomes, its message included."""
    plan = attachment.plan(size)
    return 1 + plan.indexes + plan.count


async def until_read(me: Person, address: str) -> None:
    """Wait until what was written to somebody has reached their program."""

    async def reached() -> bool:
        mine = [one for one in await me.history(address) if one.mine]
        return all(one.state in ("delivered", "read") for one in mine)

    await until(f"{address} has what was written", reached, DELIVERY_SECONDS)


async def until(what: str, check: Callable[[], Awaitable[T | None]], seconds: float) -> T:
    """Ask again until the answer is true, and return it; raises NotVerified after `seconds`."""
    with trio.move_on_after(seconds):
        while not (answer := await check()):
            await trio.sleep(POLL_SECONDS)
        return answer
    raise NotVerified(f"not so within {seconds:.0f} seconds: {what}")
