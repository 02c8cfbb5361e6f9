"""The relay stream's client against a small relay that speaks the frames of protocol.stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
)

from appliance.client.entrance import Entrance, Unanswered
from appliance.client.stream import RelayStream, open_stream
from appliance.errors import Refusal
from appliance.protocol import mailbox, stream
from appliance.protocol.keys import SigningKey
from appliance.protocol.messages import Acknowledged, Deposit, Deposited, DepositGroup, Fetched, Outcome

HOST = "a" * 56 + ".onion"
KEY = SigningKey(bytes(range(32)))
PREFIX = bytes(range(100, 124))

Reply = Callable[["FakeRelay", stream.Frame], list[bytes]]


class FakeRelay:
    """The server's end of one stream; `reply` says which frames answer a request."""

    def __init__(self, end: trio.abc.Stream, reply: Reply) -> None:
        self.end = end
        self.reply = reply
        self.websocket = WSConnection(ConnectionType.SERVER)
        self.frames: list[stream.Frame] = []
        self.pongs: list[bytes] = []

    async def send(self, *events: Any) -> None:
        await self.end.send_all(b"".join(self.websocket.send(event) for event in events))

    async def run(self) -> None:
        while True:
            try:
                data = await self.end.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            self.websocket.receive_data(bytes(data) or None)
            for event in self.websocket.events():
                match event:
                    case Request():
                        await self.welcome()
                    case BytesMessage(data=data):
                        frame = stream.read_request(bytes(data))
                        self.frames.append(frame)
                        await self.send(*(BytesMessage(data=frame) for frame in self.reply(self, frame)))
                    case Pong(payload=payload):
                        self.pongs.append(bytes(payload))
                    case CloseConnection():
                        return
            if not data:
                return

    async def welcome(self) -> None:
        hello = stream.write_event(stream.Hello(nonce=PREFIX, version=stream.VERSION))
        await self.send(AcceptConnection(), BytesMessage(data=hello))


@asynccontextmanager
async def opened(
    reply: Reply, kind: type[FakeRelay] = FakeRelay
) -> AsyncIterator[tuple[RelayStream, FakeRelay]]:
    near, far = trio.testing.memory_stream_pair()
    relay = kind(far, reply)

    async def dial() -> trio.abc.Stream:
        return near

    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay.run)
        try:
            async with open_stream(Entrance(HOST, dial), HOST) as client:
                yield client, relay
        except Exception as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def held(relay: FakeRelay, frame: stream.Frame) -> list[bytes]:
    request = frame.message()
    assert isinstance(request, Deposit)
    outcomes = [[Outcome(state="held", expires_hour=9) for _ in group.envelopes] for group in request.groups]
    return [stream.write_answer(frame.id, Deposited(groups=outcomes))]


def batch(fill: int) -> Deposit:
    group = DepositGroup(
        mailbox=bytes(20), capability=bytes(32), ttl_hours=1, envelopes=[bytes([fill]) * 960]
    )
    return Deposit(groups=[group])


async def test_a_deposit_is_answered() -> None:
    async with opened(held) as (client, _):
        assert (await client.deposit(batch(1))).groups == [[Outcome(state="held", expires_hour=9)]]


async def test_answers_in_any_order_reach_their_askers() -> None:
    waiting: list[stream.Frame] = []

    def backwards(relay: FakeRelay, frame: stream.Frame) -> list[bytes]:
        waiting.append(frame)
        if len(waiting) < 10:
            return []
        return [
            stream.write_answer(f.id, Acknowledged(removed=f.message().groups[0].envelopes[0][0]))
            for f in reversed(waiting)
        ]

    async with opened(backwards) as (client, _):
        pending = [client.submit(batch(n)) for n in range(10)]
        assert [(await p.read(Acknowledged)).removed for p in pending] == list(range(10))


async def test_every_request_is_signed_with_a_rising_counter() -> None:
    def fetched(relay: FakeRelay, frame: stream.Frame) -> list[bytes]:
        return [stream.write_answer(frame.id, Fetched(envelopes=[], more=False))]

    async with opened(fetched) as (client, relay):
        await client.fetch(KEY, limit=3)
        await client.fetch(KEY, after=7, acknowledge=[bytes(16)])
        requests = [frame.message() for frame in relay.frames]
    counters = []
    for request in requests:
        mailbox.verify_request(KEY.public, HOST, request)
        counters.append(stream.counter(PREFIX, request.auth.nonce))
    assert counters == sorted(set(counters))


async def test_a_refusal_reaches_its_asker_only() -> None:
    def full_once(relay: FakeRelay, frame: stream.Frame) -> list[bytes]:
        if len(relay.frames) == 1:
            return [stream.write_refusal(frame.id, Refusal("mailbox_full", limit=128))]
        return held(relay, frame)

    async with opened(full_once) as (client, _):
        with pytest.raises(Refusal) as caught:
            await client.deposit(batch(1))
        assert (caught.value.code, caught.value.details) == ("mailbox_full", {"limit": 128})
        assert await client.deposit(batch(2))


async def test_looks_are_gathered() -> None:
    one, two = bytes(20), bytes([2]) * 20

    def look(relay: FakeRelay, frame: stream.Frame) -> list[bytes]:
        looks = [stream.write_event(stream.Look(mailbox=m)) for m in (one, two, one)]
        return [stream.write_answer(frame.id, stream.Subscribed()), *looks]

    async with opened(look) as (client, _):
        await client.subscribe(KEY)
        await trio.testing.wait_all_tasks_blocked()
        assert await client.looks() == {one, two}


async def test_a_ping_is_answered() -> None:
    def ping(relay: FakeRelay, frame: stream.Frame) -> list[bytes]:
        return held(relay, frame)

    async with opened(ping) as (client, relay):
        await relay.send(Ping(payload=b"there?"))
        await client.deposit(batch(1))
        await trio.testing.wait_all_tasks_blocked()
        assert relay.pongs == [b"there?"]


async def test_the_end_fails_what_is_open_and_what_follows() -> None:
    async with opened(lambda relay, frame: []) as (client, relay):
        pending = client.submit(batch(1))
        await trio.testing.wait_all_tasks_blocked()
        await relay.end.aclose()
        for ask in (pending.read(Deposited), client.looks()):
            with pytest.raises(Unanswered):
                await ask
        with pytest.raises(Unanswered):
            client.submit(batch(2))


async def test_a_request_in_the_moment_of_the_end_is_unanswered() -> None:
    async with opened(held) as (client, _):
        client._websocket.receive_data(None)  # what the reading task does first, before it ends the stream
        with pytest.raises(Unanswered):
            client.submit(batch(1))


async def test_an_unreadable_frame_ends_the_stream() -> None:
    async with opened(lambda relay, frame: [b"\xff not cbor"]) as (client, _):
        with pytest.raises(Unanswered):
            await client.deposit(batch(1))


async def test_a_relay_that_turns_away_says_why() -> None:
    class Closed(FakeRelay):
        async def welcome(self) -> None:
            await self.send(RejectConnection(status_code=403, has_body=False))

    with pytest.raises(Refusal):
        async with opened(held, Closed):
            raise AssertionError("unreachable")


async def test_a_relay_that_says_nothing(autojump_clock: trio.testing.MockClock) -> None:
    class Silent(FakeRelay):
        async def welcome(self) -> None:
            pass

    with pytest.raises(Unanswered) as caught:
        async with opened(held, Silent):
            raise AssertionError("unreachable")
    assert caught.value.reason == "timeout"


async def test_the_bodys_own_error_comes_out_alone() -> None:
    with pytest.raises(KeyError):
        async with opened(held):
            raise KeyError("mine")
