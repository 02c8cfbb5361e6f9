"""Members' messages: dispatches beside deposits and Redis, and how soon a device online hears of one."""

from __future__ import annotations

import random
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from box import Box
from deposits import CONNECTIONS, Latency, Round, latencies, measure, stream_load
from members import SETTINGS, EventSocket, Member, dispatch_load, fresh_envelope, message, sign_up
from yardstick import Redis

from appliance.protocol import codec
from appliance.protocol.post import Event, Settle

ONLINE: Final = 100
"""Devices that are online together; some of them dispatch in the rounds before."""
OFFLINE: Final = 100
"""Devices for which these dispatches wait."""
MAILBOXES: Final = 1000
A_SECOND: Final = 100
OCTETS: Final = 4032
QUIET_SECONDS: Final = 30.0

Tell = Callable[[str], None]


class Post(NamedTuple):
    """The rounds: Redis, deposits on relay streams and dispatches on event sockets in turn, then events."""

    redis: list[Round]
    stream: list[Round]
    dispatch: list[Round]
    answers: list[Latency]
    events: list[Latency]


def post(folder: Path, rounds: int, seconds: float, tell: Tell) -> Post:
    """Play all rounds on one box."""
    found = Post([], [], [], [], [])
    with Redis(folder / "redis") as redis, Box(folder / "post", SETTINGS) as box:
        tell(f"{ONLINE + OFFLINE} members sign up")
        members = sign_up(box, ONLINE + OFFLINE)
        mailboxes = box.make_mailboxes(MAILBOXES)
        redis.set_values(CONNECTIONS, 1.0)  # learns how many requests fill a round
        for turn in range(rounds):
            tell(f"round {turn + 1} of {rounds}: Redis")
            found.redis.append(redis.set_values(CONNECTIONS, seconds))
            tell(f"round {turn + 1} of {rounds}: streams")
            found.stream.append(measure(box, stream_load(box, mailboxes), seconds))
            tell(f"round {turn + 1} of {rounds}: dispatches")
            found.dispatch.append(
                measure(box, dispatch_load(box, members[:CONNECTIONS], members[ONLINE:]), seconds)
            )
        for turn in range(rounds):
            tell(f"round {turn + 1} of {rounds}: events")
            answers, events = online(box, members[:ONLINE], A_SECOND, seconds)
            found.answers.append(answers)
            found.events.append(events)
    return found


def online(box: Box, members: list[Member], a_second: int, seconds: float) -> tuple[Latency, Latency]:
    """Devices that write to each other at a steady rate; ms from the send to the answer, and to the event.

    Every device settles what it hears, as clients do.
    """
    meeting = _Meeting(box, members)
    begun = time.perf_counter()
    sends = int(a_second * seconds)
    while len(meeting.events) < sends or len(meeting.answers) < sends:
        pause = QUIET_SECONDS
        if len(meeting.sent) < sends:
            pause = begun + len(meeting.sent) / a_second - time.perf_counter()
            if pause <= 0:
                meeting.send()
                continue
        if not meeting.listen(pause) and pause == QUIET_SECONDS:
            raise RuntimeError("an event did not come")
    meeting.close()
    return latencies(meeting.answers), latencies(meeting.events)


class _Meeting:
    """Sockets of all devices, with the times of what passes between them."""

    def __init__(self, box: Box, members: list[Member]) -> None:
        self._members = members
        self._sockets = [EventSocket(box, member) for member in members]
        self._by_descriptor = {one.sock.fileno(): one for one in self._sockets}
        self._poll = select.epoll()
        for descriptor in self._by_descriptor:
            self._poll.register(descriptor, select.EPOLLIN)
        self._times: dict[bytes, float] = {}
        self._numbers: dict[int, float] = {}
        self.sent: list[float] = []
        self.answers: list[float] = []
        self.events: list[float] = []

    def send(self) -> None:
        """Some device writes to some other."""
        writer, reader = random.sample(range(len(self._members)), 2)
        filled = fresh_envelope(OCTETS)
        sent = message(random.choice(self._members[reader].routes), filled)
        now = time.perf_counter()
        self.sent.append(now)
        number = len(self.sent)
        self._times[filled[:32]], self._numbers[number] = now, now
        self._sockets[writer].say("dispatch", sent, number)

    def listen(self, seconds: float) -> bool:
        """Wait for what comes and take it; False when nothing did."""
        ready = self._poll.poll(seconds)
        for descriptor, _ in ready:
            socket = self._by_descriptor[descriptor]
            for frame in socket.frames():
                now = time.perf_counter()
                self._take(socket, frame, now)
        return bool(ready)

    def _take(self, socket: EventSocket, frame: bytes, now: float) -> None:
        heard = codec.decode(frame)
        if isinstance(heard, list):
            if heard[0] == "dispatched":
                self.answers.append(now - self._numbers.pop(heard[2]))
            return
        event = codec.convert(heard, Event)
        for one in event.queued or ():
            self.events.append(now - self._times.pop(one.envelope[:32]))
            socket.say("settle", Settle([one.number]))

    def close(self) -> None:
        """Hang up."""
        self._poll.close()
        for one in self._sockets:
            one.sock.close()
