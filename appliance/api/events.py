"""The event socket: a WebSocket of one member's device (SPEC.md, "Events").

It tells news, and takes what a device hands over all day long: dispatches, what it has settled, changes of
its vault, messages of channels. A request would cost more, and over Tor often a new connection.

One task reads and works, one passes events on from the feed of the sign-in. News that many hear, and mail, go
out from the feed's own step (`take`) as long as the peer keeps up, so that no task has to run for each of
them. Frames that arrived together share a commit. The reader takes nothing new before its answers are sent,
so a peer that does not read stops itself; a peer that falls behind its feed hears "reset".
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import trio

from appliance.api import frames
from appliance.api.call import Visit
from appliance.api.gate import Gate
from appliance.api.limits import Bucket
from appliance.api.socket import Socket, read_upgrade
from appliance.api.wire import GONE, Wire
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.channel import PostChannel
from appliance.protocol.post import MAX_SOCKET_MESSAGE, Dispatch, Event, Settle, Signal
from appliance.protocol.stream import MAX_ID, problems
from appliance.protocol.vault import Change
from appliance.service.caller import Caller

if TYPE_CHECKING:
    from appliance.service.box import Box
    from appliance.service.feed import Feed

READ_OCTETS: Final = 64 * 1024
CLOSE_ENDED: Final = 4001
CLOSE_TOO_MANY: Final = 4002

Request = tuple[int, Any]
"""Number and message."""


class EventSocket(Socket):
    """One open socket."""

    name = "events"

    def __init__(self, box: Box, wire: Wire, caller: Caller, feed: Feed, ahead: bytes) -> None:
        super().__init__(box, wire, MAX_SOCKET_MESSAGE)
        self._caller = caller
        self._feed = feed
        self._after = feed.last
        """The number of the last event that was sent."""
        self._bell: trio.Event | None = None
        """What the passing task waits on while there is nothing new."""
        self._ahead = ahead
        self._bucket = Bucket(box.config.event_messages, trio.current_time())
        self._code = frames.CLOSE_AWAY
        self._scope = trio.CancelScope()

    @classmethod
    async def accept(cls, box: Box, gate: Gate, visit: Visit, wire: Wire) -> EventSocket:
        """Read the request head and answer the upgrade; raises the `Refusal` that the peer should get."""
        upgrade = await read_upgrade(box, gate, visit, wire)
        query = parse_qs(upgrade.target.partition(b"?")[2].decode("latin-1"))
        caller = box.post.events.redeem(query.get("ticket", [""])[0])
        feed = box.post.events.open(caller)
        await wire.send_all(upgrade.response)
        return cls(box, wire, caller, feed, upgrade.ahead)

    def retire(self) -> None:
        """The box stops: finish the present work, then close with 1001."""
        self._wire.stop_reading()

    async def run(self) -> None:
        """Serve until either side closes or the sign-in ends."""
        events = self._box.post.events
        events.enter(self._feed, self)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._pass_on)
                    nursery.start_soon(self._keep_alive, self._scope.cancel)
                    code = await self._serve()
                    self._code = code if self._code == frames.CLOSE_AWAY else self._code
                    nursery.cancel_scope.cancel()
        finally:
            events.leave(self._feed, self)
        await self._close(self._code)

    # What the feed calls

    def evict(self) -> None:
        """Make room for a newer socket of the sign-in."""
        self._code = CLOSE_TOO_MANY
        self._scope.cancel()

    def wake(self) -> None:
        """There is something new: the passing task sends it."""
        if self._bell is not None:
            self._bell.set()

    def take(self) -> None:
        """Send what is new now, if the passing task waits and the kernel takes it; else wake that task."""
        bell = self._bell
        if bell is None or bell.is_set() or not self._is_free:
            self.wake()
            return
        try:
            if not self._try_send(self._news()):
                bell.set()
        except GONE:
            self._cut = True
            self._scope.cancel()
        except Exception as error:  # the sender's step goes on, for the others
            self._box.count_fault("events", error)
            self._code = frames.CLOSE_FAULT
            self._scope.cancel()

    # Tasks

    async def _serve(self) -> int:
        try:
            data = self._ahead
            while True:
                if data:
                    await self._take(data)
                if self._frames.closing is not None:
                    return self._frames.closing
                data = await self._wire.receive_some(READ_OCTETS)
                if not data:
                    return frames.CLOSE_AWAY
        except frames.Closing as closing:
            return closing.code
        except GONE:
            self._cut = True
            return frames.CLOSE_AWAY
        except Exception as error:
            self._box.count_fault("events", error)
            return frames.CLOSE_FAULT

    async def _take(self, data: bytes) -> None:
        """Work on all that arrived together; dispatches and settlements share a commit."""
        self._received += 1
        dispatches: list[Request] = []
        settlements: list[Request] = []
        for message in self._frames.feed(data):
            word, body, number = _read_frame(message)
            wait = self._bucket.take(self._box.config.event_messages, trio.current_time())
            if wait > 0:  # over the limit the socket is read more slowly
                await self._work(dispatches, settlements)
                await trio.sleep(wait)
            try:
                match word:
                    case "dispatch":
                        dispatches.append((number, codec.convert(body, Dispatch)))
                    case "settle":
                        settlements.append((number, codec.convert(body, Settle)))
                    case "signal":
                        self._box.post.signals.send(self._caller, codec.convert(body, Signal))
                        if number:
                            await self._send(_answer("signalled", {}, number))
                    case "change" | "post":
                        await self._work(dispatches, settlements)  # in the order in which they came
                        await self._send(await self._write(word, body, number))
                    case _:
                        raise Refusal("method")
            except Refusal as refusal:
                await self._send(self._refusal(refusal, number))
        await self._work(dispatches, settlements)
        if self._frames.replies:
            replies, self._frames.replies = self._frames.replies, bytearray()
            await self._send(replies)

    async def _work(self, dispatches: list[Request], settlements: list[Request]) -> None:
        """Do what was gathered, side by side, and send all answers at once; the lists are empty then."""
        answers: list[bytes] = []
        if settlements and dispatches:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._settle, settlements[:], answers)
                await self._dispatch(dispatches, answers)
        elif dispatches:
            await self._dispatch(dispatches, answers)
        elif settlements:
            await self._settle(settlements, answers)
        dispatches.clear()
        settlements.clear()
        if answers:
            await self._send(b"".join(answers))

    async def _dispatch(self, requests: Sequence[Request], answers: list[bytes]) -> None:
        try:
            found = await self._box.post.dispatch.send_all(self._caller, [one for _, one in requests])
        except Refusal as refusal:
            found = [refusal] * len(requests)
        for (number, _), answer in zip(requests, found, strict=True):
            if isinstance(answer, Refusal):
                answers.append(self._refusal(answer, number))
            else:
                answers.append(_answer("dispatched", answer, number))

    async def _settle(self, requests: Sequence[Request], answers: list[bytes]) -> None:
        """All in one go; where that is refused, one by one: each gets its own answer."""
        whole = Settle(
            [number for _, one in requests for number in one.done],
            [number for _, one in requests for number in one.keep],
        )
        try:
            await self._box.post.queue.settle(self._caller, whole)
        except Refusal as refusal:
            if len(requests) == 1:
                answers.append(self._refusal(refusal, requests[0][0]))
                return
            for one in requests:
                await self._settle([one], answers)
            return
        answers += [_answer("settled", {}, number) for number, _ in requests]

    async def _write(self, word: str, body: Any, number: int) -> bytes:
        """Change the vault, or post to a channel; the answer once it is durable."""
        began = perf_counter()
        try:
            if word == "change":
                changed = await self._box.vault.change(self._caller, codec.convert(body, Change))
                return _answer("changed", changed, number)
            posted = await self._box.channel_posts.post(self._caller, codec.convert(body, PostChannel))
            return _answer("posted", posted, number)
        finally:
            self._box.note_time(f"events {word}", perf_counter() - began)

    def _refusal(self, refusal: Refusal, number: int) -> bytes:
        self._box.count_refusal("events", refusal.code)
        return _answer("refused", problems(refusal), number)

    async def _pass_on(self) -> None:
        """Pass events on until the sign-in ends."""
        feed = self._feed
        try:
            await self._send(frames.binary(codec.encode(Event(self._after, "hello"))))
            while True:
                if self._after < feed.last or self._rest:
                    await self._send(self._news())
                elif feed.ended:
                    self._code = CLOSE_ENDED
                    self._scope.cancel()
                    return
                else:
                    self._bell = trio.Event()
                    await self._bell.wait()
        except GONE:
            self._cut = True
            self._scope.cancel()
        finally:
            self._bell = None

    def _news(self) -> bytes:
        """The events that were not sent yet, as frames."""
        found = self._feed.after(self._after)
        self._after = self._feed.last
        return b"".join([frames.binary(entry.data) for entry in found])


def _answer(word: str, body: Any, number: int) -> bytes:
    return frames.binary(codec.encode([word, body, number]))


def _read_frame(message: bytes) -> tuple[str, Any, int]:
    """Word, body and number of a client's message; one that has none ends the socket."""
    try:
        frame = codec.decode(message)
    except Refusal as refusal:
        raise frames.Closing(frames.CLOSE_DATA) from refusal
    if type(frame) is not list or len(frame) not in (2, 3):
        raise frames.Closing(frames.CLOSE_DATA)
    word, body, *rest = frame
    number = rest[0] if rest else 0
    if type(word) is not str or type(number) is not int or not 0 <= number <= MAX_ID:
        raise frames.Closing(frames.CLOSE_DATA)
    return word, body, number
