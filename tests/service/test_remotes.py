from __future__ import annotations

import pytest
import trio

from appliance.errors import Refusal
from appliance.service.remotes import KEPT, Remotes
from tests.boxes import Net, running

ADDRESSES = [f"{number:056d}.onion" for number in range(KEPT + 10)]


class Dialled:
    """A dial that nobody answers; remembers the isolation words."""

    def __init__(self) -> None:
        self.isolations: list[str] = []

    async def __call__(self, onion: str, port: int, isolation: str) -> trio.abc.Stream:
        self.isolations.append(isolation)
        raise Refusal("unreachable", reason="no descriptor")


async def test_a_failure_brings_a_fresh_circuit_and_purposes_have_their_own() -> None:
    dial = Dialled()
    async with Remotes(dial) as remotes:
        for purpose in ("card", "card", "grant"):
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
            async with remotes.at(ADDRESSES[0], "card", seconds=5) as relay:
                await relay.info()
    assert (caught.value.code, caught.value.details) == ("unreachable", {"reason": "timeout"})


async def test_only_so_many_clients_are_kept_and_none_in_use_is_let_go() -> None:
    async with Remotes(Dialled()) as remotes:
        async with remotes.at(ADDRESSES[0], "card") as first:
            for address in ADDRESSES[1:]:
                async with remotes.at(address, "card"):
                    pass
            assert len(remotes._relays) == KEPT
            assert remotes._relays[(ADDRESSES[0], "card")] is first
        async with remotes.at(ADDRESSES[-1], "card"):
            assert len(remotes._relays) == KEPT


async def test_one_client_serves_many_requests(tmp_path) -> None:
    net = Net()
    async with running(net, tmp_path / "box") as box, Remotes(net.dial) as remotes:
        for _ in range(3):
            async with remotes.at(box.ready.onion, "card") as relay:
                assert (await relay.info()).policy == "invite"
    assert len({isolation for _, isolation in net.dialled}) == 1
