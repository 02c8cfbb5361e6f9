"""Dispatches: handed to the box one after the other until it has them, and how it stands with each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import trio

from appliance.client.entrance import Unanswered
from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.whole import MARK, mark_of
from appliance.errors import Refusal
from appliance.protocol.post import Dispatch, DispatchState, Leg
from appliance.protocol.vault import MAX_DISPATCHES, Left

if TYPE_CHECKING:
    from appliance.client.person.core import Core

BOUNCED: Final = frozenset({"no_mailbox", "capability", "no_account"})
"""Reasons of a leg that say: the routes are not good any more."""
UNDERWAY: Final = frozenset({"waiting", "partly", "relay"})
"""States of a leg that may still become `box`."""
LATER: Final = frozenset({"busy", "too_many", "disk_full", "locked", "fault"})
"""Refusals that say nothing of the dispatch: the box will take it later."""
WITH_A_CHANGE: Final = 256 * 1024
"""Octets of envelopes that go with a change of the vault; beyond, they go after it."""
FORGOTTEN_HOURS: Final = 24 * 14
"""After so long a dispatch that the box does not know was done long ago."""


@dataclass
class Job:
    """A dispatch on its way to the box."""

    dispatch: Dispatch
    over: trio.Event = field(default_factory=trio.Event)
    refusal: Refusal | None = None

    async def wait(self) -> None:
        """Wait until the box has it; raises the box's Refusal."""
        await self.over.wait()
        if self.refusal is not None:
            raise self.refusal


class Dispatcher:
    """What is handed over. Owner: the task that runs `run`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._jobs: deque[Job] = deque()
        self._wake = trio.Event()
        self._bounced: set[tuple[bytes, bytes]] = set()
        self.states: dict[bytes, DispatchState] = {}
        self.messages: dict[bytes, tuple[str, bytes]] = {}
        """Which message (conversation, id) left with a dispatch."""
        self._parts: dict[bytes, set[bytes]] = {}
        """Dispatches by how their ids begin."""
        self.looked = 0

    def leave(self, batch: Batch, dispatch: Dispatch) -> Job:
        """Leave in the commit that saves what was sealed: one way to the box for both.

        What waits here already goes first.
        """
        job = Job(dispatch)
        octets = _octets(dispatch) + sum(_octets(one) for one, _ in batch.leaving)
        if self._jobs or len(batch.leaving) == MAX_DISPATCHES or octets > WITH_A_CHANGE:
            batch.after.append(lambda: self._put(job))
        else:
            batch.leaving.append((dispatch, lambda left: self._answered(job, left)))
        return job

    def _answered(self, job: Job, left: Left | None) -> None:
        if left is not None and left.state is not None:
            self._left(job.dispatch.id)
            self.heard(left.state)
            job.over.set()
        elif left is not None and left.refused is not None and left.refused not in LATER:
            self._turned_away(job, Refusal(left.refused))
            job.over.set()
        else:
            self._put(job)

    async def send_now(self, dispatch: Dispatch) -> None:
        """Hand over and wait until the box has it, for what was saved before; raises the box's Refusal."""
        job = Job(dispatch)
        self._put(job)
        await job.wait()

    def _put(self, job: Job) -> None:
        self._jobs.append(job)
        self._wake.set()

    async def idle(self) -> None:
        """Wait until everything was handed over."""
        while self._jobs:
            await self._jobs[-1].over.wait()

    async def run(self) -> None:
        """Hand over whatever comes."""
        failures = 0
        while True:
            if not self._jobs:
                self._wake = trio.Event()
                await self._wake.wait()
                continue
            job = self._jobs[0]
            try:
                state = await self._core.member.dispatch(job.dispatch)
            except Unanswered:
                await self._core.pause(failures)
                failures += 1
                continue
            except Refusal as refusal:
                if refusal.code in LATER:
                    await self._core.pause(failures)
                    failures += 1
                    continue
                self._turned_away(job, refusal)
            else:
                failures = 0
                self._left(job.dispatch.id)
                self.heard(state)
            self._jobs.popleft()
            job.over.set()

    def _turned_away(self, job: Job, refusal: Refusal) -> None:
        job.refusal = refusal
        self._refused(job.dispatch.id, refusal.code)

    def learn(self, conversation: str, events: Iterable[dict[str, Any]]) -> None:
        """Remember which messages left with which dispatches."""
        for event in events:
            if event["k"] == "m" and event.get("d"):
                self.messages[event["d"]] = (conversation, event["c"]["id"])

    def heard(self, state: DispatchState) -> None:
        """How it stands with a dispatch, from an answer or an event."""
        self.states[state.id] = state
        self._parts.setdefault(state.id[:MARK], set()).add(state.id)
        for leg in state.legs:
            if leg.state == "given_up" and leg.reason in BOUNCED:
                self._core.soon(self._bounce, state.id, leg)
        self._core.tell()

    async def look(self) -> set[bytes]:
        """Ask how it stands with all of them; their ids."""
        answer = await self._core.member.dispatches()
        self.looked = self._core.now()
        for state in answer.dispatches:
            self.heard(state)
        return {state.id for state in answer.dispatches}

    async def recover(self, known: set[bytes]) -> None:
        """After a start: send anew what was saved and does not seem to have left."""
        record = await self._core.vault.get(records.outgoing(self._core.seat.device), records.Outgoing)
        for entry in record.entries if record else []:
            old = self._core.hour() - entry.hour > FORGOTTEN_HOURS
            if entry.dispatch not in known and not old:
                try:
                    await self._core.chats.resend(entry.conversation, entry.id)
                except Refusal as refusal:
                    if refusal.code in ("unreachable", "tor_off", "busy", "too_many"):
                        continue
            self._left(entry.dispatch)

    def is_underway(self, dispatch: bytes) -> bool:
        """Whether a dispatch waits here, or may still arrive from where it is."""
        state = self.states.get(dispatch)
        if any(job.dispatch.id == dispatch for job in self._jobs):
            return True
        return state is not None and any(leg.state in UNDERWAY for leg in state.legs)

    def parts(self, message: bytes) -> list[DispatchState]:
        """How it stands with those dispatches of a message's chunks that are not with everybody's box."""
        states = [self.states[one] for one in self._parts.get(mark_of(message), ())]
        return [state for state in states if any(leg.state != "box" for leg in state.legs)]

    def is_over(self, dispatch: bytes | None) -> bool:
        """Whether a dispatch was handed over and the box says no more of it: then everything was placed."""
        record = self._core.vault.peek(records.outgoing(self._core.seat.device))
        waiting = {entry["dispatch"] for entry in record["entries"]} if record else set()
        return bool(self.looked) and dispatch is not None and dispatch not in waiting

    def _left(self, dispatch: bytes) -> None:
        def change(now: records.Outgoing | None) -> records.Outgoing | None:
            if now is None or all(entry.dispatch != dispatch for entry in now.entries):
                return now
            return records.Outgoing(1, [entry for entry in now.entries if entry.dispatch != dispatch])

        name = records.outgoing(self._core.seat.device)
        self._core.ledger.later(lambda batch: batch.change(name, records.Outgoing, change))

    def _refused(self, dispatch: bytes, code: str) -> None:
        self._left(dispatch)
        if dispatch in self.messages:
            self._core.soon(self._note_failure, *self.messages[dispatch], code)

    async def _note_failure(self, conversation: str, message: bytes, code: str) -> None:
        async def step(batch: Batch) -> None:
            batch.log(conversation, {"k": "f", "at": self._core.now(), "id": message, "code": code})
            self._core.chats.show(batch, conversation)

        await self._core.ledger.run(step)

    async def _bounce(self, dispatch: bytes, leg: Leg) -> None:
        """The other side's mailbox is gone: look them up and send this message once more to that device."""
        if (dispatch, leg.handle) in self._bounced:
            return
        self._bounced.add((dispatch, leg.handle))
        message = self.messages.get(dispatch)
        if message is None:
            await self._core.routes.bounced(dispatch, leg.handle)
            return
        mark = next((one for one in self._core.ledger.head.sessions if one.handle == leg.handle), None)
        if mark is None:
            return

        async def step(batch: Batch) -> None:
            record = await self._core.ledger.session(batch, mark.peer)
            if record is not None:
                name = records.session(self._core.seat.device, mark.peer)
                batch.set(name, msgspec.structs.replace(record, routes=[]))

        await self._core.ledger.run(step)
        entry = await self._core.people.refresh(message[0])
        # A device that is gone may have a successor, which has not got the message: then all get it.
        there = any(one.device == mark.peer for one in entry.devices)
        await self._core.chats.resend(*message, mark.peer if there else None)


def stage(state: DispatchState | None) -> Literal["waiting", "relay", "box", "failed"]:
    """How far the best leg of a dispatch came: waiting, relay, box, failed."""
    legs = [leg.state for leg in state.legs] if state else []
    if "box" in legs:
        return "box"
    if "relay" in legs:
        return "relay"
    return "failed" if legs and set(legs) == {"given_up"} else "waiting"


def _octets(dispatch: Dispatch) -> int:
    return sum(len(one) for one in dispatch.envelopes)
