"""The relay stream: a WebSocket that carries relay operations as CBOR frames (SPEC.md, "Stream").

One task reads and works, so that operations take effect in the order they came: everything that
arrived together and only deposits becomes one deposit, which the store commits at once. The reader
takes nothing new before its answers are sent, so a peer that does not read stops itself, and what
one stream can hold in memory is one message, one read and one answer. A second task passes "look"
events on; they are coalesced before they reach it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from appliance.api import frames
from appliance.api.call import Visit
from appliance.api.gate import Gate
from appliance.api.limits import Bucket, Memory
from appliance.api.socket import Socket, read_upgrade
from appliance.api.wire import GONE, Wire
from appliance.errors import REFUSALS, Refusal
from appliance.protocol import stream as wire_format
from appliance.protocol.messages import (
    Acknowledge,
    Deposit,
    Deposited,
    Fetch,
    Message,
    Outcome,
    Subscribe,
)
from appliance.protocol.stream import Hello, Look, Subscribed

if TYPE_CHECKING:
    from appliance.service.arrivals import Watcher
    from appliance.service.box import Box

READ_OCTETS = 128 * 1024
ANSWERS_OCTETS = 256 * 1024
"""Answers are sent at the latest when so much has gathered."""

Request = tuple[int, Deposit]


def settle(outcomes: list[list[Outcome]]) -> None:
    """Raise the refusal that all envelopes of a deposit got, if it is one and the same."""
    states = {outcome.state for group in outcomes for outcome in group}
    if len(states) == 1:
        state = states.pop()
        if state in REFUSALS:
            raise Refusal(state)


class RelayStream(Socket):
    """One open stream."""

    name = "stream"

    def __init__(self, box: Box, wire: Wire, memory: Memory, ahead: bytes) -> None:
        config = box.config
        super().__init__(box, wire, config.body_octets)
        self._memory = memory
        self._reserved = 0
        self._ahead = ahead
        self._bucket = Bucket(config.stream_operations, trio.current_time())
        self._book = box.relay.open_stream()
        self._watcher: Watcher | None = None
        self._answers = bytearray()
        self._retiring = False

    @classmethod
    async def accept(cls, box: Box, gate: Gate, visit: Visit, wire: Wire) -> RelayStream:
        """Read the request head and answer the upgrade; raises the `Refusal` that the peer should get."""
        upgrade = await read_upgrade(box, gate, visit, wire)
        await wire.send_all(upgrade.response)
        return cls(box, wire, gate.limits.memory, upgrade.ahead)

    def retire(self) -> None:
        """The box stops: finish the present work, then close with 1001."""
        self._retiring = True
        self._wire.stop_reading()

    async def run(self) -> None:
        """Serve until either side closes."""
        code = frames.CLOSE_AWAY
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_alive, nursery.cancel_scope.cancel)
                code = await self._serve(nursery)
                nursery.cancel_scope.cancel()
        finally:
            self._memory.give_back(self._reserved)
            if self._watcher is not None:
                self._watcher.close()
        await self._close(frames.CLOSE_AWAY if self._retiring else code)

    async def _serve(self, nursery: trio.Nursery) -> int:
        try:
            hello = Hello(self._book.prefix, wire_format.VERSION)
            await self._send(frames.binary(wire_format.write_event(hello)))
            data = self._ahead
            while True:
                if data:
                    await self._take(data, nursery)
                if self._frames.closing is not None:
                    return self._frames.closing
                data = await self._wire.receive_some(READ_OCTETS)
                if not data:
                    return frames.CLOSE_AWAY
        except frames.Closing as closing:
            await self._flush()
            return closing.code
        except GONE:
            self._cut = True
            return frames.CLOSE_AWAY
        except Exception as error:
            self._box.count_fault("stream", error)
            return frames.CLOSE_FAULT

    async def _take(self, data: bytes, nursery: trio.Nursery) -> None:
        self._received += 1
        batch: list[Request] = []
        for message in self._frames.feed(data):
            try:
                frame = wire_format.read_request(message)
            except Refusal as refusal:
                await self._deposit(batch)
                self._answer(wire_format.write_refusal(0, refusal))
                raise frames.Closing(frames.CLOSE_DATA) from refusal
            try:
                request = frame.message()
            except Refusal as refusal:
                self._refuse(frame.id, refusal)
                continue
            if isinstance(request, Deposit):
                batch.append((frame.id, request))
                continue
            await self._deposit(batch)
            batch = []
            await self._run(frame.id, request, nursery)
        await self._deposit(batch)
        self._reserve()
        if self._frames.replies:
            self._answers += self._frames.replies
            self._frames.replies.clear()
        await self._flush()

    async def _deposit(self, batch: list[Request]) -> None:
        if batch:
            await self._spend(sum(len(group.envelopes) for _, request in batch for group in request.groups))
            await self._commit(batch)

    async def _commit(self, batch: list[Request]) -> None:
        """Deposit all in one go; when that is refused, one by one: each gets its own answer."""
        whole = batch[0][1]
        if len(batch) > 1:
            whole = Deposit([group for _, request in batch for group in request.groups])
        try:
            deposited = await self._box.relay.deposit(whole)
        except Refusal as refusal:
            if len(batch) == 1:
                self._refuse(batch[0][0], refusal)
                return
            for entry in batch:
                await self._commit([entry])
            return
        start = 0
        for number, request in batch:
            stop = start + len(request.groups)
            outcomes = deposited.groups[start:stop]
            start = stop
            try:
                settle(outcomes)
            except Refusal as refusal:
                self._refuse(number, refusal)
            else:
                self._answer(wire_format.write_answer(number, Deposited(outcomes)))

    async def _run(self, number: int, request: Message, nursery: trio.Nursery) -> None:
        await self._spend(1)
        relay = self._box.relay
        answer: Message
        try:
            match request:
                case Fetch():
                    fetched = await relay.fetch(request, self._book)
                    await self._spend(len(fetched.envelopes))
                    answer = fetched
                case Acknowledge():
                    answer = await relay.acknowledge(request, self._book)
                case Subscribe():
                    if self._watcher is None:
                        self._watcher = relay.watcher()
                        nursery.start_soon(self._push, self._watcher)
                    await relay.subscribe(request, self._book, self._watcher)
                    answer = Subscribed()
                case _:
                    raise Refusal("method")
        except Refusal as refusal:
            self._refuse(number, refusal)
        else:
            self._answer(wire_format.write_answer(number, answer))
        if len(self._answers) > ANSWERS_OCTETS:
            await self._flush()

    def _reserve(self) -> None:
        """Count a message that comes in many pieces against what all strangers may hold together."""
        pending = self._frames.pending
        if pending <= READ_OCTETS:
            pending = 0
        if pending != self._reserved:
            self._memory.give_back(self._reserved)
            self._reserved = 0
            try:
                self._memory.take(pending)
            except Refusal as refusal:
                raise frames.Closing(frames.CLOSE_LATER) from refusal
            self._reserved = pending

    def _refuse(self, number: int, refusal: Refusal) -> None:
        self._box.count_refusal("stream", refusal.code)
        self._answer(wire_format.write_refusal(number, refusal))

    def _answer(self, message: bytes) -> None:
        self._answers += frames.frame_head(len(message))
        self._answers += message

    async def _spend(self, count: int) -> None:
        """Count against the stream's budget; over it the stream waits, and so does its peer."""
        rate = self._box.config.stream_operations
        wait = self._bucket.take(rate, trio.current_time(), count)
        if wait > 0:
            await self._flush()
            await trio.sleep(wait)

    async def _push(self, watcher: Watcher) -> None:
        try:
            while True:
                looks = await watcher.next()
                events = [frames.binary(wire_format.write_event(Look(mailbox))) for mailbox in looks]
                await self._send(b"".join(events))
        except GONE:
            return  # The reader finds the same and ends the stream.

    async def _flush(self) -> None:
        if not self._answers:
            return
        answers, self._answers = self._answers, bytearray()
        if len(answers) <= READ_OCTETS:
            await self._send(answers)
            return
        with self._memory.hold() as take:
            try:
                take(len(answers))
            except Refusal as refusal:
                raise frames.Closing(frames.CLOSE_LATER) from refusal
            await self._send(answers)
