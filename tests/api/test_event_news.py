"""News that many hear: sent in the step that tells them, whole and in order, nobody held up by another."""

from __future__ import annotations

import os
import socket
import struct

import trio
import trio.testing

from appliance.protocol.log import LogEntry, LogNews
from appliance.protocol.post import Event, Settle
from tests.api.event_wires import OpenDoor


def news(number: int, octets: int = 100) -> LogNews:
    """News of one entry of a log."""
    return LogNews(bytes(16), number, [LogEntry(number, os.urandom(16), 1, 1, os.urandom(octets), None)])


async def test_news_that_many_hear_are_with_their_peers_when_the_step_ends(door: OpenDoor) -> None:
    async with door() as d:
        wires = [await d.open() for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked()
        d.home.post.events.tell_log(news(1), [d.bob.account])
        heard = [os.read(wire.stream.socket.fileno(), 65_536) for wire in wires]
        assert len(heard[0]) > 100 and heard == heard[:1] * 3


async def test_who_takes_nothing_for_a_while_holds_nobody_up_and_misses_nothing(door: OpenDoor) -> None:
    """Its frames stay whole and in order, with answers in between, and a peer that is gone harms nobody."""
    async with door() as d:
        slow, quick, gone = [await d.open(kind=kind) for kind in ("onion", "loopback", "loopback")]
        slow.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        gone.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await gone.stream.aclose()  # with a reset
        count = 20
        for number in range(count):
            d.home.post.events.tell_log(news(number, 20_000), [d.bob.account])
            if number == count // 2:
                await slow.say("settle", Settle([1]), 7)
            while (event := await quick.event("log")).number < number + 2:
                pass
            assert event.log is not None and event.log.last == number
        numbers = []
        while len(numbers) < count + 1:
            heard = await slow.hear()
            numbers.append(heard.number if isinstance(heard, Event) else None)
        assert [number for number in numbers if number is not None] == list(range(2, count + 2))
        assert numbers.count(None) == 1
        with trio.fail_after(10):
            while d.home.post.events.open(d.bob).readers != 2:
                await trio.sleep(0.01)
        assert not d.house.box.faults
