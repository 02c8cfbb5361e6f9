"""Channels as a person uses them: made, joined, read, written in; all is verified and sealed here."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import msgspec
import trio

from appliance.client.person import records
from appliance.client.person.channel_keys import ChannelKeys, Progress, blank
from appliance.client.person.channel_timeline import WAITS, ChannelMessage, ChannelTimeline
from appliance.client.person.ledger import Batch
from appliance.client.person.rooms import Room, Rooms
from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol import channel_content, channel_info, codec, roster
from appliance.protocol.channel_content import Content, Edit, Pin, Text
from appliance.protocol.codec import to_text
from appliance.protocol.content import VERSION, Delete, Reaction
from appliance.protocol.directory import LookUp
from appliance.protocol.group_cipher import Recipient
from appliance.protocol.log import LogEntry, LogPage
from appliance.protocol.membership import State
from appliance.protocol.roster import Info
from appliance.protocol.transparency import check_found

if TYPE_CHECKING:
    from appliance.client.person.core import Core

TRIES: Final = 8
"""How often a message is sealed anew because the members changed meanwhile."""
PAGE: Final = 64
MOST: Final = 256
"""Entries in one answer."""
POLL_SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 60
"""So long a watcher waits for the key of a message before it goes on without."""


@dataclass(frozen=True)
class ChannelRow:
    """A channel in a list."""

    id: str
    title: str
    topic: str
    public: bool
    member: bool
    closed: bool
    members: int
    alarm: bool


def _silent(done: int, all_of_them: int) -> None:
    return None


class ChannelDesk:
    """The channels of the account's box; every method raises the box's Refusal, or Unanswered."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.rooms = Rooms(core)
        self.keys = ChannelKeys(core, self.rooms)

    # Who is in

    async def all(self) -> list[ChannelRow]:
        """Those one is in, then those one may join."""
        return [await self._row(seen) for seen in await self.rooms.all()]

    async def _row(self, seen: wire.Channel) -> ChannelRow:
        record = await self._core.vault.get(records.channel(seen.id), records.Channel)
        title, topic = seen.title, seen.topic
        if title is None and seen.member:
            info = await self.rooms.info(await self.rooms.enter(seen.id))
            title, topic = info.title, info.topic
        return ChannelRow(
            id=seen.id.hex(),
            title=title or "",
            topic=topic or "",
            public=seen.public,
            member=seen.member,
            closed=seen.closed,
            members=seen.members,
            alarm=record is not None and record.alarm,
        )

    async def members(self, channel: bytes) -> list[tuple[str, str]]:
        """(name, role) of all members in the order in which they came."""
        state = (await self.rooms.enter(channel)).roster
        return [(one.name, one.role) for one in state.members.values()]

    async def create(self, title: str, topic: str = "", *, public: bool = True) -> bytes:
        """Make a channel; its id. A private one's title is sealed under a key that its members get."""
        id, info = secrets.token_bytes(16), Info(title, topic)
        shown: Info | bytes = info
        if not public:
            key = secrets.token_bytes(32)
            shown = channel_info.seal(key, id, info, secrets.token_bytes(24))

            async def keep(batch: Batch) -> None:
                made = msgspec.structs.replace(blank(), info_keys=[key])
                batch.change(records.channel(id), records.Channel, lambda now: now or made)

            await self._core.ledger.run(keep)
        change = roster.Create(public, self._core.session.name, self.rooms.onion, shown, 0, 0)
        signed = self._sign(id, None, change)
        await self._core.member.post("/v1/channels", wire.Appended, wire.NewChannel(signed))
        return id

    async def join(self, channel: bytes) -> None:
        """Come into a public channel."""
        await self._change(channel, roster.Join(self._core.session.name, self.rooms.onion))

    async def leave(self, channel: bytes) -> None:
        """Leave a channel."""
        await self._change(channel, roster.Leave())

    async def invite(self, channel: bytes, name: str, role: roster.Role = "member") -> None:
        """Let somebody of the box in: who their directory entry shows is looked up and checked first."""
        older = await self._core.people.logs.head(self._core.session.onion)
        query = LookUp(name, older.size if older else 0)
        address = f"{name}@{self._core.session.onion}"
        found = await self._core.member.look_up(address, query.size)
        entry, _, _ = check_found(found, name, self.rooms.onion, None, older)
        known = self._core.chats.by_address(name, self._core.session.onion)
        chat = self._core.chats.get(known) if known else None
        if chat is not None and chat.person.identity != entry.identity:
            raise Refusal("wrong_state", reason="another identity stands under this name now")
        await self._change(channel, roster.Add(name, self.rooms.onion, entry.identity, role))
        # So that they can read its title, and what comes next, at once.
        await self.give(channel)

    async def remove(self, channel: bytes, name: str) -> None:
        """Put a member out; what is said from now on is under keys they do not get."""
        state = (await self.rooms.enter(channel)).roster
        found = [one for one in state.members.values() if one.name == name]
        if not found:
            raise Refusal("not_member")
        await self._change(channel, roster.Remove(found[0].identity))

    async def close(self, channel: bytes) -> None:
        """Nothing is said in it any more; what was said stays."""
        await self._change(channel, roster.Close())

    async def _change(self, channel: bytes, change: roster.Change) -> None:
        for turn in range(TRIES):
            state = (await self.rooms.enter(channel)).roster
            body = wire.AppendRoster(channel, self._sign(channel, state, change))
            try:
                await self._core.member.post("/v1/channels/roster", wire.Appended, body)
            except Refusal as refusal:
                if refusal.code != "old_roster" or turn + 1 == TRIES:
                    raise
            else:
                return

    def _sign(self, channel: bytes, state: State | None, change: roster.Change) -> bytes:
        number, before = (state.number, state.hash) if state else (0, bytes(32))
        key = self._core.identity
        hour = self._core.hour()
        return roster.sign(key, roster.Entry(1, channel, number + 1, before, hour, key.public, change))

    # Saying

    async def send(
        self, channel: bytes, text: str, reply: str | None = None, progress: Progress = _silent
    ) -> str:
        """Say something; it is in the channel when this returns. The message's id."""
        id, about = secrets.token_bytes(16), bytes.fromhex(reply) if reply else None
        await self._say(channel, Text(VERSION, id, self._core.now(), text, about), progress)
        return id.hex()

    async def edit(self, channel: bytes, id: str, text: str) -> None:
        """Other words for a message of one's own."""
        new = secrets.token_bytes(16)
        await self._say(channel, Edit(VERSION, new, self._core.now(), bytes.fromhex(id), text))

    async def react(self, channel: bytes, id: str, emoji: str) -> None:
        """Put a reaction to a message; "" takes it back."""
        new = secrets.token_bytes(16)
        await self._say(channel, Reaction(VERSION, new, self._core.now(), bytes.fromhex(id), emoji))

    async def pin(self, channel: bytes, id: str, on: bool = True) -> None:
        """Let a message be found easily from now on, or no more; counts from who keeps order there."""
        new = secrets.token_bytes(16)
        await self._say(channel, Pin(VERSION, new, self._core.now(), bytes.fromhex(id), on))

    async def take_away(self, channel: bytes, number: int) -> None:
        """Take back what one said, or take down what somebody said, with its edits; Refusal not_found, role.

        The edits were entries of their own: that something was there stays visible of each.
        """
        page = await self.page(channel, MOST, number - 1)
        message = next((one for one in page.shown if one.number == number), None)
        if message is None:
            raise Refusal("not_found")
        if message.own:
            new = secrets.token_bytes(16)
            await self._say(channel, Delete(VERSION, new, self._core.now(), bytes.fromhex(message.id)))
        # What it said goes from the box as well; an entry of the log says to others that it is gone.
        for entry in (number, *message.edits):
            body = wire.TakeDown(channel, entry)
            await self._core.member.post("/v1/channels/take-down", dict, body)

    async def give(self, channel: bytes, progress: Progress = _silent) -> None:
        """Give our key to whoever lacks it, without saying anything yet."""
        room = await self.rooms.enter(channel)
        await self.rooms.look(room)
        await self.keys.ready(room, progress)

    async def _say(self, channel: bytes, content: Content, progress: Progress = _silent) -> None:
        await self._finish(channel, progress)
        await self._post(channel, channel_content.write(content), progress)

    async def _finish(self, channel: bytes, progress: Progress) -> None:
        """What was sealed and not answered is posted again as it is: it counts once."""
        name = records.posting(channel, self._core.seat.device)
        left = await self._core.vault.get(name, records.Posting)
        if left is None:
            return
        draft = codec.convert(left.post, wire.PostChannel)
        try:
            await self._core.member.post("/v1/channels/post", wire.Posted, draft)
        except Refusal as refusal:
            await self._clear(name)
            if refusal.code == "old_roster":
                await self._post(channel, left.payload, progress)
            return
        await self._clear(name)

    async def _post(self, channel: bytes, payload: bytes, progress: Progress) -> None:
        name = records.posting(channel, self._core.seat.device)
        for turn in range(TRIES):
            room = await self.rooms.enter(channel)
            await self.rooms.look(room)
            await self.keys.ready(room, progress)
            draft = await self._core.ledger.run(partial(self._seal, room=room, payload=payload))
            try:
                await self._core.member.post("/v1/channels/post", wire.Posted, draft)
            except Refusal as refusal:
                await self._clear(name)
                if refusal.code != "old_roster" or turn + 1 == TRIES:
                    raise
            else:
                await self._clear(name)
                return

    async def _seal(self, batch: Batch, room: Room, payload: bytes) -> wire.PostChannel:
        cipher = await self.keys.cipher(batch, room, [])
        sealed = cipher.seal(room.roster, payload, secrets.token_bytes(24))
        self.keys.store(batch, room, cipher)
        timer = room.roster.timer
        hours = -(-timer // 3600) if timer else None
        draft = wire.PostChannel(
            room.id, secrets.token_bytes(16), room.roster.number, room.devices, sealed, hours
        )
        plain = msgspec.to_builtins(draft, builtin_types=(bytes,))
        batch.set(records.posting(room.id, batch.device), records.Posting(1, plain, payload))
        return draft

    async def _clear(self, name: str) -> None:
        async def step(batch: Batch) -> None:
            batch.set(name, None)

        await self._core.ledger.run(step)

    # Reading

    async def read(self, channel: bytes, limit: int = 50, after: int | None = None) -> list[ChannelMessage]:
        """The newest messages, or those after a number, oldest first."""
        return (await self.page(channel, limit, after)).shown

    async def page(self, channel: bytes, limit: int, after: int | None) -> ChannelTimeline:
        """The same with the number up to which the log was read; missing keys are asked for."""
        await self._core.inbound.idle()
        room = await self.rooms.enter(channel)
        if room.seen.member:
            await self.rooms.look(room)
        entries = await self._entries(room, limit, after)
        states = await self._states(room, entries)
        step = partial(self._open, room=room, entries=entries, states=states)
        try:
            timeline = await self._core.ledger.run(step)
        except Refusal as refusal:
            if refusal.code != "vault_conflict":
                raise
            # Another device of ours read on at this moment: once more, from where it is now.
            await self._core.pull()
            timeline = await self._core.ledger.run(step)
        if timeline.wanted and room.seen.member:
            await self.keys.ask(room, list(timeline.wanted))
        return timeline

    def watch(self, channel: bytes, after: int | None = None) -> Watching:
        """Messages after a number (None: from now on), and then each that comes, for ever."""
        return Watching(self, self._core, channel, after)

    async def _entries(self, room: Room, limit: int, after: int | None) -> list[LogEntry]:
        where = f"/v1/channels/{to_text(room.id)}/entries?limit={min(limit, MOST)}"
        where += f"&before={room.seen.last + 1}" if after is None else f"&after={after}"
        return (await self._core.member.get(where, LogPage)).entries

    async def _states(self, room: Room, entries: Sequence[LogEntry]) -> dict[int, State]:
        """The roster's state at the place of each of these entries."""
        if not entries:
            return {}
        signed = await self.rooms.placed(room.id)
        found: dict[int, State] = {}
        state: State | None = None
        at = 0
        for one in entries:
            due = []
            while at < len(signed) and signed[at].number <= one.number:
                due.append(signed[at].entry)
                at += 1
            if due or state is None:
                state = self.rooms.follow(room, due, state)
            found[one.number] = state
        return found

    async def _open(
        self, batch: Batch, room: Room, entries: Sequence[LogEntry], states: dict[int, State]
    ) -> ChannelTimeline:
        record = await batch.get(records.channel(room.id), records.Channel)
        devices = record.devices if record else []
        cipher = await self.keys.cipher(batch, room, [Recipient(one[:32], one[32:]) for one in devices])
        timeline = ChannelTimeline(cipher, self._core.identity.public)
        for entry in entries:
            timeline.take(states[entry.number], entry)
        seen = room.seen
        if entries and entries[0].number <= seen.oldest and entries[-1].number >= seen.last:
            cipher.forget(timeline.oldest)  # all of the log was looked at
        self.keys.store(batch, room, cipher)
        return timeline


class Watching:
    """The messages of a channel as they come. One whose key has not come yet is shown once it has."""

    def __init__(self, desk: ChannelDesk, core: Core, channel: bytes, after: int | None) -> None:
        self._desk, self._core, self._channel = desk, core, channel
        self._after = after
        self._ready: deque[ChannelMessage] = deque()
        self._begun = core.now()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChannelMessage:
        if self._after is None:
            self._after = (await self._desk.rooms.enter(self._channel)).seen.last
        while not self._ready:
            news = self._core.channel_news()
            page = await self._desk.page(self._channel, PAGE, self._after)
            if not self._take(page):
                with trio.move_on_after(POLL_SECONDS):
                    await news.wait()
        return self._ready.popleft()

    def _take(self, page: ChannelTimeline) -> bool:
        """Take what can be shown; False when nothing is new."""
        before = self._after
        for one in page.shown:
            if one.trouble == WAITS and self._core.now() - self._begun < PATIENCE_SECONDS:
                break
            self._after = one.number
            self._ready.append(one)
        else:
            self._after = max(self._after or 0, page.last)
        if self._after != before:
            self._begun = self._core.now()
        return self._after != before
