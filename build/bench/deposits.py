"""Deposits with one request outstanding on each connection, from this process, one epoll for all."""

from __future__ import annotations

import contextlib
import select
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, NamedTuple

from box import Box, Mailbox
from wire import (
    HELD,
    TTL_HOURS,
    Circular,
    Template,
    connect,
    frame_end,
    frame_template,
    open_stream,
    post_template,
    response_end,
)

CONNECTIONS: Final = 64
BATCH: Final = 64
QUIET_SECONDS: Final = 30.0
_numbers: Final = count(1 << 40, 1 << 24)
"""Where each load begins to number its envelopes, so that no two are alike."""

Latency = tuple[float, float, float]
"""Median, 99th percentile and worst, in ms."""


class Round(NamedTuple):
    """One round: envelopes a second, latency of a request in ms, envelopes per second of server time."""

    rate: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    per_cpu_second: float


class Sample(NamedTuple):
    """One answered request: when the answer came, and how long it took, in seconds."""

    at: float
    took: float


class Caller:
    """One connection that sends, waits for the answer and sends again."""

    __slots__ = ("answer", "left", "sent", "sock", "templates", "turn")

    def __init__(self, sock: socket.socket, templates: Sequence[Template]) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.templates = templates
        self.turn = 0
        self.answer = bytearray()
        self.left = memoryview(b"")
        self.sent = 0.0

    def begin(self, number: int) -> int:
        """Send the next request; the next free number."""
        template = self.templates[self.turn % len(self.templates)]
        template.prepare(self.turn)
        number = template.renew(number)
        self.answer.clear()
        self.left = memoryview(template.data)
        self.sent = time.perf_counter()
        self.go_on()
        return number

    def go_on(self) -> None:
        """Send what the socket takes."""
        with contextlib.suppress(BlockingIOError):
            self.left = self.left[self.sock.send(self.left) :]

    def take(self, end: Callable[[bytearray], int]) -> bool:
        """Read; True once the answer is whole and says that all was new and is held."""
        data = self.sock.recv(65_536)
        if not data:
            raise RuntimeError("the box closed a connection under load")
        self.answer += data
        if not end(self.answer):
            return False
        wanted = self.templates[self.turn % len(self.templates)].envelopes
        if self.answer.count(HELD) != wanted:
            raise RuntimeError("not held: " + repr(bytes(self.answer[:300])))
        self.turn += 1
        return True


class Load:
    """A closed loop of callers against one box; `samples` has every answer."""

    def __init__(self, callers: Sequence[Caller], end: Callable[[bytearray], int]) -> None:
        self._callers = {caller.sock.fileno(): caller for caller in callers}
        self._end = end
        self._each = callers[0].templates[0].envelopes
        self.begun = 0
        self.samples: list[Sample] = []

    def run(self, seconds: float, going: Callable[[], bool] = lambda: True) -> None:
        """Send for so long, or until `going` says no; wait for the last answers; close."""
        number = next(_numbers)
        poll = select.epoll()
        for descriptor, caller in self._callers.items():
            poll.register(descriptor, select.EPOLLIN)
            number = self._begin(poll, caller, number)
        until = time.perf_counter() + seconds
        open_requests = len(self._callers)
        while open_requests:
            events = poll.poll(QUIET_SECONDS)
            if not events:
                raise RuntimeError("the box answers nothing any more")
            for descriptor, what in events:
                caller = self._callers[descriptor]
                if caller.left and what & select.EPOLLOUT:
                    caller.go_on()
                    if not caller.left:
                        poll.modify(descriptor, select.EPOLLIN)
                if not what & ~select.EPOLLOUT or not caller.take(self._end):
                    continue
                now = time.perf_counter()
                self.samples.append(Sample(now, now - caller.sent))
                if now < until and going():
                    number = self._begin(poll, caller, number)
                else:
                    open_requests -= 1
        poll.close()
        for caller in self._callers.values():
            caller.sock.close()

    def _begin(self, poll: select.epoll, caller: Caller, number: int) -> int:
        self.begun += 1
        number = caller.begin(number)
        if caller.left:
            poll.modify(caller.sock, select.EPOLLIN | select.EPOLLOUT)
        return number

    def round(self, started: float, until: float, cpu: float) -> Round:
        """What the answers between two times amount to."""
        taken = [sample.took for sample in self.samples if started <= sample.at <= until]
        p50, p99, worst = latencies(taken)
        done = len(self.samples) * self._each
        rate = len(taken) * self._each / (until - started)
        return Round(rate, p50, p99, worst, done / max(0.01, cpu))


def latencies(seconds: Sequence[float]) -> Latency:
    """Median, 99th percentile and worst, in ms."""
    if len(seconds) < 2:
        return (0.0, 0.0, 0.0)
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[98] * 1000, max(seconds) * 1000


def stream_load(box: Box, mailboxes: Sequence[Mailbox]) -> Load:
    """One envelope outstanding on each of 64 WebSockets; the mailboxes are shared out among them."""
    callers = []
    for place in range(CONNECTIONS):
        templates = [frame_template(mailbox) for mailbox in mailboxes[place::CONNECTIONS]]
        callers.append(Caller(open_stream(box.port)[0], templates))
    return Load(callers, frame_end)


def batch_load(
    box: Box,
    mailboxes: Sequence[Mailbox],
    *,
    size: int = BATCH,
    connections: int = CONNECTIONS,
    hours: int = TTL_HOURS,
) -> Load:
    """One POST with a batch for one mailbox outstanding on each connection; every mailbox has its turn."""
    callers = []
    for place in range(connections):
        share = mailboxes[place::connections]
        template = Circular(post_template(share[:1], size, box.port, hours), share)
        callers.append(Caller(connect(box.port), [template]))
    return Load(callers, response_end)


def spread_load(box: Box, mailboxes: Sequence[Mailbox]) -> Load:
    """One POST outstanding on each connection, each envelope of a batch for another mailbox."""
    callers = []
    for place in range(CONNECTIONS):
        groups = [mailboxes[(place * BATCH + at) % len(mailboxes)] for at in range(BATCH)]
        callers.append(Caller(connect(box.port), [post_template(groups, 1, box.port)]))
    return Load(callers, response_end)


def measure(box: Box, load: Load, seconds: float, warm: float = 0.3) -> Round:
    """Run a load and judge it from the end of its warming up."""
    before = box.cpu_seconds()
    started = time.perf_counter()
    load.run(seconds + warm)
    return load.round(started + warm, started + warm + seconds, box.cpu_seconds() - before)


def fill(box: Box, mailboxes: Sequence[Mailbox], envelopes: int, *, hours: int = TTL_HOURS) -> None:
    """Deposit so many envelopes, evenly over the mailboxes."""
    size = next(size for size in (500, 64, 50, 10, 1) if envelopes % (size * len(mailboxes)) == 0)
    load = batch_load(box, mailboxes, size=size, connections=8, hours=hours)
    load.run(float("inf"), lambda: load.begun * size < envelopes)
