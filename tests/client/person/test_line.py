"""The line: answers find their questions, and what the socket does not carry is left to a request."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from appliance.client.person.line import Line, Lost
from appliance.protocol import codec
from appliance.protocol.post import MAX_SOCKET_MESSAGE, Settle
from appliance.protocol.vault import Change, Changed, Put
from tests.services import refused

CHANGE = Change(put=[Put(bytes(16), 0, b"sealed")])


class Socket:
    """What was said on the line; `left` once it was given up."""

    def __init__(self, line: Line) -> None:
        self.said: list[list[object]] = []
        self.left = False
        line.open(self.send, self.leave)

    async def send(self, frame: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.said.append(codec.decode(frame))

    def leave(self) -> None:
        self.left = True


async def test_answers_find_their_questions_in_whatever_order_they_come() -> None:
    line, found = Line(), []
    socket = Socket(line)

    async def ask(path, value, kind) -> None:
        found.append(await line.ask(path, value, kind))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "/v1/vault", CHANGE, Changed)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, "/v1/queue/settle", Settle([3]), dict)
        await trio.testing.wait_all_tasks_blocked()
        assert [(said[0], said[2]) for said in socket.said] == [("change", 1), ("settle", 2)]
        for answer in (["settled", {}, 9], ["odd"], ["settled", {}, "2"], ["settled", {}, 2]):
            line.take(answer)
        await trio.testing.wait_all_tasks_blocked()
        line.take(["changed", {"revision": 4, "left": []}, 1])
    assert found == [{}, Changed(4)]


async def test_what_the_box_refuses_or_garbles_is_told(nursery) -> None:
    line = Line()
    socket = Socket(line)

    async def answer(word: str, body: object) -> None:
        await trio.testing.wait_all_tasks_blocked()
        line.take([word, body, socket.said[-1][2]])

    problem = {"error": {"code": "vault_conflict", "message": "It was changed.", "details": {"ids": [b"1"]}}}
    for word, body, code in (
        ("refused", problem, "vault_conflict"),
        ("refused", {"error": {"code": "of tomorrow", "message": ""}}, "bad_answer"),
        ("refused", [], "bad_answer"),
        ("changed", {"revision": "4"}, "bad_answer"),
    ):
        nursery.start_soon(answer, word, body)
        with refused(code):
            await line.ask("/v1/vault", CHANGE, Changed)


async def test_what_does_not_go_this_way_is_lost_at_once() -> None:
    line = Line()
    with pytest.raises(Lost):  # not open
        await line.ask("/v1/vault", CHANGE, Changed)
    socket = Socket(line)
    with pytest.raises(Lost):  # no word for it
        await line.ask("/v1/vault/read", CHANGE, Changed)
    with pytest.raises(Lost):  # too large
        await line.ask("/v1/vault", Change(put=[Put(bytes(16), 0, bytes(MAX_SOCKET_MESSAGE))]), Changed)
    assert not socket.said


async def test_what_was_under_way_when_the_socket_fell_is_lost(nursery) -> None:
    line = Line()
    Socket(line)

    async def fall() -> None:
        await trio.testing.wait_all_tasks_blocked()
        line.close()

    nursery.start_soon(fall)
    with pytest.raises(Lost):
        await line.ask("/v1/vault", CHANGE, Changed)

    async def broken(_: bytes) -> None:
        raise trio.BrokenResourceError

    line.open(broken, lambda: None)
    with pytest.raises(Lost):
        await line.ask("/v1/vault", CHANGE, Changed)


async def test_a_silent_line_is_given_up(autojump_clock: MockClock) -> None:
    line = Line()
    socket = Socket(line)
    with pytest.raises(Lost):
        await line.ask("/v1/vault", CHANGE, Changed)
    assert socket.left and trio.current_time() == pytest.approx(8)
