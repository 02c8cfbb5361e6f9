"""All conversations of the account: who they are with, how they stand, and their lines."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.timeline import MINE, Event, Timeline
from appliance.errors import Refusal
from appliance.protocol import address as addresses
from appliance.protocol import codec, content, onion

if TYPE_CHECKING:
    from appliance.client.person.core import Core

PAGE: Final = 40
LINE: Final = 120
"""Characters of the last message in the list."""

_BUILTIN: Final = (bytes,)


class Who(NamedTuple):
    """The other side of a conversation."""

    identity: bytes
    name: str
    host: str


class Chat:
    """One conversation as this client has read it."""

    def __init__(self, core: Core, id: str) -> None:
        self.core = core
        self.id = id
        self.timeline = Timeline()
        self._lowest: dict[str, int] = {}
        self._highest: dict[str, int] = {}
        self._as_of = 0

    @property
    def talk(self) -> records.Talk:
        """How it stands."""
        return self.core.vault.known(records.talk(self.id), records.Talk)

    @property
    def person(self) -> records.Person:
        """Who the other side is."""
        return self.core.vault.known(records.person(self.id), records.Person)

    @property
    def more(self) -> bool:
        """Whether older stretches of the log have not been read."""
        return any(self._lowest.get(device, 2) > 1 for device in self.talk.segments)

    async def begin(self) -> None:
        """Read the newest stretch of each device's log, if that was not done."""
        fresh = [
            (device, count) for device, count in self.talk.segments.items() if device not in self._lowest
        ]
        await self._load(fresh)

    async def older(self) -> None:
        """Read one stretch more of each device's log."""
        await self.begin()
        await self._load([(device, low - 1) for device, low in self._lowest.items() if low > 1])

    async def timed(self) -> list[str]:
        """Read the stretches in which there may be something that disappears; their names."""
        await self.begin()
        wanted = [
            (device, number)
            for device, first in self.talk.timed.items()
            for number in range(first, self.talk.segments.get(device, 0) + 1)
        ]
        await self._load(
            [(device, number) for device, number in wanted if number < self._lowest.get(device, number + 1)]
        )
        return [records.segment(bytes.fromhex(device), self.id, number) for device, number in wanted]

    async def newer(self) -> None:
        """Read what other devices have added."""
        wanted = []
        for device, count in self.talk.segments.items():
            first = self._highest.get(device, count)
            wanted += [(device, number) for number in range(first, count + 1)]
        await self._load(wanted)

    async def current(self) -> None:
        """Have the log at least as new as how the conversation is known to stand."""
        version = self.core.vault.version(records.talk(self.id))
        if version != self._as_of:
            await self.newer()
        self._as_of = version

    async def reach(self, id: bytes) -> bool:
        """Read back until a content is there; False when it is nowhere."""
        await self.begin()
        await self.current()
        while self.timeline.said(id) is None:
            if not self.more:
                return False
            await self.older()
        return True

    def stretches(self) -> list[str]:
        """The names of all stretches of the log."""
        return [
            records.segment(bytes.fromhex(device), self.id, number)
            for device, count in self.talk.segments.items()
            for number in range(1, count + 1)
        ]

    def absorb(self, events: list[Event]) -> None:
        """Take in what this device has just written."""
        self.timeline.apply(events)
        device = self.core.seat.device.hex()
        if device in self._highest:
            self._highest[device] = self.talk.segments.get(device, 0)
        self.core.dispatcher.learn(self.id, events)
        self.core.tell()

    async def _load(self, wanted: list[tuple[str, int]]) -> None:
        names = [records.segment(bytes.fromhex(device), self.id, number) for device, number in wanted]
        values = await self.core.vault.read(*names)
        for (device, number), value in zip(wanted, values, strict=True):
            events = value["events"] if value else []
            self._lowest[device] = min(number, self._lowest.get(device, number))
            self._highest[device] = max(number, self._highest.get(device, number))
            self.timeline.apply(events)
            self.core.dispatcher.learn(self.id, events)


class Chats:
    """The conversations, by id: the identity with which they began, in hex."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._chats: dict[str, Chat] = {}
        self._who: dict[str, Who] = {}

    @property
    def all(self) -> list[Chat]:
        """Every conversation, the latest first."""
        return sorted(self._chats.values(), key=lambda chat: -(chat.talk.last.at if chat.talk.last else 0))

    def get(self, id: str) -> Chat | None:
        """A conversation that is in the vault."""
        return self._chats.get(id)

    def state(self, id: str) -> str | None:
        """How a conversation stands; None when it is not there."""
        chat = self.get(id)
        return chat.talk.state if chat else None

    async def load(self) -> None:
        """Read the list, and how each conversation stands."""
        index = await self._core.vault.get(records.INDEX, records.Index)
        ids = index.ids if index else []
        await self._core.vault.read(*[name for id in ids for name in (records.talk(id), records.person(id))])
        for id in ids:
            self.add(id)
        for id in [id for id in self._chats if id not in ids]:
            del self._chats[id]
            self._who.pop(id, None)

    async def changed(self, names: list[str]) -> None:
        """Other devices wrote these records."""
        if records.INDEX in names:
            await self.load()
        for name in names:
            kind, _, rest = name.partition("/")
            if kind == "log":
                chat, value = self.get(rest.split("/")[1]), self._core.vault.peek(name)
                if chat and value:
                    chat.timeline.apply(value["events"])
            elif kind in ("talk", "person"):
                self.add(rest)
                chat = self.get(rest)
                if chat and kind == "talk":
                    await chat.newer()

    def add(self, id: str) -> None:
        """A conversation that is in the vault now."""
        if self._core.vault.peek(records.talk(id)) and self._core.vault.peek(records.person(id)):
            chat = self._chats.setdefault(id, Chat(self._core, id))
            person = chat.person
            self._who[id] = Who(person.identity, person.name, person.onion)

    def by_identity(self, identity: bytes) -> str | None:
        """The conversation with this identity."""
        return next((id for id, who in self._who.items() if who.identity == identity), None)

    def by_address(self, name: str, host: str) -> str | None:
        """The conversation with this address."""
        return next((id for id, who in self._who.items() if (who.name, who.host) == (name, host)), None)

    def at(self, address: str) -> Chat:
        """The conversation with an address; Refusal bad_address, no_contact."""
        name, box = addresses.read(address)
        chat = self.get(self.by_address(name, onion.address(box)) or "")
        if chat is None:
            raise Refusal("no_contact")
        return chat

    async def start(self, address: str) -> Chat:
        """The conversation with an address, begun if there is none; a request is accepted by it."""
        typed = addresses.read(address)
        host = onion.address(typed.box)
        known = self.get(self.by_address(typed.name, host) or "")
        if known is not None:
            if known.talk.state == "request":
                await self.accept(known.id)
            return known
        found = await self._core.people.find(typed)
        identity = found.entry.identity
        if identity == self._core.identity.public:
            raise Refusal("own_card")
        if not found.entry.devices:
            raise Refusal("no_account")
        id = self.by_identity(identity) or identity.hex()
        now = self._core.now()

        def person(before: records.Person | None) -> records.Person:
            old = before or records.Person(1, "", "", identity, "", False, b"", 0, None)
            return msgspec.structs.replace(
                old,
                name=typed.name,
                onion=host,
                identity=identity,
                entry=found.signed,
                checked=now,
                change=None,
            )

        async def step(batch: Batch) -> None:
            batch.change(records.talk(id), records.Talk, lambda now: now or records.new_talk("contact"))
            batch.change(records.person(id), records.Person, person)
            batch.change(records.INDEX, records.Index, with_id(id))
            batch.after.append(lambda: self.add(id))

        await self._core.ledger.run(step)
        return self._chats[id]

    async def accept(self, id: str) -> None:
        """Answer a request: look them up, and tell them where to write to."""
        await self._core.people.refresh(id)
        if self._chats[id].person.change:
            raise Refusal("wrong_state", reason="another identity stands under this name now")
        await self.change_talk(id, lambda talk: msgspec.structs.replace(talk, state="contact"))
        await self._core.routes.hello(id)

    async def block(self, id: str) -> None:
        """Hear no more of somebody."""

        def step(talk: records.Talk) -> records.Talk:
            if talk.state == "blocked":
                return talk
            return msgspec.structs.replace(talk, state="blocked", before=talk.state, fresh=[])

        await self.change_talk(id, step)
        await self._core.routes.drop(id)

    async def accept_key(self, id: str) -> None:
        """Go on with the identity that stands under the name now."""

        def step(now: records.Person) -> records.Person:
            if now.change is None:
                return now
            return msgspec.structs.replace(
                now, identity=now.change.identity, verified=False, entry=b"", change=None
            )

        await self.change_person(id, step)
        self.add(id)
        await self._core.people.refresh(id)

    async def change_talk(self, id: str, change: Callable[[records.Talk], records.Talk]) -> None:
        """Change how a conversation stands."""

        async def step(batch: Batch) -> None:
            batch.talk(id, change)

        await self._core.ledger.run(step)
        self._core.tell()

    async def change_person(self, id: str, change: Callable[[records.Person], records.Person]) -> None:
        """Change what is known of the other side."""

        async def step(batch: Batch) -> None:
            batch.change(records.person(id), records.Person, lambda now: change(now) if now else None)

        await self._core.ledger.run(step)

    def said(self, batch: Batch, id: str, value: content.Content, dispatch: bytes) -> None:
        """One of my contents, sealed and about to leave."""
        batch.log(id, {"k": "m", "at": value.sent, "by": MINE, "c": plain(value), "d": dispatch})
        if isinstance(value, content.Text | content.Attachment):
            last = line(plain(value), value.sent, True)
            batch.talk(id, lambda talk: msgspec.structs.replace(talk, draft="", last=last))
        if isinstance(value, content.Attachment):
            self._core.uploads.note(batch, id, plain(value))
        self.show(batch, id)

    def notice(self, batch: Batch, id: str, what: str) -> None:
        """Write a notice into the log."""
        batch.log(id, {"k": "n", "at": self._core.now(), "id": secrets.token_bytes(16), "what": what})
        self.show(batch, id)

    def show(self, batch: Batch, id: str) -> None:
        """Take in what this batch logs once it counts."""
        if id in batch.shown:
            return
        batch.shown.add(id)

        def after() -> None:
            self.add(id)
            chat = self.get(id)
            if chat is not None:
                chat.absorb(batch.events.get(id, []))

        batch.after.append(after)

    async def resend(self, id: str, message: bytes, only: bytes | None = None) -> None:
        """Seal a content once more, with the same id; for one device only when `only` says so."""
        chat = self.get(id)
        if chat is None or not await chat.reach(message):
            return
        said = chat.timeline.said(message)
        if said is None or said["kind"] in ("newer", "gone"):
            return
        value = content.read(codec.encode(said))
        targets = await self._core.outbound.targets(id, only)

        async def step(batch: Batch) -> None:
            dispatch = await self._core.outbound.seal(batch, value, targets)
            if only is None:
                self.said(batch, id, value, dispatch.id)
                self._core.outbound.note(batch, id, message, dispatch.id)
            self._core.dispatcher.leave(batch, dispatch)

        await self._core.ledger.run(step)


def with_id(id: str) -> Callable[[records.Index | None], records.Index]:
    """The step that puts one more conversation in the index."""

    def step(index: records.Index | None) -> records.Index:
        if index is not None and id in index.ids:
            return index
        return records.Index(1, [*(index.ids if index else []), id])

    return step


def plain(value: content.Content) -> dict[str, Any]:
    """A content as the log has it."""
    found: dict[str, Any] = msgspec.to_builtins(value, builtin_types=_BUILTIN)
    return found


def line(value: dict[str, Any], at: int, mine: bool) -> records.LastLine:
    """The last message as the list shows it."""
    kind, text = value["kind"], ""
    if kind in ("text", "attachment"):
        text = value.get("text") or value.get("name", "")
    return records.LastLine(value["id"], at, mine, kind, text[:LINE])
