"""One recipient that is online: how long an envelope takes from its sender into its hand."""

from __future__ import annotations

import select
import time
from typing import Final, NamedTuple

from box import Box, Mailbox
from deposits import Latency, latencies
from mail import FETCH_LIMIT, QUIET_SECONDS, Recipient
from wire import frame_template, open_stream

from appliance.protocol import stream
from appliance.protocol.envelope import envelope_id
from appliance.protocol.mailbox import BLANK
from appliance.protocol.messages import Acknowledge, Fetch, Fetched, Subscribe
from appliance.protocol.stream import Answer, Look

FIRST_NUMBER: Final = 1 << 56


class Push(NamedTuple):
    """Median, 99th percentile and worst in ms, from the send: to the "look", and to the envelope."""

    look: Latency
    envelope: Latency


def push(box: Box, mailbox: Mailbox, a_second: int, seconds: float) -> Push:
    """A sender deposits at a steady rate; the recipient fetches at every "look", then acknowledges."""
    meeting = _Meeting(box, mailbox)
    poll = select.epoll()
    poll.register(meeting.recipient.sock, select.EPOLLIN)
    poll.register(meeting.sender, select.EPOLLIN)
    sends = int(a_second * seconds)
    begun = time.perf_counter()
    while len(meeting.arrivals) < sends:
        pause = QUIET_SECONDS
        if len(meeting.sent) < sends:
            pause = begun + len(meeting.sent) / a_second - time.perf_counter()
            if pause <= 0:
                meeting.deposit()
                continue
        events = poll.poll(pause)
        if not events and pause == QUIET_SECONDS:
            raise RuntimeError("an envelope did not arrive")
        for descriptor, _ in events:
            if descriptor == meeting.sender.fileno():
                meeting.sender.recv(65_536)
            else:
                meeting.listen()
    poll.close()
    meeting.close()
    return Push(latencies(meeting.looks), latencies(meeting.arrivals))


class _Meeting:
    """A sender's stream and a recipient's, with the times of what passes between them."""

    def __init__(self, box: Box, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.recipient = Recipient(box, [mailbox])
        self.recipient.send(Subscribe(mailbox.id, BLANK))
        while not list(self.recipient.frames()):
            pass
        self.sender = open_stream(box.port)[0]
        self._template = frame_template(mailbox)
        self.sent: list[float] = []
        self.looks: list[float] = []
        self.arrivals: list[float] = []
        self._after = 0
        self._fetching = self._wanted = False

    def deposit(self) -> None:
        """Send one more envelope."""
        self._template.renew(FIRST_NUMBER + len(self.sent))
        self.sent.append(time.perf_counter())
        self.sender.sendall(self._template.data)

    def listen(self) -> None:
        """Take what came for the recipient."""
        for frame in self.recipient.frames():
            reply = stream.read_reply(frame)
            if isinstance(reply, Look):
                self._wanted = True
                at = max(len(self.looks), len(self.arrivals))
                self.looks += [time.perf_counter() - self.sent[at]] if at < len(self.sent) else []
            elif isinstance(reply, Answer) and "removed" not in reply.body:
                self._take(reply.message(Fetched))
        if self._wanted and not self._fetching:
            self._wanted, self._fetching = False, True
            self.recipient.send(Fetch(self._mailbox.id, BLANK, limit=FETCH_LIMIT, after=self._after))

    def _take(self, found: Fetched) -> None:
        self._fetching = False
        now = time.perf_counter()
        for one in found.envelopes:
            self.arrivals.append(now - self.sent[len(self.arrivals)])
            self._after = one.number
        if found.envelopes:
            ids = [bytes(envelope_id(one.envelope)) for one in found.envelopes]
            self.recipient.send(Acknowledge(self._mailbox.id, ids, BLANK))

    def close(self) -> None:
        """Hang up."""
        self.recipient.sock.close()
        self.sender.close()
