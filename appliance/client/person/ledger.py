"""The one place where a device's state changes.

Every step runs alone, collects its changes in a `Batch`, and counts only when the box has acknowledged all
of them together: what leaves the device leaves in that commit, or after it. The head record goes with every
batch; it keeps two clients from writing for one device.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial, reduce
from itertools import zip_longest
from typing import Any, Final, TypeVar

import msgspec
import trio

from appliance.client.entrance import Unanswered
from appliance.client.person import expiry, records
from appliance.client.person.vault import Displaced, Edit, Step, Vault
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.post import Dispatch
from appliance.protocol.vault import Left

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

FULL: Final = 8192
"""Octets after which a stretch of the log is full."""
PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds between tries while the box does not answer."""

LATER_SECONDS: Final = 3.0
"""How long changes without haste wait for others."""


class Batch:
    """The changes of one step; `touch` writes though nothing else changes, `left` gives the seat up."""

    def __init__(self, vault: Vault, device: bytes) -> None:
        self._vault = vault
        self.device = device
        self.edits: dict[str, tuple[list[Step], bool]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.head: list[Callable[[records.Head], records.Head]] = []
        self.after: list[Callable[[], None]] = []
        """To be done once it counts."""
        self.leaving: list[tuple[Dispatch, Callable[[Left | None], None]]] = []
        """What leaves in the commit that saves it, and who hears what the box said, if that is known."""
        self.done: list[int] = []
        """Numbers of the queue that were read: they are settled in the same commit."""
        self.shown: set[str] = set()
        """Conversations whose events are taken in by `after`."""
        self.touch = False
        self.left = False

    @property
    def empty(self) -> bool:
        """Whether nothing is to be written."""
        return not (self.edits or self.events or self.head or self.touch)

    def change(self, name: str, kind: type[S], step: Callable[[S | None], S | None]) -> None:
        """Change a record that other devices may change too; `step` may run several times."""

        def plain(now: Any) -> Any:
            before = now if now is None or isinstance(now, kind) else codec.convert(now, kind)
            after = step(before)
            return now if after is before else after

        self.edits.setdefault(name, ([], False))[0].append(plain)

    def set(self, name: str, value: msgspec.Struct | None) -> None:
        """Write a record that only this device writes."""
        self.edits[name] = ([lambda _: value], True)

    async def get(self, name: str, kind: type[S]) -> S | None:
        """A record as it will be after this batch."""
        (value,) = await self._vault.read(name)
        for step in self.edits.get(name, ([], False))[0]:
            value = step(value)
        if value is None or isinstance(value, kind):
            return value
        return codec.convert(value, kind)

    def log(self, conversation: str, event: dict[str, Any]) -> None:
        """Put an event at the end of this device's log of a conversation."""
        self.events.setdefault(conversation, []).append(event)

    def talk(self, conversation: str, step: Callable[[records.Talk], records.Talk]) -> None:
        """Change how it stands with a conversation, if it is there."""
        self.change(records.talk(conversation), records.Talk, lambda now: None if now is None else step(now))


class Ledger:
    """Runs steps one after the other. Owner: the person's nursery; any task may call `run`."""

    def __init__(self, vault: Vault, device: bytes, instance: bytes, now: Callable[[], float]) -> None:
        self.vault = vault
        self.device = device
        self._instance = instance
        self._now = now
        self._turn = trio.Lock()
        self._checked: set[bytes] = set()
        self._stopped = False
        self._unsure = False
        self._later: list[Callable[[Batch], None]] = []
        self._put_off = trio.Event()
        self.saved: Callable[[], None] = lambda: None
        """Called after each change that counts."""

    @property
    def head(self) -> records.Head:
        """The device's head record as last written."""
        return codec.convert(self.vault.peek(records.head(self.device)), records.Head)

    async def run(self, step: Callable[[Batch], Awaitable[T]]) -> T:
        """Run a step alone; its changes are acknowledged by the box when this returns.

        Raises Displaced when another client sits on this device, or what the step raises.
        """
        async with self._turn:
            if self._stopped:
                raise Displaced
            if self._unsure:
                # A step was cut while its changes were on their way: they may have counted.
                self.vault.changed(await self.vault.pull())
                self._unsure = False
            batch = Batch(self.vault, self.device)
            waiting, self._later = self._later, []
            try:
                for change in waiting:
                    change(batch)
                result = await step(batch)
                if not batch.empty:
                    await self._persist(batch)
            except BaseException:
                self._later = waiting + self._later
                raise
            for after in batch.after:
                after()
            return result

    def later(self, change: Callable[[Batch], None]) -> None:
        """Join the next step, or one of its own after a while: for what may wait."""
        self._later.append(change)
        self._put_off.set()

    async def flush(self) -> None:
        """Write now what was put off."""
        if self._later:
            await self.run(_nothing)

    async def keep_flushing(self) -> None:
        """Write what was put off, a while after it came."""
        while True:
            await self._put_off.wait()
            self._put_off = trio.Event()
            await trio.sleep(LATER_SECONDS)
            await self.flush()

    async def leave(self) -> None:
        """Give the seat up, as the last thing that is written."""

        async def step(batch: Batch) -> None:
            batch.touch = batch.left = True

        await self.run(step)

    async def touch(self) -> None:
        """Show that somebody sits on this device."""

        async def step(batch: Batch) -> None:
            batch.touch = True

        await self.run(step)

    async def session(self, batch: Batch, peer: bytes) -> records.Session | None:
        """The session record with a peer's device, checked once against the head."""
        name = records.session(self.device, peer)
        record = await batch.get(name, records.Session)
        if peer not in self._checked:
            self._checked.add(peer)
            mark = next((each for each in self.head.sessions if each.peer == peer), None)
            if (mark.version if mark else 0) != self.vault.version(name):
                self._stopped = True
                raise Displaced
        return record

    def peers(self, batch: Batch) -> list[bytes]:
        """The devices there are sessions with, those of this batch included."""
        prefix = records.session(self.device, b"")
        fresh = [bytes.fromhex(name.removeprefix(prefix)) for name in batch.edits if name.startswith(prefix)]
        return list(dict.fromkeys([mark.peer for mark in self.head.sessions] + fresh))

    async def _persist(self, batch: Batch) -> None:
        for conversation, events in batch.events.items():
            await self._place(batch, conversation, events)
        write = secrets.token_bytes(8)
        head = self._next_head(batch, write)

        def sit(now: Any) -> Any:
            if now is None or now["instance"] != self._instance:
                raise Displaced
            return head

        batch.edits[records.head(self.device)] = ([sit], True)
        edits = [Edit(name, _together(steps), owned) for name, (steps, owned) in batch.edits.items()]
        dispatches = [dispatch for dispatch, _ in batch.leaving]
        self._unsure = True
        failures = 0
        while True:
            try:
                left = await self.vault.commit(
                    edits, lambda: self.head.write == write, dispatches, batch.done
                )
            except Displaced:
                self._stopped = True
                raise
            except Unanswered:
                await trio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
            except Refusal:
                self._unsure = False
                raise
            else:
                self._unsure = False
                self.saved()
                for (_, answered), one in zip_longest(batch.leaving, left):
                    batch.after.append(partial(answered, one))
                return

    async def _place(self, batch: Batch, conversation: str, events: list[dict[str, Any]]) -> None:
        talk = await batch.get(records.talk(conversation), records.Talk)
        count = 0 if talk is None else talk.segments.get(self.device.hex(), 0)
        last = None
        if count:
            (last,) = await self.vault.read(records.segment(self.device, conversation, count))
        full = last is None or len(codec.encode(last)) > FULL
        number = count + 1 if full else count

        def add(segment: records.Segment | None) -> records.Segment:
            return records.Segment(1, [*(segment.events if segment else []), *events])

        batch.change(records.segment(self.device, conversation, number), records.Segment, add)
        batch.talk(conversation, lambda now: expiry.noted(now, self.device.hex(), number, events))
        if full:
            batch.talk(
                conversation,
                lambda now: msgspec.structs.replace(
                    now, segments={**now.segments, self.device.hex(): number}
                ),
            )

    def _next_head(self, batch: Batch, write: bytes) -> records.Head:
        head = reduce(lambda value, step: step(value), batch.head, self.head)
        prefix = records.session(self.device, b"")
        marks = {mark.peer: mark for mark in head.sessions}
        for name, (steps, _) in batch.edits.items():
            if not name.startswith(prefix):
                continue
            peer = bytes.fromhex(name.removeprefix(prefix))
            record = reduce(lambda value, one: one(value), steps, None)
            marks.pop(peer, None)
            if record is not None:
                marks[peer] = records.SessionMark(record.handle, peer, self.vault.version(name) + 1)
        return msgspec.structs.replace(
            head,
            sessions=list(marks.values()),
            generation=head.generation + 1,
            write=write,
            alive=int(self._now()),
            left=batch.left,
        )


def _together(steps: list[Step]) -> Step:
    return lambda now: reduce(lambda value, one: one(value), steps, now)


async def _nothing(batch: Batch) -> None:
    """The step that only takes along what was put off."""
