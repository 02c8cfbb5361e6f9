"""A channel whose members are all online: how soon the last of them has a message, and what that costs."""

from __future__ import annotations

import http.client
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from box import Box
from broker import Mosquitto
from deposits import Latency, latencies
from members import SETTINGS, EventSocket, Member, ask, sign_up

from appliance.protocol import channel as wire
from appliance.protocol import codec, onion, prekeys, roster
from appliance.protocol.directory import VERSION, Entry, Publish
from appliance.protocol.keys import SigningKey
from appliance.protocol.post import Event

ONLINE: Final = 100
CHANNEL: Final = b"C" * 16
OCTETS: Final = 1984
A_SECOND: Final = 20
QUIET_SECONDS: Final = 30.0
TICKS: Final = os.sysconf("SC_CLK_TCK")
HOUR: Final = 3600

Tell = Callable[[str], None]


class Talk(NamedTuple):
    """Rounds: ms from a post to its answer, to the first and the last member; the box's work; the broker."""

    answers: list[Latency]
    first: list[Latency]
    last: list[Latency]
    cpu_us: list[float]
    """Microseconds of processor time for each delivery to a member."""
    broker: list[Latency]
    """Mosquitto, ms from the same message to the last of as many subscribers."""


def talk(folder: Path, rounds: int, seconds: float, tell: Tell) -> Talk:
    """Play all rounds on one box."""
    found = Talk([], [], [], [], [])
    settings = {**SETTINGS, "channel_posts_minute": 6000}
    with Mosquitto(folder / "broker", ONLINE) as broker, Box(folder / "channel", settings) as box:
        tell(f"{ONLINE} members sign up and join a channel")
        members = sign_up(box, ONLINE)
        seen = _gather(box, members)
        meeting = _Meeting(box, members, seen)
        for turn in range(rounds):
            tell(f"round {turn + 1} of {rounds}: a channel")
            meeting.play(A_SECOND, seconds, found)
            tell(f"round {turn + 1} of {rounds}: Mosquitto")
            found.broker.append(broker.play(OCTETS, A_SECOND, seconds))
        meeting.close()
    return found


def _gather(box: Box, members: list[Member]) -> wire.Appended:
    """Every member gets an identity and joins; where the channel stands then."""
    key, before, here = onion.public_key(box.onion), bytes(32), int(time.time()) // HOUR
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=30)
    made: Any = None
    for number, member in enumerate(members):
        name, identity = f"member{number}", SigningKey(os.urandom(32))
        entry = Entry(VERSION, name, key, identity.public, 1, here, [])
        published = Publish(prekeys.sign_entry(identity, entry))
        ask(connection, member.cookie, "/v1/prekeys", published, dict[str, Any])
        info = roster.Info("bench", "")
        change: Any = roster.Join(name, key) if number else roster.Create(True, name, key, info, 0, 0)
        link = roster.Entry(1, CHANNEL, number + 1, before, here, identity.public, change)
        signed = roster.sign(identity, link)
        before = roster.hash_of(signed)
        new: Any = wire.AppendRoster(CHANNEL, signed) if number else wire.NewChannel(signed)
        path = "/v1/channels/roster" if number else "/v1/channels"
        made = ask(connection, member.cookie, path, new, wire.Appended)
    connection.close()
    return made  # type: ignore[no-any-return]


class _Meeting:
    """Everybody's event socket, on which they post as well, and the times of what passes between them."""

    def __init__(self, box: Box, members: list[Member], seen: wire.Appended) -> None:
        self._box, self._seen = box, seen
        self._sockets = {one.sock.fileno(): one for one in (EventSocket(box, each) for each in members)}
        self._poll = select.epoll()
        for descriptor in self._sockets:
            self._poll.register(descriptor, select.EPOLLIN)
        self._begun = 0.0
        self._poster = 0
        self._answered = 0.0
        self._waiting: set[int] = set()
        """Who lacks the message; 0 while the poster lacks the answer."""
        self._heard: dict[int, float] = {}
        """When each socket was read last, of those that were since the post."""

    def play(self, a_second: int, seconds: float, found: Talk) -> None:
        """Messages at a steady rate, each after the one before has reached everybody."""
        answers, first, last = [], [], []
        worked, begun = self._cpu(), time.perf_counter()
        for number in range(int(a_second * seconds)):
            time.sleep(max(0.0, begun + number / a_second - time.perf_counter()))
            self._post(list(self._sockets.values())[number % len(self._sockets)])
            while not self._have_it():
                self._listen()
            answers.append(self._answered - self._begun)
            first.append(min(self._heard.values()) - self._begun)
            last.append(max(self._heard.values()) - self._begun)
        found.answers.append(latencies(answers))
        found.first.append(latencies(first))
        found.last.append(latencies(last))
        found.cpu_us.append((self._cpu() - worked) * 1e6 / len(last) / len(self._sockets))

    def _post(self, who: EventSocket) -> None:
        sealed = b"\x01" + os.urandom(OCTETS - 1)
        seen = self._seen
        draft = wire.PostChannel(CHANNEL, os.urandom(16), seen.roster.number, seen.devices, sealed)
        self._heard, self._waiting = {}, {0, *self._sockets}
        self._poster = who.sock.fileno()
        self._begun = time.perf_counter()
        who.say("post", draft, 1)

    def _listen(self) -> None:
        ready = self._poll.poll(QUIET_SECONDS)
        if not ready:
            raise RuntimeError("a message did not reach everybody")
        for descriptor, _ in ready:
            self._sockets[descriptor].read()
            now = time.perf_counter()
            if descriptor == self._poster:
                self._answered = now  # the message comes before the answer
                self._heard.setdefault(descriptor, now)
            else:
                self._heard[descriptor] = now

    def _have_it(self) -> bool:
        """Whether everybody has the message and the poster its answer.

        Looked into once all were read: one process works for all.
        """
        if len(self._heard) < len(self._sockets):
            return False
        for descriptor, socket in self._sockets.items():
            for frame in socket.whole():
                self._look(descriptor, codec.decode(frame))
        return not self._waiting

    def _look(self, descriptor: int, heard: Any) -> None:
        if isinstance(heard, list):
            if heard[0] != "posted":
                raise RuntimeError(f"not posted: {heard}")
            self._waiting.discard(0)
            return
        event = codec.convert(heard, Event)
        if event.log is not None and event.log.entries:
            self._waiting.discard(descriptor)

    def _cpu(self) -> float:
        """Seconds of processor time of the box until now."""
        fields = Path(f"/proc/{self._box.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self) -> None:
        """Hang up."""
        self._poll.close()
        for one in self._sockets.values():
            one.sock.close()
