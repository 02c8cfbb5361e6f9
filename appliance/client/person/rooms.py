"""Rooms: channels as this account sees them: a checked roster, who is there with which devices, info keys.

What the box says of a channel is checked against what the vault remembers: a roster that is shorter or
another one is refused. Members are looked up before they are given keys; one whose directory entry shows
another identity than the roster is given none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol import channel_info, codec, membership, onion
from appliance.protocol.codec import to_text
from appliance.protocol.directory import Bundle, Device, Entry, OneTimePrekey
from appliance.protocol.group_cipher import Recipient
from appliance.protocol.membership import Member, State
from appliance.protocol.roster import Info
from appliance.protocol.transparency import check_found

if TYPE_CHECKING:
    from appliance.client.person.core import Core

KNOWN_SECONDS: Final = 60
"""Who is in our channels is not asked for again within this, when a stranger gives us a key."""
UNNAMED: Final = Info("(title not known yet)", "")


class Room:
    """One channel. `devices` is the box's counter up to which `present` was looked up."""

    def __init__(self, seen: wire.Channel) -> None:
        self.seen = seen
        self.state: State | None = None
        self.devices = 0
        self.entries: dict[bytes, Entry] = {}
        self.bundles: dict[bytes, Bundle] = {}

    def __repr__(self) -> str:
        return "<Room>"

    @property
    def id(self) -> bytes:
        """The channel's id."""
        return self.seen.id

    @property
    def roster(self) -> State:
        """The roster as it stands; Refusal not_member before it was read."""
        if self.state is None:
            raise Refusal("not_member")
        return self.state

    @property
    def present(self) -> dict[bytes, list[bytes]]:
        """The devices of members, by identity."""
        return {who: [one.device for one in entry.devices] for who, entry in self.entries.items()}

    def device(self, whose: Recipient) -> Device:
        """A member's device as their entry shows it; Refusal no_device."""
        entry = self.entries.get(whose.identity)
        for one in entry.devices if entry else []:
            if one.device == whose.device:
                return one
        raise Refusal("no_device")


class Rooms:
    """All of them. Owner: the person's nursery."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rooms: dict[bytes, Room] = {}
        self._asked = -KNOWN_SECONDS

    async def all(self) -> list[wire.Channel]:
        """The channels one is in, then those one may join."""
        return (await self._core.member.get("/v1/channels", wire.Channels)).channels

    async def enter(self, channel: bytes) -> Room:
        """A channel with its roster as it is now. Refusals: no_channel, not_member, bad_roster (a fork)."""
        seen = await self._core.member.get(f"/v1/channels/{to_text(channel)}", wire.Channel)
        room = self._rooms.setdefault(channel, Room(seen))
        room.seen = seen
        await self._read(room)
        return room

    async def _read(self, room: Room) -> None:
        record = await self._core.vault.get(records.channel(room.id), records.Channel)
        state = room.state
        known = membership.load(record.state).mark if record and record.state else None
        entries: list[bytes] = []
        while state is None or state.number + len(entries) < room.seen.roster.number:
            after = (state.number if state else 0) + len(entries)
            page = await self._core.member.post(
                "/v1/channels/roster/read", wire.RosterPage, wire.RosterQuery(room.id, after)
            )
            if not page.entries:
                break
            entries += [one.entry for one in page.entries]
            if not page.more:
                break
        after_all = membership.replay(entries, state, known)
        if after_all.channel != room.id or membership.agrees(after_all, room.seen.roster) is False:
            raise Refusal("bad_roster", reason="fork")
        room.state = after_all
        if known != after_all.mark:
            await self._remember(room)

    async def _remember(self, room: Room) -> None:
        stored = msgspec.to_builtins(membership.store(room.roster), builtin_types=(bytes,))

        def change(now: records.Channel | None) -> records.Channel:
            now = now or records.Channel(1, {}, [], [], {})
            if now.state and now.state["number"] >= stored["number"]:
                return now
            return msgspec.structs.replace(now, state=stored)

        async def step(batch: Batch) -> None:
            batch.change(records.channel(room.id), records.Channel, change)

        await self._core.ledger.run(step)

    async def look(self, room: Room) -> None:
        """Look up whose entries have changed; afterwards the counter is the one to post with."""
        core = self._core
        since = wire.MembersSince(room.id, room.devices)
        changed = await core.member.post("/v1/channels/members/changed", wire.MembersChanged, since)
        by_name = {one.name: one for one in room.roster.members.values()}
        for identity in room.entries.keys() - room.roster.members.keys():
            del room.entries[identity]
        names = [name for name in changed.names if name in by_name]
        host = core.session.onion
        for at in range(0, len(names), wire.MAX_LOOK_UPS):
            part = names[at : at + wire.MAX_LOOK_UPS]
            older = await core.people.logs.head(host)
            query = wire.MembersQuery(room.id, part, older.size if older else 0)
            page = await core.member.post("/v1/channels/members", wire.MembersPage, query)
            for name in part:
                room.entries.pop(by_name[name].identity, None)
            for found in page.found:
                entry = codec.read(found.entry[64:], Entry)
                member = by_name.get(entry.name)
                if member is None or member.identity != entry.identity:
                    continue  # another one stands under this name now: no keys for him
                entry, bundles, head = check_found(found, member.name, member.onion, member.identity, older)
                membership.check_member(member, entry)
                core.people.logs.keep(host, head, found.proof.checkpoint)
                room.entries[member.identity] = entry
                room.bundles.update({one.device: one for one in bundles})
        # Who came by an entry that was not read yet is looked up once it was; until then no post is taken.
        if len(names) == len(changed.names):
            room.devices = changed.devices

    async def prekeys(self, room: Room, whose: Iterable[Recipient]) -> dict[bytes, OneTimePrekey]:
        """A one-time prekey of each of these devices, where there is one that it signed."""
        wanted: dict[str, list[bytes]] = {}
        for one in whose:
            wanted.setdefault(room.entries[one.identity].name, []).append(one.device)
        if not wanted:
            return {}
        body = wire.TakeMany(room.id, [wire.WantedPrekeys(name, ids) for name, ids in wanted.items()])
        answer = await self._core.member.post("/v1/channels/prekeys", wire.TakenMany, body)
        devices = {one.device: one for entry in room.entries.values() for one in entry.devices}
        return {
            taken.device: taken.prekey
            for each in answer.taken
            for taken in each.prekeys
            if taken.prekey and taken.device in devices
            if self._core.people.is_good(taken.prekey, devices[taken.device])
        }

    async def knows(self, identity: bytes, channel: bytes | None = None) -> bool:
        """Whether somebody is in a channel of ours (this one): from others no keys are taken."""
        if self._is_known(identity, channel):
            return True
        if self._core.now() - self._asked < KNOWN_SECONDS:
            return False
        self._asked = self._core.now()
        for seen in await self.all():
            room = self._rooms.get(seen.id)
            if seen.member and (room is None or room.state is None or room.state.number < seen.roster.number):
                await self._glance(seen)
        return self._is_known(identity, channel)

    def heard(self) -> None:
        """Something happened in some channel: perhaps one that is new to us."""
        self._asked = -KNOWN_SECONDS

    def get(self, channel: bytes) -> Room | None:
        """A room that was entered."""
        return self._rooms.get(channel)

    def member(self, identity: bytes) -> Member | None:
        """Who somebody is in a channel of ours."""
        states = [room.state for room in self._rooms.values() if room.state]
        return next((found for state in states if (found := state.member(identity))), None)

    def _is_known(self, identity: bytes, channel: bytes | None) -> bool:
        rooms = self._rooms.values() if channel is None else [self._rooms.get(channel)]
        return any(room and room.state and room.state.member(identity) for room in rooms)

    async def _glance(self, seen: wire.Channel) -> None:
        """Read a roster without writing anything down: this happens inside another change."""
        room = Room(seen)
        record = await self._core.vault.get(records.channel(seen.id), records.Channel)
        known = membership.load(record.state).mark if record and record.state else None
        try:
            room.state = membership.replay(await self.entries(seen.id), None, known)
        except Refusal:
            return  # whoever enters it is told
        self._rooms[seen.id] = room

    async def entries(self, channel: bytes) -> list[bytes]:
        """The whole roster, signed; not verified yet."""
        return [one.entry for one in await self.placed(channel)]

    async def placed(self, channel: bytes) -> list[wire.RosterEntry]:
        """The same with the places in the log."""
        found: list[wire.RosterEntry] = []
        more = True
        while more:
            query = wire.RosterQuery(channel, len(found))
            page = await self._core.member.post("/v1/channels/roster/read", wire.RosterPage, query)
            found += page.entries
            more = page.more and bool(page.entries)
        return found

    def follow(self, room: Room, signed: Iterable[bytes], state: State | None) -> State:
        """The state after some entries more, which must be on the way to where the roster stands for us."""
        after = membership.replay(signed, state)
        if after.channel != room.id or membership.agrees(room.roster, after.mark) is False:
            raise Refusal("bad_roster", reason="fork")
        return after

    async def info(self, room: Room) -> Info:
        """Title and topic, as far as we have the key."""
        info = room.roster.info
        if isinstance(info, Info):
            return info
        record = await self._core.vault.get(records.channel(room.id), records.Channel)
        key = info_key(room.roster, record)
        return UNNAMED if key is None else channel_info.open_info(key, room.id, info)

    @property
    def onion(self) -> bytes:
        """The public key of our box."""
        return onion.public_key(self._core.session.onion)


def info_key(state: State, record: records.Channel | None) -> bytes | None:
    """The key that opens a channel's sealed title, if we have it."""
    if record is None or isinstance(state.info, Info):
        return None
    known = state.info[: channel_info.KEY_ID]
    return next((key for key in record.info_keys if channel_info.key_id(key) == known), None)
