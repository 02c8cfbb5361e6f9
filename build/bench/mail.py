"""Recipients that empty their mailboxes, many at once, and what every recipient does on a stream."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from box import Box, Mailbox
from deposits import Round, latencies
from wire import frame_end, masked, open_stream, payload

from appliance.protocol import stream
from appliance.protocol.envelope import envelope_id
from appliance.protocol.mailbox import BLANK, sign_request
from appliance.protocol.messages import Acknowledge, Fetch, Fetched, Subscribe
from appliance.protocol.stream import Answer

R = TypeVar("R", Fetch, Acknowledge, Subscribe)

RECIPIENTS: Final = 64
FETCH_LIMIT: Final = 64
QUIET_SECONDS: Final = 30.0


class Recipient:
    """One stream of a recipient with some mailboxes; every request is signed as a client signs it."""

    def __init__(self, box: Box, mailboxes: Sequence[Mailbox]) -> None:
        self._host = box.onion
        self._mailboxes = list(mailboxes)
        self.sock, self._prefix = open_stream(box.port)
        self._counter = 0
        self._ids: list[bytes] = []
        self._answers = bytearray()
        self.fetched = 0

    def ask(self) -> bool:
        """Acknowledge what came last and ask for more; False when every mailbox is empty."""
        if not self._mailboxes:
            return False
        self.send(Fetch(self._mailboxes[-1].id, BLANK, limit=FETCH_LIMIT, acknowledge=self._ids))
        return True

    def send(self, request: R) -> None:
        """Sign and send."""
        self._counter += 1
        nonce = stream.nonce(self._prefix, self._counter)
        signed = sign_request(self._mailboxes[-1].key, self._host, nonce, request)
        self.sock.sendall(masked(stream.write_request(self._counter, signed)))

    def frames(self) -> Iterator[bytes]:
        """Read once; the payloads that are whole now."""
        data = self.sock.recv(1 << 18)
        if not data:
            raise RuntimeError("the box closed a recipient's stream")
        self._answers += data
        at = 0
        while end := frame_end(self._answers, at):
            yield payload(self._answers, at)
            at = end
        del self._answers[:at]

    def take(self, frame: bytes) -> None:
        """Keep what was fetched, to be acknowledged with the next request; go on to the next mailbox."""
        answer = stream.read_reply(frame)
        if not isinstance(answer, Answer):
            raise RuntimeError("an event in a drain")
        found = answer.message(Fetched)
        self._ids = [bytes(envelope_id(one.envelope)) for one in found.envelopes]
        self.fetched += len(self._ids)
        if not self._ids:
            self._mailboxes.pop()


def drain(box: Box, mailboxes: Sequence[Mailbox]) -> Round:
    """64 recipients fetch and acknowledge, 64 at a time, until nothing is left in any mailbox."""
    recipients = [Recipient(box, mailboxes[place::RECIPIENTS]) for place in range(RECIPIENTS)]
    by_descriptor = {recipient.sock.fileno(): recipient for recipient in recipients}
    poll = select.epoll()
    cpu = box.cpu_seconds()
    started = time.perf_counter()
    sent = {}
    took = []
    for descriptor, recipient in by_descriptor.items():
        poll.register(descriptor, select.EPOLLIN)
        sent[descriptor] = time.perf_counter()
        recipient.ask()
    while sent:
        events = poll.poll(QUIET_SECONDS)
        if not events:
            raise RuntimeError("the box answers nothing any more")
        for descriptor, _ in events:
            recipient = by_descriptor[descriptor]
            for frame in recipient.frames():
                took.append(time.perf_counter() - sent[descriptor])
                recipient.take(frame)
                sent[descriptor] = time.perf_counter()
                if not recipient.ask():
                    del sent[descriptor]
    seconds = time.perf_counter() - started
    fetched = sum(recipient.fetched for recipient in recipients)
    for recipient in recipients:
        recipient.sock.close()
    spent = max(0.01, box.cpu_seconds() - cpu)
    return Round(fetched / seconds, *latencies(took), fetched / spent)
