from __future__ import annotations

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.messages import Nonces
from appliance.service import remotes as module
from appliance.service.remotes import KEPT, Remotes
from tests.boxes import Net, running
from tor.transport import PATIENCE_SECONDS

NONCES = Nonces([bytes(32)], 60)
ADDRESSES = [f"{number:056d}.onion" for number in range(KEPT + 10)]


class Dialled:
    """A dial that nobody answers; remembers the isolation words."""

    def __init__(self) -> None:
        self.isolations: list[str] = []

    async def __call__(self, onion: str, port: int, isolation: str) -> trio.abc.Stream:
        self.isolations.append(isolation)
        raise Refusal("unreachable", reason="no descriptor")


class Doors:
    """A dial to a box that acts by a plan, one word a line: "answer", "silent", "cut" or "away"."""

    def __init__(self, nursery: trio.Nursery, *plan: str) -> None:
        self.plan = list(plan)
        self.isolations: list[str] = []
        self.times: list[float] = []
        self._nursery = nursery

    async def __call__(self, onion: str, port: int, isolation: str) -> trio.abc.Stream:
        self.isolations.append(isolation)
        self.times.append(trio.current_time())
        act = self.plan.pop(0)
        if act == "away":
            raise Refusal("unreachable", reason="no descriptor")
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.serve, theirs, act)
        return ours

    async def serve(self, stream: trio.abc.Stream, act: str) -> None:
        async with stream:
            request = await stream.receive_some(10_000)
            assert request.startswith(b"GET /v1/nonces HTTP/1.1\r\n")
            if act == "cut":
                return
            if act == "answer":
                body = codec.write(NONCES, codec.CBOR)
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/cbor\r\ncontent-length: %d\r\n\r\n"
                await stream.send_all(head % len(body) + body)
            while await stream.receive_some(10_000):
                pass


async def test_a_failure_brings_a_fresh_circuit_and_purposes_have_their_own() -> None:
    dial = Dialled()
    async with Remotes(dial) as remotes:
        for purpose in ("look", "look", "grant"):
            with pytest.raises(Refusal):
                async with remotes.at(ADDRESSES[0], purpose) as relay:
                    await relay.info()
    assert len(set(dial.isolations)) == 3


async def test_who_does_not_answer_in_time_is_unreachable(autojump_clock: trio.testing.MockClock) -> None:
    async def hang(onion: str, port: int, isolation: str) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    async with Remotes(hang) as remotes:
        with pytest.raises(Refusal) as caught:
            async with remotes.at(ADDRESSES[0], "look", seconds=5) as relay:
                await relay.info()
    assert (caught.value.code, caught.value.details) == ("unreachable", {"reason": "timeout"})


async def test_only_so_many_clients_are_kept_and_none_in_use_is_let_go() -> None:
    async with Remotes(Dialled()) as remotes:
        async with remotes.at(ADDRESSES[0], "look") as first:
            for address in ADDRESSES[1:]:
                async with remotes.at(address, "look"):
                    pass
            assert len(remotes._relays) == KEPT
            assert remotes._relays[(ADDRESSES[0], "look")] is first
        async with remotes.at(ADDRESSES[-1], "look"):
            assert len(remotes._relays) == KEPT


async def test_one_client_serves_many_requests(tmp_path) -> None:
    net = Net()
    async with running(net, tmp_path / "box") as box, Remotes(net.dial) as remotes:
        for _ in range(3):
            async with remotes.at(box.ready.onion, "look") as relay:
                assert (await relay.info()).policy == "invite"
    assert len({isolation for _, isolation in net.dialled}) == 1


@pytest.mark.parametrize(
    ("plan", "seconds"),
    [
        (["answer"], 0),
        (["silent", "answer"], module.ANSWER_SECONDS),
        (["silent", "cut", "silent", "answer"], 2 * module.ANSWER_SECONDS),
    ],
)
async def test_what_gets_no_answer_is_asked_again_on_a_fresh_circuit(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, plan: list[str], seconds: float
) -> None:
    doors = Doors(nursery, *plan)
    began = trio.current_time()
    async with Remotes(doors) as remotes:
        assert await remotes.ask(ADDRESSES[0], "look", "/v1/nonces", Nonces) == NONCES
    assert trio.current_time() - began == pytest.approx(seconds)
    assert len(set(doors.isolations)) == len(plan)


@pytest.mark.parametrize(
    ("plan", "limit", "reason", "lines"),
    [
        (["silent"] * 9, 120, "timeout", module.ASKED_AT_MOST),
        (["silent"] * 9, 30, "timeout", 2),
        (["cut"] * 9, 120, "broken", module.ASKED_AT_MOST),
        (["silent", "away", "answer"], 120, "no descriptor", 2),
    ],
)
async def test_asking_again_has_an_end(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
    plan: list[str],
    limit: float,
    reason: str,
    lines: int,
) -> None:
    doors = Doors(nursery, *plan)
    began = trio.current_time()
    async with Remotes(doors) as remotes:
        with pytest.raises(Refusal) as caught:
            await remotes.ask(ADDRESSES[0], "look", "/v1/nonces", Nonces, limit)
        assert not remotes._relays
    assert (caught.value.code, caught.value.details) == ("unreachable", {"reason": reason})
    assert trio.current_time() - began <= limit
    assert len(doors.isolations) == lines


async def test_a_dial_has_all_its_patience_and_tells_its_own_reason(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def patient(onion: str, port: int, isolation: str) -> trio.abc.Stream:
        await trio.sleep(PATIENCE_SECONDS)
        raise Refusal("unreachable", reason="no descriptor")

    async with Remotes(patient) as remotes:
        with pytest.raises(Refusal) as caught:
            await remotes.ask(ADDRESSES[0], "look", "/v1/nonces", Nonces)
    assert caught.value.details == {"reason": "no descriptor"}
