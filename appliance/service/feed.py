"""The feed of a sign-in: its newest events, read by sockets and long polls alike.

A feed keeps a few events only; who falls behind is told "reset" and reads everything again. Owner: the
event loop.
"""

from __future__ import annotations

import secrets
from collections import deque
from functools import lru_cache
from typing import Any, Final, Protocol

import trio

from appliance.protocol import codec
from appliance.protocol.log import LogNews
from appliance.protocol.post import Event, EventKind
from appliance.service.caller import Caller

KEPT_EVENTS: Final = 256
KEPT_OCTETS: Final = 256 * 1024
INLINE_BEHIND: Final = 24
"""With so many events unread, mail is only announced: its reader is slow and will read the queue."""


class Reader(Protocol):
    """A socket that reads a feed. Its feed calls these on the event loop; none waits or raises."""

    def wake(self) -> None:
        """There is something new: let the socket's task look."""

    def take(self) -> None:
        """The same of news that many hear: give them to the peer at once where nothing stands in the way."""

    def evict(self) -> None:
        """Make room for a newer socket of the sign-in."""


class Shared:
    """News of a log that many feeds tell; its bytes are written once for all of them."""

    __slots__ = ("_data", "brief", "news", "size")

    def __init__(self, news: LogNews) -> None:
        self.news = news
        self.size = sum(len(one.body or b"") for one in news.entries or ())
        self.brief = self if news.entries is None else Shared(LogNews(news.log, news.last))
        """The same without entries, for readers who are slow."""
        self._data: bytes | None = None

    def numbered(self, number: int) -> bytes:
        """The CBOR of the event that has this number in a feed: {log, kind, number}, in this order."""
        if self._data is None:
            self._data = b"\xa3\x63log" + codec.encode(self.news) + b"\x64kind\x63log\x66number"
        return self._data + _number(number)


class Entry:
    """One event, and its bytes once somebody wanted them. News that many hear is an event only on demand."""

    __slots__ = ("_data", "_event", "_shared", "number", "size")

    def __init__(self, number: int, event: Event | None, shared: Shared | None = None) -> None:
        self.number = number
        self._event = event
        self._shared = shared
        self._data: bytes | None = None
        self.size = 128
        if shared is not None:
            self.size += shared.size
        elif event is not None:
            self.size += len(event.envelope or b"") + sum(len(one.envelope) for one in event.queued or ())

    @property
    def event(self) -> Event:
        """What is told."""
        if self._event is None:
            self._event = Event(self.number, "log", log=None if self._shared is None else self._shared.news)
        return self._event

    @property
    def data(self) -> bytes:
        """The event as CBOR, written once for all its readers."""
        if self._data is None:
            number, shared = self.number, self._shared
            self._data = codec.encode(self.event) if shared is None else shared.numbered(number)
        return self._data


class Feed:
    """The newest events of one sign-in, numbered from 1."""

    def __init__(self, caller: Caller, device: bytes) -> None:
        self.caller = caller
        self.device = device
        """Account ‖ device."""
        self.stream = secrets.token_bytes(8)
        self.sockets: list[Reader] = []
        """Open sockets, the oldest first."""
        self.used = trio.current_time()
        self.ended = False
        self.watched: frozenset[bytes] = frozenset()
        """Logs whose news it asked for."""
        self._entries: deque[Entry] = deque()
        self._octets = 0
        self.last = 0
        """The number of the newest event."""
        self._read = 0
        self._wake = trio.Event()
        self.add("hello")

    @property
    def readers(self) -> int:
        """Sockets that read it."""
        return len(self.sockets)

    @property
    def is_slow(self) -> bool:
        """Whether so many events are unread that large ones are better only announced."""
        return self.last - self._read >= INLINE_BEHIND

    def add(self, kind: EventKind, **fields: Any) -> None:
        """One more event; the oldest go where there are too many."""
        if kind == "mail" and "queued" not in fields and self._announces_mail():
            return
        self.last += 1
        self._put(Entry(self.last, Event(self.last, kind, **fields)))
        if kind == "mail":
            self.hand_on()
        else:
            self.wake()

    def add_log(self, shared: Shared) -> None:
        """News of a log; a slow reader hears its newest number only, once, until it reads."""
        if self.is_slow:
            shared = shared.brief
            newest = self._entries[-1].event.log
            if newest is not None and newest.entries is None and newest.log == shared.news.log:
                self._octets -= self._entries.pop().size
                self.last -= 1
        self.last += 1
        self._put(Entry(self.last, None, shared))
        self.hand_on()

    def _put(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._octets += entry.size
        while len(self._entries) > KEPT_EVENTS or (self._octets > KEPT_OCTETS and len(self._entries) > 1):
            self._octets -= self._entries.popleft().size

    def after(self, number: int) -> list[Entry]:
        """Events with higher numbers; where some are lost, one "reset" that stands for all."""
        if number >= self.last:
            return []
        if number < self.last - len(self._entries) or number < 0:
            found = [Entry(self.last, Event(self.last, "reset"))]
        else:
            found = [self._entries[place] for place in range(number - self.last, 0)]
        self._read = self.last
        return found

    async def wait(self, number: int) -> None:
        """Return when there is something after `number`, or the feed has ended."""
        while number >= self.last and not self.ended:
            if self._wake.is_set():
                self._wake = trio.Event()
            await self._wake.wait()

    def wake(self) -> None:
        """Let whoever waits look again."""
        self._wake.set()
        for reader in self.sockets:
            reader.wake()

    def hand_on(self) -> None:
        """The same, and sockets whose peers keep up send at once: no task has to run for each of them."""
        self._wake.set()
        for reader in self.sockets:
            reader.take()

    def end(self) -> None:
        """The sign-in has ended."""
        if not self.ended:
            self.add("session")
            self.ended = True
            self.wake()

    def _announces_mail(self) -> bool:
        """Whether the newest event says "look into the queue" and nobody has read it."""
        if not self._entries or self._read >= self.last:
            return False
        newest = self._entries[-1].event
        return newest.kind == "mail" and newest.queued is None


@lru_cache(maxsize=4096)
def _number(number: int) -> bytes:
    """A number as CBOR: many feeds are at about the same one."""
    return codec.encode(number)
