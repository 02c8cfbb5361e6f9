from __future__ import annotations

import pytest
import trio

from appliance.api.limits import BURST, CIRCUITS_REMEMBERED, Bucket, Limits, Memory
from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.messages import Authorisation, Fetch, Fetched, FetchedEnvelope
from appliance.protocol.stream import write_request
from tests.api.fakes import SIGN_IN


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _limits(**settings):
    clock = Clock()
    return Limits(lambda: Config(**settings), clock), clock


def test_a_circuit_may_burst_and_then_waits():
    limits, clock = _limits(circuit_requests=10)
    for _ in range(10 * BURST):
        limits.spend(1)
    with pytest.raises(Refusal) as refused:
        limits.spend(1)
    assert refused.value.code == "too_many"
    assert refused.value.details == {"retry_after": 1}
    limits.spend(2)
    clock.now += 1
    for _ in range(10):
        limits.spend(1)
    with pytest.raises(Refusal):
        limits.spend(1)


def test_refused_requests_do_not_lengthen_the_wait():
    limits, clock = _limits(circuit_requests=1)
    for _ in range(1000):
        try:
            limits.spend(1)
        except Refusal as refusal:
            assert refusal.details["retry_after"] == 1
    clock.now += 1
    limits.spend(1)


def test_the_owner_has_far_more():
    limits, _ = _limits(circuit_requests=1)
    for _ in range(100 * BURST):
        limits.spend(None)
    with pytest.raises(Refusal):
        limits.spend(None)


def test_the_table_of_circuits_is_bounded():
    limits, _ = _limits()
    for circuit in range(CIRCUITS_REMEMBERED * 2):
        limits.spend(circuit)
    assert len(limits._buckets) == CIRCUITS_REMEMBERED


def test_connections_are_counted_per_circuit_and_forgotten():
    limits, _ = _limits(circuit_connections=2)
    with limits.circuit(5), limits.circuit(5), limits.circuit(6):
        with pytest.raises(Refusal, match="too_many"), limits.circuit(5):
            pass
        assert len(limits._open) == 2
    assert limits._open == {}


def test_a_flood_on_the_onion_leaves_the_owner_a_way_in():
    limits, _ = _limits(connections=1)
    with limits.connection("onion"):
        with pytest.raises(Refusal, match="busy"), limits.connection("onion"):
            pass
        with limits.connection("loopback"), limits.connection("control"):
            assert limits.open_connections == 3
    assert limits.open_connections == 0


def test_a_bucket_goes_into_debt():
    bucket = Bucket(10, 0.0)
    assert bucket.take(10, 0.0, 40) == 0
    assert bucket.take(10, 0.0, 5) == 0.5
    assert bucket.take(10, 10.0, 0) == 0


def test_memory_is_held_and_given_back():
    memory = Memory(10)
    with memory.hold() as take:
        take(5)
        take(3)
        with pytest.raises(Refusal, match="busy"):
            memory.take(3)
        memory.take(2)
        memory.give_back(2)
    memory.take(10)


async def test_a_circuit_that_asks_too_often_is_told_to_wait(house):
    async with house(circuit_requests=2) as h, h.bystander("onion"):
        answers = [await h.ask("GET", "/v1/nonces", kind="onion", circuit=5) for _ in range(12)]
        late = [answer for answer in answers if answer[0] == 429]
        assert late and int(late[0][1]["retry-after"]) >= 1
        assert h.code(late[0][2]) == "too_many"


async def test_a_circuit_with_too_many_connections_is_refused(house):
    async with house(circuit_connections=2) as h, h.bystander("onion"):
        sockets = [await h.socket("onion", circuit=7) for _ in range(2)]
        status, _, body = await h.ask("GET", "/v1/relay", kind="onion", circuit=7)
        assert (status, h.code(body)) == (429, "too_many")
        assert (await h.ask("GET", "/v1/relay", kind="onion", circuit=8))[0] == 200
        for socket in sockets:
            await socket.stream.aclose()
        with trio.fail_after(5):
            while (await h.ask("GET", "/v1/relay", kind="onion", circuit=7))[0] != 200:
                await trio.sleep(0.01)


async def test_a_full_house_turns_strangers_away_and_lets_the_owner_in(house):
    async with house(connections=2) as h:
        _first, _second = await h.socket("onion"), await h.socket("onion")
        stream = await trio.open_unix_socket(h.folder / "onion.sock")
        h.dialled.append(stream)
        status, headers, body = await h.read(stream)
        assert (status, h.code(body), headers["retry-after"]) == (503, "busy", "5")
        assert (await h.ask("GET", "/v1/relay"))[0] == 200


async def test_bodies_share_a_bounded_memory(house):
    async with house() as h:
        h.server._gate.limits.memory = Memory(300)
        status, _, body = await h.ask("POST", "/v1/session", body=b"x" * 400)
        assert (status, h.code(body)) == (503, "busy")
        assert (await h.ask("POST", "/v1/session", body=SIGN_IN))[0] == 200


async def test_large_answers_share_that_memory(house):
    async with house() as h:
        memory = h.server._gate.limits.memory

        async def fetch(message: Fetch, book: object = None) -> Fetched:
            return Fetched([FetchedEnvelope(1, 1, b"x" * 16_000)] * 64, False)

        h.box.relay.fetch = fetch
        request = Fetch(b"m" * 20, Authorisation(bytes(32), bytes(64)))
        body = codec.encode(request)
        headers = {"content-type": codec.CBOR}
        assert (await h.ask("POST", "/v1/fetch", body=body, headers=headers))[0] == 200
        free, memory._free = memory._free, 500_000
        status, _, answer = await h.ask("POST", "/v1/fetch", body=body, headers=headers)
        assert (status, codec.decode(answer)["error"]["code"]) == (503, "busy")
        socket = await h.socket()
        await socket.send(write_request(1, request))
        assert await socket.close_code() == 1013
        assert memory._free == 500_000
        memory._free = free
