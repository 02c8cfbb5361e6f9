"""Sender keys of channels: giving ours to members' devices, taking theirs, asking for what is missing.

They travel over the sessions between devices; with members who are no contacts there are sessions without a
conversation. What was made is in the vault before it leaves.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from appliance.client.person import records
from appliance.client.person.dispatcher import Job
from appliance.client.person.ledger import Batch
from appliance.client.person.outbound import Target
from appliance.client.person.rooms import Room, Rooms, info_key
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.content import MAX_TARGETS, VERSION, Content, SenderKey, SenderKeyWanted
from appliance.protocol.group_cipher import Reading, Recipient, SenderKeys, Sending, Shares
from appliance.protocol.membership import Mark, agrees
from appliance.protocol.post import Dispatch
from appliance.protocol.sender_key import FRESH_TO_MAKE

if TYPE_CHECKING:
    from appliance.client.person.core import Core

AT_ONCE: Final = 50
"""Devices in one dispatch."""
ASK_HOURS: Final = 1
MAX_ASKED: Final = 64
MAX_INFO_KEYS: Final = 4
KINDS: Final = frozenset({"sender_key", "sender_key_wanted"})
"""What devices say to each other for the sake of a channel."""

Progress = Callable[[int, int], None]
"""(devices that have our key now, all that are to have it)"""


class ChannelKeys:
    """Owner: the person's nursery."""

    def __init__(self, core: Core, rooms: Rooms) -> None:
        self._core = core
        self.rooms = rooms
        self._answered: dict[tuple[bytes, bytes], int] = {}

    @property
    def own(self) -> Recipient:
        """This device."""
        return Recipient(self._core.identity.public, self._core.seat.device)

    async def cipher(self, batch: Batch, room: Room, whose: Iterable[Recipient]) -> SenderKeys:
        """The cipher as it is in the vault, with what is needed to read these devices."""
        record = await batch.get(records.channel(room.id), records.Channel)
        newest = record.info_keys[0] if record and record.info_keys else None
        # That of the title as it is; a change of it that is not known here yet may have brought the newest.
        key = info_key(room.roster, record) or newest
        made = SenderKeys(self.own.identity, self.own.device, key)
        device = self.own.device.hex()
        names = [f"sending/{device}", f"shares/{device}"]
        names += [reading_name(one) for one in dict.fromkeys([*whose, self.own])]
        found: dict[str, Any] = {}
        for name in names:
            value = await batch.get(records.channel_keys(room.id, name), _kind(name))
            if value is not None:
                found[name] = msgspec.to_builtins(value, builtin_types=(bytes,))
        made.load(found)
        return made

    def store(self, batch: Batch, room: Room, cipher: SenderKeys) -> None:
        """Put what changed into a batch; where another device of ours wrote meanwhile: vault_conflict."""
        for name, value in cipher.changes().items():
            full = records.channel_keys(room.id, name)
            if name.startswith("reading/"):
                before = self._core.vault.peek(full)
                batch.change(full, Reading, _unless_changed(before, value))
                self._note(batch, room.id, bytes.fromhex(name.removeprefix("reading/").replace("/", "")))
            else:
                batch.set(full, value)

    def _note(self, batch: Batch, channel: bytes, device: bytes) -> None:
        def change(now: records.Channel | None) -> records.Channel:
            now = now or blank()
            if device in now.devices:
                return now
            return msgspec.structs.replace(now, devices=[*now.devices, device])

        batch.change(records.channel(channel), records.Channel, change)

    # Giving

    async def ready(self, room: Room, progress: Progress) -> None:
        """Have a chain to write by, which all members' devices were given."""
        core, given = self._core, 0

        async def renew(batch: Batch) -> list[Recipient]:
            cipher = await self.cipher(batch, room, [])
            if cipher.why_renew(room.roster, room.present, core.hour()):
                fresh = secrets.token_bytes(FRESH_TO_MAKE)
                cipher.renew(room.roster, room.present, core.hour(), fresh)
                self.store(batch, room, cipher)
            return cipher.missing(room.roster, room.present)

        missing = await core.ledger.run(renew)
        for at in range(0, len(missing), AT_ONCE):
            part = missing[at : at + AT_ONCE]
            targets = await self._targets(room, part)

            async def give(batch: Batch, targets: Sequence[Target] = targets) -> Job | None:
                cipher = await self.cipher(batch, room, [])
                told: list[tuple[Content, Target]] = []
                for target in targets:
                    to = Recipient(target.identity, target.device.device)
                    id = secrets.token_bytes(16)
                    told.append((cipher.give(room.roster, to, id, core.now()), target))
                self.store(batch, room, cipher)
                return await self._leave(batch, told)

            job = await core.ledger.run(give)
            if job is not None:
                await job.wait()
            given += len(part)
            progress(given, len(missing))

    async def _targets(self, room: Room, whose: Sequence[Recipient]) -> list[Target]:
        """Devices with what is needed to begin a session where there is none; without that they are left."""
        begun = []
        for one in whose:
            name = records.session(self.own.device, one.device)
            record = await self._core.vault.get(name, records.Session)
            there = record is not None and record.peer.sessions
            if not (there and record and record.peer.agreement == room.device(one).agreement):
                begun.append(one)
        prekeys = await self.rooms.prekeys(room, [one for one in begun if one.device in room.bundles])
        return [
            Target(
                one.identity,
                room.device(one),
                room.bundles.get(one.device),
                prekeys.get(one.device),
                member=True,
            )
            for one in whose
            if one not in begun or one.device in room.bundles
        ]

    async def _leave(self, batch: Batch, told: Sequence[tuple[Content, Target]]) -> Job | None:
        """One dispatch of all of it, with the batch; who cannot be reached asks for it later."""
        envelopes: list[bytes] = []
        to = []
        for content, target in told:
            try:
                one = await self._core.outbound.seal(batch, content, [target])
            except Refusal as refusal:
                if refusal.code not in ("no_route", "bad_bundle"):
                    raise
                continue
            to.append(msgspec.structs.replace(one.to[0], envelopes=[len(envelopes)]))
            envelopes += one.envelopes
        if not envelopes:
            return None
        return self._core.dispatcher.leave(batch, Dispatch(secrets.token_bytes(16), envelopes, to, 336))

    # Taking

    async def take(self, batch: Batch, sender: Recipient, said: dict[str, Any]) -> None:
        """What a device told us for the sake of a channel."""
        if said["kind"] == "sender_key_wanted":
            wanted = codec.convert(said, SenderKeyWanted)
            batch.after.append(lambda: self._core.soon(self._answer, sender, wanted))
            return
        told = codec.convert(said, SenderKey)
        name = reading_name(sender)

        def change(now: Reading | None) -> Reading | None:
            cipher = SenderKeys(self.own.identity, self.own.device)
            if now is not None:
                cipher.load({name: msgspec.to_builtins(now, builtin_types=(bytes,))})
            try:
                cipher.take(told, sender)
            except Refusal:
                return now
            taken: Reading | None = cipher.changes().get(name, now)
            return taken

        room = self.rooms.get(told.channel)
        if room is None or room.state is None or room.state.member(sender.identity) is None:
            return
        is_fork = agrees(room.roster, Mark(told.roster.number, told.roster.hash)) is False
        if not is_fork:
            batch.change(records.channel_keys(told.channel, name), Reading, change)
            self._note(batch, told.channel, sender.identity + sender.device)

        def learn(now: records.Channel | None) -> records.Channel:
            now = now or blank()
            if is_fork:
                return msgspec.structs.replace(now, alarm=True)
            if told.info_key is None or told.info_key in now.info_keys:
                return now
            return msgspec.structs.replace(now, info_keys=[told.info_key, *now.info_keys][:MAX_INFO_KEYS])

        batch.change(records.channel(told.channel), records.Channel, learn)
        batch.after.append(self._core.tell)

    async def ask(self, room: Room, chains: Sequence[bytes]) -> None:
        """Ask members' devices for chains we cannot read, at most once an hour for each."""
        core, hour = self._core, self._core.hour()
        record = await core.vault.get(records.channel(room.id), records.Channel)
        asked = record.asked if record else {}
        wanted = [one for one in chains if hour - asked.get(one.hex(), 0) >= ASK_HOURS][:MAX_TARGETS]
        others = [
            Recipient(identity, device)
            for identity, devices in room.present.items()
            if identity != self.own.identity
            for device in devices
        ]
        if not wanted or not others:
            return
        content = SenderKeyWanted(VERSION, secrets.token_bytes(16), core.now(), room.id, wanted)

        def change(now: records.Channel | None) -> records.Channel:
            now = now or blank()
            rows = {**now.asked, **{one.hex(): hour for one in wanted}}
            newest = sorted(rows.items(), key=lambda row: row[1])[-MAX_ASKED:]
            return msgspec.structs.replace(now, asked=dict(newest))

        for at in range(0, len(others), AT_ONCE):
            targets = await self._targets(room, others[at : at + AT_ONCE])

            async def ask(batch: Batch, targets: Sequence[Target] = targets) -> None:
                batch.change(records.channel(room.id), records.Channel, change)
                await self._leave(batch, [(content, target) for target in targets])

            await core.ledger.run(ask)

    async def _answer(self, sender: Recipient, wanted: SenderKeyWanted) -> None:
        """A member's device lacks our chains: it gets those that are for it, once an hour each."""
        core = self._core
        due = [one for one in wanted.chains if core.hour() > self._answered.get((sender.device, one), 0)]
        if not due:
            return
        room = await self.rooms.enter(wanted.channel)
        await self.rooms.look(room)
        targets = await self._targets(room, [sender])

        async def step(batch: Batch) -> None:
            cipher = await self.cipher(batch, room, [])
            told: list[tuple[Content, Target]] = []
            for chain in due:
                answer = cipher.answer(room.roster, sender, chain, secrets.token_bytes(16), core.now())
                told += [(answer, target) for target in targets if answer is not None]
            self.store(batch, room, cipher)
            await self._leave(batch, told)

        await core.ledger.run(step)
        for one in due:
            self._answered[sender.device, one] = core.hour()


def blank() -> records.Channel:
    """A channel of which nothing is known yet."""
    return records.Channel(1, {}, [], [], {})


def reading_name(whose: Recipient) -> str:
    """What the cipher calls the record of a device's chains."""
    return f"reading/{whose.identity.hex()}/{whose.device.hex()}"


def _kind(name: str) -> type[Sending | Shares | Reading]:
    kinds: dict[str, type[Sending | Shares | Reading]] = {"sending": Sending, "shares": Shares}
    return kinds.get(name.partition("/")[0], Reading)


def _unless_changed(before: Any, after: Any) -> Callable[[Any], Any]:
    def step(now: Any) -> Any:
        plain = None if now is None else msgspec.to_builtins(now, builtin_types=(bytes,))
        if plain != before:
            raise Refusal("vault_conflict")  # another device of ours read on: begin anew from there
        return after

    return step
