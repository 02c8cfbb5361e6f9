"""The dial against a SOCKS server that plays Tor: what it says, what it makes of answers, how it retries."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from appliance.errors import Refusal
from tor import transport
from tor.transport import Dial

Clock = trio.testing.MockClock
ADDRESS = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
HANG = -1
CUT = -2


class Socks:
    """Answers each connection with the next code (HANG: nothing, CUT: the end); `after` seconds, if set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.codes: list[int] = []
        self.users: list[tuple[bytes, bytes]] = []
        self.requests: list[tuple[bytes, int]] = []
        self.renewals = 0
        self.after: list[float] = []
        self.began: list[float] = []
        self.open = self.most_open = 0

    async def renew(self) -> None:
        await trio.lowlevel.checkpoint()
        self.renewals += 1

    async def serve(self, stream: trio.SocketStream) -> None:
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        async with stream:
            try:
                await self.talk(stream)
                async for _ in stream:
                    pass
            except (trio.BrokenResourceError, trio.ClosedResourceError, AssertionError, IndexError):
                return
            finally:
                self.open -= 1

    async def talk(self, stream: trio.SocketStream) -> None:
        assert await stream.receive_some(3) == b"\x05\x01\x02"
        await stream.send_all(b"\x05\x02")
        assert await stream.receive_some(1) == b"\x01"
        user = await stream.receive_some((await stream.receive_some(1))[0])
        word = await stream.receive_some((await stream.receive_some(1))[0])
        self.users.append((user, word))
        await stream.send_all(b"\x01\x00")
        assert await stream.receive_some(4) == b"\x05\x01\x00\x03"
        host = await stream.receive_some((await stream.receive_some(1))[0])
        self.requests.append((host, int.from_bytes(await stream.receive_some(2), "big")))
        self.began.append(trio.current_time())
        code = self.codes.pop(0)
        if code == CUT:
            await stream.aclose()
            return
        if code == HANG:
            return
        if self.after:
            await trio.sleep(self.after.pop(0))
        await stream.send_all(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]) + b"tail" * (code == 0))


@pytest.fixture
async def socks(tmp_path: Path, nursery: trio.Nursery) -> Socks:
    server = Socks(tmp_path / "s")
    listener = trio.socket.socket(socket.AF_UNIX)
    await listener.bind(str(server.path))
    listener.listen()
    await nursery.start(trio.serve_listeners, server.serve, [trio.SocketListener(listener)])
    return server


@pytest.fixture
def dial(socks: Socks) -> Dial:
    return Dial(lambda: socks.path, socks.renew)


async def reason_of(dial: Dial) -> str:
    with pytest.raises(Refusal) as caught:
        await dial(ADDRESS, 80, "one")
    assert caught.value.code == "unreachable"
    return str(caught.value.details["reason"])


async def test_success_takes_no_byte_too_many(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    socks.codes = [0]
    async with await dial(ADDRESS, 80, "one") as stream:
        assert await stream.receive_some(10) == b"tail"
    assert socks.requests == [(ADDRESS.encode(), 80)]


async def test_isolation(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    socks.codes = [0] * 3
    for isolation in ("one", "one", "two"):
        await (await dial(ADDRESS, 80, isolation)).aclose()
    first, again, other = socks.users
    assert first == again
    assert first[0] != other[0]
    assert not any(name in user for user, _ in socks.users for name in (b"one", b"two"))


@pytest.mark.parametrize("code", [0xF1, 0xF2, 0xF3, 0xF7, 0x01, 0x04, 0x06, 0xEE, CUT])
async def test_passing_faults_are_tried_again_on_a_fresh_circuit(
    autojump_clock: Clock, socks: Socks, dial: Dial, code: int
) -> None:
    socks.codes = [code, code, 0, 0]
    began = trio.current_time()
    await (await dial(ADDRESS, 80, "one")).aclose()
    assert trio.current_time() - began == pytest.approx(1.5)
    assert len({word for _, word in socks.users}) == 3
    assert len({user for user, _ in socks.users}) == 1
    await (await dial(ADDRESS, 80, "one")).aclose()
    assert socks.users[-1] == socks.users[-2]  # the circuit that worked is used again


@pytest.mark.parametrize(
    ("code", "reason"), [(0x05, "refused"), (0x02, "not allowed"), (0xF6, "bad address")]
)
async def test_final_answers(autojump_clock: Clock, socks: Socks, dial: Dial, code: int, reason: str) -> None:
    socks.codes = [code]
    began = trio.current_time()
    assert await reason_of(dial) == reason
    assert trio.current_time() == began


@pytest.mark.parametrize(("code", "reason"), [(0xF4, "client key missing"), (0xF5, "client key wrong")])
async def test_a_shut_door_is_asked_once_more(
    autojump_clock: Clock, socks: Socks, dial: Dial, code: int, reason: str
) -> None:
    socks.codes = [code] * 3
    assert await reason_of(dial) == reason
    assert (len(socks.users), socks.renewals) == (2, 1)
    assert await reason_of(dial) == reason  # and not again so soon
    assert (len(socks.users), socks.renewals) == (3, 1)


async def test_patience_ends(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    socks.codes = [0xF0] * 100
    began = trio.current_time()
    assert await reason_of(dial) == "no descriptor"
    assert trio.current_time() - began == pytest.approx(transport.PATIENCE_SECONDS)
    assert len(socks.users) < 20


async def test_who_was_not_there_is_looked_for_anew_but_seldom(
    autojump_clock: Clock, socks: Socks, dial: Dial
) -> None:
    socks.codes = [0xF0, 0]
    began = trio.current_time()
    await (await dial(ADDRESS, 80, "one")).aclose()
    assert (trio.current_time() - began, socks.renewals) == (0, 1)
    socks.codes = [0xF0, 0]
    await (await dial(ADDRESS, 80, "two")).aclose()
    assert (trio.current_time() - began, socks.renewals) == (0.5, 1)
    await trio.sleep(transport.SELDOM_SECONDS)
    socks.codes = [0xF0, 0]
    await (await dial(ADDRESS, 80, "two")).aclose()
    assert socks.renewals == 2


async def test_a_hanging_try_gets_company(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    socks.codes = [HANG, HANG, 0, 0]
    began = trio.current_time()
    async with await dial(ADDRESS, 80, "one") as stream:
        assert await stream.receive_some(10) == b"tail"
        assert trio.current_time() - began == pytest.approx(2 * transport.COMPANY_SECONDS)
        assert socks.renewals == 0
        assert len({word for _, word in socks.users}) == 3
        await trio.testing.wait_all_tasks_blocked()
        assert socks.open == 1  # those that lost are closed
    await (await dial(ADDRESS, 80, "one")).aclose()
    assert socks.users[-1] == socks.users[-2]  # the circuit that won is used again


async def test_a_slow_try_may_still_win(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    socks.codes, socks.after = [0, HANG], [10]
    began = trio.current_time()
    await (await dial(ADDRESS, 80, "one")).aclose()
    assert trio.current_time() - began == pytest.approx(10)
    socks.codes = [0]
    await (await dial(ADDRESS, 80, "one")).aclose()
    assert socks.users[-1] == socks.users[0]


async def test_of_two_at_the_same_moment_one_is_closed(
    autojump_clock: Clock, socks: Socks, dial: Dial
) -> None:
    socks.codes, socks.after = [0, 0], [9, 9 - transport.COMPANY_SECONDS]
    async with await dial(ADDRESS, 80, "one"):
        await trio.testing.wait_all_tasks_blocked()
        assert socks.open == 1
    assert len(socks.users) == 2


async def test_company_that_fails_leaves_the_others_alone(
    autojump_clock: Clock, socks: Socks, dial: Dial
) -> None:
    socks.codes, socks.after = [0, 0xF1], [12, 0]
    began = trio.current_time()
    await (await dial(ADDRESS, 80, "one")).aclose()
    assert trio.current_time() - began == pytest.approx(12)
    assert len(socks.users) == 2


async def test_a_refusal_ends_those_that_hang(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    socks.codes = [HANG, 0x05]
    assert await reason_of(dial) == "refused"
    await trio.testing.wait_all_tasks_blocked()
    assert (len(socks.users), socks.open) == (2, 0)


async def test_always_hanging_is_a_timeout(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    socks.codes = [HANG] * 20
    began = trio.current_time()
    assert await reason_of(dial) == "timeout"
    assert trio.current_time() - began == pytest.approx(transport.PATIENCE_SECONDS)
    assert socks.most_open == transport.TRIES_AT_ONCE
    assert [at - began for at in socks.began][:5] == pytest.approx([0, 8, 16, 25, 33])
    assert len(socks.began) == 11
    assert socks.renewals == 1  # for everybody's tries begin anew with it
    await trio.testing.wait_all_tasks_blocked()
    assert socks.open == 0


async def test_who_gives_up_leaves_nothing_open(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    socks.codes = [HANG] * 3
    with trio.move_on_after(20):
        await dial(ADDRESS, 80, "one")
    await trio.testing.wait_all_tasks_blocked()
    assert (len(socks.users), socks.open) == (3, 0)


async def test_a_circuit_that_worked_and_hangs_is_not_taken_again(
    autojump_clock: Clock, socks: Socks, dial: Dial
) -> None:
    socks.codes = [0, HANG, 0]
    await (await dial(ADDRESS, 80, "one")).aclose()
    with trio.move_on_after(5):  # its box has restarted, and nobody waits longer than that
        await dial(ADDRESS, 80, "one")
    await (await dial(ADDRESS, 80, "one")).aclose()
    first, dead, fresh = socks.users
    assert first == dead != fresh


async def test_a_circuit_that_is_being_built_serves_the_next_dial(
    autojump_clock: Clock, socks: Socks, dial: Dial
) -> None:
    socks.codes = [HANG, 0]
    with trio.move_on_after(5):
        await dial(ADDRESS, 80, "one")
    await (await dial(ADDRESS, 80, "one")).aclose()
    first, again = socks.users
    assert first == again


async def test_dials_at_once_share_a_circuit(
    autojump_clock: Clock, socks: Socks, dial: Dial, nursery: trio.Nursery
) -> None:
    async def once() -> None:
        await (await dial(ADDRESS, 80, "one")).aclose()

    socks.codes, socks.after = [0, 0], [1, 1]
    async with trio.open_nursery() as both:
        both.start_soon(once)
        both.start_soon(once)
    assert socks.users[0] == socks.users[1]


@pytest.mark.parametrize("socks_path", [lambda: None, lambda: Path("/nowhere/at/all")])
async def test_without_tor(socks_path: Callable[[], Path | None]) -> None:
    async def renew() -> None:
        pytest.fail("there is nothing to renew")

    with pytest.raises(Refusal) as caught:
        await Dial(socks_path, renew)(ADDRESS, 80, "")
    assert caught.value.code == "tor_off"


async def test_addresses_are_checked_first(autojump_clock: Clock, socks: Socks, dial: Dial) -> None:
    for address in ("example.org", ADDRESS.replace("2", "3", 1), ADDRESS + "\0"):
        with pytest.raises(Refusal) as caught:
            await dial(address, 80, "")
        assert caught.value.code == "bad_address"
    assert socks.users == []


async def test_memory_of_circuits_is_bounded(
    autojump_clock: Clock, socks: Socks, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_KEPT", 3)
    socks.codes = [0] * 10
    for number in range(10):
        await (await dial(ADDRESS, 80, str(number))).aclose()
    assert len(dial._good) == 3
