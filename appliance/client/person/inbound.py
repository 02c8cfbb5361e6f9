"""Messages on their way in.

What waits in the queue is opened, what follows from it goes into the vault in one change, and only then is it
settled at the box: a cut in between brings it again, and the head's `done` mark tells that it was processed.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec
import trio

from appliance.client.entrance import Unanswered
from appliance.client.person import channel_keys, records
from appliance.client.person.chats import plain
from appliance.client.person.ledger import Batch
from appliance.errors import Refusal
from appliance.protocol import certificate, content, first, onion, peer, replays
from appliance.protocol.envelope import envelope_id
from appliance.protocol.post import Queued

if TYPE_CHECKING:
    from appliance.client.person.core import Core

LIMIT: Final = 64
CHUNK_SIZE: Final = 16_320
MAX_DEVICES: Final = 32
"""Devices of one person there are sessions with: twice what an entry may name."""
HOLD_HOURS: Final = 48
"""So long a large envelope of unknown meaning may wait for the message that explains it."""
USED_AGAIN: Final = frozenset({"repeated", "bad_message"})
"""Refusals of a message whose header is genuine: a replay, or the sender uses a chain again."""


@dataclass
class Effects:
    """What one step of reading adds up to."""

    done: list[int] = field(default_factory=list)
    keep: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    receipts: dict[str, list[bytes]] = field(default_factory=dict)
    heard: dict[bytes, list[bytes]] = field(default_factory=dict)
    """What devices told of themselves, to be acknowledged to each alone."""
    lost: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Opened:
    """What an envelope said, and the session it came in."""

    record: records.Session
    payload: bytes


class OutOfStep(Exception):
    """An envelope that is of a known device and cannot be read."""

    def __init__(self, record: records.Session) -> None:
        self.record = record
        super().__init__()


class Inbound:
    """What arrives. Owner: the task that runs `run`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._inline: list[Queued] = []
        self._look = False
        self._wake = trio.Event()
        self._rest = trio.Event()

    def look(self) -> None:
        """Look into the queue soon."""
        self._look = True
        self._stir()

    def offer(self, queued: Sequence[Queued]) -> None:
        """What an event carried itself; nothing: look into the queue."""
        self._inline += queued
        self._look = self._look or not queued
        self._stir()

    def _stir(self) -> None:
        self._wake.set()
        if self._rest.is_set():
            self._rest = trio.Event()

    async def idle(self) -> None:
        """Wait until everything known of is read."""
        await self._rest.wait()

    async def run(self) -> None:
        """Read whatever comes."""
        failures = 0
        while True:
            if not (self._look or self._inline):
                self._rest.set()
                self._wake = trio.Event()
                await self._wake.wait()
                continue
            look, self._look = self._look, False
            inline, self._inline = self._inline, []
            try:
                await (self._read_all() if look else self.process(inline))
                failures = 0
            except (Unanswered, Refusal):
                # Whatever it was, the queue still has it.
                self._look = True
                await self._core.pause(failures)
                failures += 1

    async def _read_all(self) -> None:
        after, more = 0, True
        while more:
            queue = await self._core.member.queue(after, LIMIT)
            if queue.envelopes:
                await self.process(queue.envelopes)
                after = queue.envelopes[-1].number
            more = queue.more and bool(queue.envelopes)

    async def process(self, items: Sequence[Queued]) -> None:
        """Read these, save, settle; in smaller steps what is too much for one change of the vault."""
        try:
            await self._process(items)
        except Refusal as refusal:
            if refusal.code != "too_large" or len(items) < 2:
                raise
            middle = len(items) // 2
            await self.process(items[:middle])
            await self.process(items[middle:])

    async def _process(self, items: Sequence[Queued]) -> None:
        async def step(batch: Batch) -> Effects:
            effects, head = Effects(), self._core.ledger.head
            for item in items:
                await self._one(batch, item, effects, head)
            top = max([head.done, *(item.number for item in items)])
            settled = {*effects.done, *effects.keep}
            held = [one for one in dict.fromkeys([*head.held, *effects.held]) if one not in settled]
            if (top, held) != (head.done, head.held):
                batch.head.append(lambda now: msgspec.structs.replace(now, done=top, held=held))
            await self._core.receipts.seal(batch, effects)
            if not batch.empty:  # else nothing is to be saved, and it is settled alone
                batch.done, effects.done = effects.done, []
            return effects

        effects = await self._core.ledger.run(step)
        if effects.done or effects.keep:
            await self._settle(effects)
        for conversation, device in effects.lost:
            self._core.soon(self._core.resync.begin, conversation, device)

    async def _settle(self, effects: Effects) -> None:
        try:
            await self._core.member.settle(effects.done, effects.keep)
        except Refusal as refusal:
            if refusal.code != "kept_full":
                raise
            await self._core.member.settle([*effects.done, *effects.keep], [])
        else:
            self._core.files.kept(effects.kept)

    async def _one(self, batch: Batch, item: Queued, effects: Effects, head: records.Head) -> None:
        id = envelope_id(item.envelope)
        if self._core.files.wants(id):
            effects.keep.append(item.number)
            effects.kept.append(id)
            return
        if item.number <= head.done and item.number not in head.held:
            effects.done.append(item.number)
            return
        try:
            opened = await self._open(batch, item)
        except OutOfStep as error:
            self._lost(batch, error.record, effects)
            effects.done.append(item.number)
            return
        except Refusal:
            # Of somebody, and unreadable for good.
            effects.done.append(item.number)
            return
        if opened is None:
            chunk = len(item.envelope) == CHUNK_SIZE and item.hour + HOLD_HOURS > self._core.hour()
            (effects.held if chunk else effects.done).append(item.number)
            return
        effects.done.append(item.number)
        said = _content_of(opened.payload, self._core.now())
        if said is not None:
            await self._core.reading.take(batch, opened.record, said, effects)

    def _lost(self, batch: Batch, record: records.Session, effects: Effects) -> None:
        lost = (record.conversation, record.peer.device)
        if lost in effects.lost:
            return
        effects.lost.append(lost)
        chat = self._core.chats.get(record.conversation)
        if chat is None:
            # Of a channel only: what is missing is asked for, in a new session.
            batch.set(records.session(self._core.seat.device, record.peer.device), None)
            return
        if chat.timeline.is_lost(record.peer.device):
            return  # one line says it until they are in step again
        event = {"k": "l", "at": self._core.now(), "id": secrets.token_bytes(16), "dev": lost[1]}
        batch.log(record.conversation, event)
        self._core.chats.show(batch, record.conversation)

    async def _open(self, batch: Batch, item: Queued) -> Opened | None:
        """By the session of the mailbox, as a first envelope, by any other session."""
        core = self._core
        marks = core.ledger.head.sessions
        own = next((mark for mark in marks if mark.handle == item.handle), None)
        record = await core.ledger.session(batch, own.peer) if own else None
        if record is not None and core.chats.state(record.conversation) == "blocked":
            return None
        opened = self._open_with(batch, record, item) if record else None
        if opened is not None:
            return opened
        initial = first.open_envelope(core.own(), item.envelope, item.hour)
        if initial is not None:
            return await self._accept(batch, initial, item.hour)
        # Who writes to the request mailbox was not told another one yet: it may be anybody's session.
        for device in [] if own else core.ledger.peers(batch):
            other = await core.ledger.session(batch, device)
            opened = self._open_with(batch, other, item) if other else None
            if opened is not None:
                return opened
        if record is not None and len(item.envelope) != CHUNK_SIZE:
            raise OutOfStep(record)
        return None

    def _open_with(self, batch: Batch, record: records.Session, item: Queued) -> Opened | None:
        message = item.envelope[1:]
        try:
            opened = peer.open_envelope(
                record.peer, item.envelope, self._core.hour(), secrets.token_bytes(32)
            )
        except Refusal as refusal:
            if refusal.code == "out_of_step":
                raise OutOfStep(record) from refusal
            if refusal.code in USED_AGAIN:
                self._used_again(batch, record, message, refusal)
            raise
        if opened is None:
            return None
        after = msgspec.structs.replace(record, peer=opened.peer, seen=replays.note(record.seen, message))
        batch.set(records.session(self._core.seat.device, record.peer.device), after)
        return Opened(after, opened.payload)

    def _used_again(
        self, batch: Batch, record: records.Session, message: bytes, refusal: Refusal
    ) -> NoReturn:
        """A header that came before is a replay; another one is of a device that was set back."""
        if replays.was_seen(record.seen, message):
            raise refusal
        after = msgspec.structs.replace(record, seen=replays.note(record.seen, message))
        batch.set(records.session(self._core.seat.device, record.peer.device), after)
        raise OutOfStep(record) from refusal

    async def _accept(self, batch: Batch, initial: first.Opened, hour: int) -> Opened | None:
        core, sender = self._core, initial.certificate
        device = core.seat.device
        known = await core.ledger.session(batch, sender.device)
        if known is not None and known.peer.identity != sender.identity:
            return None  # who signs another's device id under an own name gets neither handle nor routes
        conversation = self._core.reading.sender(sender)
        no_request = conversation is None
        if conversation is None and await core.channels.rooms.knows(sender.identity):
            conversation = self._core.reading.sender(sender, co_member=True)
        if conversation is None:
            return None
        prekeys = await batch.get(records.prekeys(device), records.Prekeys)
        keys = await batch.get(records.keys(device), records.Keys)
        if prekeys is None or keys is None:
            raise Refusal("damaged_store")
        secret = {one.id: one for one in prekeys.secrets}
        before = known.peer if known else None
        try:
            accepted = peer.accept(
                core.own(), initial, keys.lasting, secret, before, core.hour(), secrets.token_bytes(32)
            )
            if accepted.mark is not None:
                marks = [replays.Mark(one.mark, one.hour) for one in keys.replays]
                after = replays.remember(marks, accepted.mark, hour)
                stored = [records.ReplayMark(one.mark, one.hour) for one in after]
                batch.set(records.keys(device), msgspec.structs.replace(keys, replays=stored))
        except Refusal as refusal:
            # The prekey is gone: only a new session from here can help, and only somebody known gets one.
            if refusal.code == "out_of_step" and known is not None:
                raise OutOfStep(known) from refusal
            if refusal.code == "repeated" and known is not None:
                self._used_again(batch, known, initial.message, refusal)
            raise
        said = _content_of(accepted.payload, core.now())
        for_channel = said is not None and said["kind"] in channel_keys.KINDS
        if not for_channel and no_request:
            return None
        if said and for_channel and not await core.channels.rooms.knows(sender.identity, said["channel"]):
            return None  # keys of strangers are nobody's
        if accepted.one_time_id:
            left = [one for one in prekeys.secrets if one.id != accepted.one_time_id]
            batch.set(records.prekeys(device), msgspec.structs.replace(prekeys, secrets=left))
        # Nobody gets a place in the list before their message was read to its end.
        # Who has only a channel in common with us gets none.
        if not for_channel or core.chats.get(conversation) is not None:
            core.reading.enter(batch, conversation, sender)
        if known is None:
            await self._make_room(batch, conversation)
        record = records.Session(
            1,
            accepted.peer,
            conversation,
            known.handle if known else secrets.token_bytes(8),
            known.routes if known else [],
            known.told if known else b"",
            known.resynced if known else 0,
            replays.note(known.seen if known else b"", initial.message),
            known.tells if known else [],
        )
        batch.set(records.session(device, sender.device), record)
        return Opened(record, accepted.payload)

    async def _make_room(self, batch: Batch, conversation: str) -> None:
        """Whoever goes on signing new devices pushes out their own, those not heard of for longest first."""
        core = self._core
        found = [await core.ledger.session(batch, device) for device in core.ledger.peers(batch)]
        theirs = [one for one in found if one is not None and one.conversation == conversation]
        for one in theirs[: max(0, len(theirs) + 1 - MAX_DEVICES)]:
            batch.set(records.session(core.seat.device, one.peer.device), None)
            batch.after.append(partial(core.soon, core.member.drop_mailboxes, [one.handle]))


def host_of(sender: certificate.Certificate) -> str:
    """The onion address in a certificate."""
    return onion.address(sender.onion)


def _content_of(payload: bytes, now: int) -> dict[str, Any] | None:
    """The content in a payload as the log has it, of a newer version its time only; None: unreadable."""
    try:
        return plain(content.read(payload))
    except Refusal as refusal:
        if refusal.code != "unknown_version":
            return None
        return {"v": 0, "id": secrets.token_bytes(16), "kind": "newer", "sent": now}
