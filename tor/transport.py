"""Streams to other onions: SOCKS 5 by hand over Tor's unix socket, one circuit per isolation.

Tor's extended errors tell why an onion did not answer. A try that failed is repeated on a fresh circuit: an
older one may still lead to a rendezvous that died with the other box. A try that hangs gets company instead:
a relay that loses or holds back a cell tells nobody, and Tor gives up its circuit only much later.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from appliance.errors import Refusal
from appliance.protocol.onion import public_key

PATIENCE_SECONDS = 90.0
COMPANY_SECONDS = 8.0  # a try that has told nothing for so long gets another beside it
HANG_SECONDS = 25.0  # and after so long it is given up
TRIES_AT_ONCE = 3
NEW_CIRCUITS_SECONDS = 30.0
SELDOM_SECONDS = 120.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
_KEPT = 4096

REASONS: Final[dict[int, str]] = {
    0x01: "failed",
    0x02: "not allowed",
    0x03: "timeout",
    0x04: "timeout",
    0x05: "refused",
    0x06: "timeout",
    0xF0: "no descriptor",
    0xF1: "bad descriptor",
    0xF2: "timeout",  # no introduction point answered
    0xF3: "timeout",  # the other side never came to the rendezvous
    0xF4: "client key missing",
    0xF5: "client key wrong",
    0xF6: "bad address",
    0xF7: "timeout",
}
"""Tor's SOCKS answers (socks-extensions of the Tor specifications) as the word in Refusal("unreachable")."""

PASSING: Final = frozenset(REASONS.values()) - {"refused", "not allowed", "bad address"}
"""Reasons that another try may change."""

SHUT: Final = frozenset({"client key missing", "client key wrong"})
"""Reasons that Tor repeats from its cache for hours, though the other side may have let us in meanwhile."""

ABSENT: Final = frozenset({"no descriptor"})
"""The same for 15 minutes of a box that may have come meanwhile: Tor asks no directory sooner again."""

Target = tuple[str, str]
"""Onion address and isolation."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A try that did not connect: when it began, why it ended, and whether it hung."""

    began: float
    refusal: Refusal
    hung: bool

    @property
    def reason(self) -> object:
        """The reason in the refusal, if it has one."""
        return self.refusal.details.get("reason")


class Race:
    """The tries of one dial, all within `scope`. The first that connects is `won` and ends the others."""

    def __init__(self, target: Target, port: int, patience: float) -> None:
        self.target = target
        self.port = port
        self.scope = trio.CancelScope(deadline=trio.current_time() + patience)
        self.tell, self.ended = trio.open_memory_channel[Ended](TRIES_AT_ONCE)
        self.running = 0
        self.won: trio.SocketStream | None = None
        self.refusal = Refusal("unreachable", reason="timeout")


class Dial:
    """`await dial(onion, port, isolation)`; Refusal unreachable (with a reason) or tor_off."""

    def __init__(
        self,
        socks: Callable[[], Path | None],
        new_circuits: Callable[[], Awaitable[None]],
        *,
        patience: float = PATIENCE_SECONDS,
        hang: float = HANG_SECONDS,
    ) -> None:
        self._socks = socks
        self._new_circuits = new_circuits
        self._patience = patience
        self._hang = hang
        self._words = itertools.count()
        self._good: OrderedDict[Target, int] = OrderedDict()
        self._proven: set[int] = set()
        """Words in `_good` whose circuit has connected before."""
        self._renewed = -math.inf

    async def __call__(self, onion: str, port: int, isolation: str) -> trio.SocketStream:
        """Connect to `onion` ("….onion") on a circuit shared only by equal `isolation` and address."""
        public_key(onion)
        race = Race((onion.lower(), isolation), port, self._patience)
        try:
            with race.scope:
                async with trio.open_nursery() as nursery:
                    await self._run(race, nursery)
                    race.scope.cancel()
        except BaseException:
            if race.won is not None:
                await trio.aclose_forcefully(race.won)
            raise
        if race.won is None:
            raise race.refusal
        return race.won

    async def _run(self, race: Race, nursery: trio.Nursery) -> None:
        """Start tries until one has connected, or no other can help."""
        pause = FIRST_PAUSE_SECONDS
        self._start(race, nursery, self._word(race.target))
        while True:
            last: Ended | None = None
            with trio.move_on_after(COMPANY_SECONDS if race.running < TRIES_AT_ONCE else math.inf):
                last = await race.ended.receive()
            if last is None:
                self._start(race, nursery)
                continue
            race.running -= 1
            race.refusal = last.refusal
            if not (last.hung or last.reason in PASSING):
                return
            renewed = await self._renew(last)
            if last.reason in SHUT and not renewed:
                return
            if not last.hung and race.running:
                continue  # the others go on
            if not last.hung and not renewed:
                await trio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._start(race, nursery)

    def _start(self, race: Race, nursery: trio.Nursery, word: int | None = None) -> None:
        """One try more, on the circuit of `word` or on a fresh one."""
        race.running += 1
        nursery.start_soon(self._try, race, next(self._words) if word is None else word)

    def _word(self, target: Target) -> int:
        """The word of the circuit that all dials of a target share until it fails."""
        if target not in self._good:
            self._keep(target, next(self._words))
        return self._good[target]

    async def _try(self, race: Race, word: int) -> None:
        """Win the race, or tell how it went."""
        began, hung = trio.current_time(), True
        refusal = Refusal("unreachable", reason="timeout")
        try:
            with trio.move_on_after(self._hang):
                stream = await self._attempt(race.target, word, race.port)
                if race.won is not None:
                    await trio.aclose_forcefully(stream)
                    return
                race.won = stream
                self._keep(race.target, word)
                self._proven.add(word)
                race.scope.cancel()
                return
        except Refusal as said:
            refusal, hung = said, False
        except trio.Cancelled:
            # Whoever dialled waits no longer. What has connected before and now says nothing is dead, and
            # would stop the next dial as well; a circuit that is still being built serves it.
            if word in self._proven:
                self._drop(race.target, word)
            raise
        self._drop(race.target, word)
        await race.tell.send(Ended(began, refusal, hung))

    async def _attempt(self, target: Target, word: int, port: int) -> trio.SocketStream:
        socks = self._socks()
        if socks is None:
            raise Refusal("tor_off")
        try:
            stream = await trio.open_unix_socket(str(socks))
        except OSError as error:
            raise Refusal("tor_off") from error
        reason: str | None = "failed"
        try:
            with suppress(trio.BrokenResourceError, EOFError):
                reason = await _negotiate(stream, target, word, port)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        if reason is not None:
            await trio.aclose_forcefully(stream)
            raise Refusal("unreachable", reason=reason)
        return stream

    def _keep(self, target: Target, word: int) -> None:
        """The next dials of this target go by the circuit of this word."""
        self._proven.discard(self._good.get(target, -1))
        self._good[target] = word
        self._good.move_to_end(target)
        if len(self._good) > _KEPT:
            self._proven.discard(self._good.popitem(last=False)[1])

    def _drop(self, target: Target, word: int) -> None:
        """The next dial of this target takes a fresh circuit, if it would have taken this one."""
        if self._good.get(target) == word:
            del self._good[target]
            self._proven.discard(word)

    async def _renew(self, last: Ended) -> bool:
        """Whether Tor has forgotten circuits and cached descriptors since the try began that has ended now.

        Makes it forget them where that can help, but seldom: the tries of everybody begin anew with it.
        """
        if self._renewed > last.began:
            return True
        now = trio.current_time()
        if last.reason in SHUT:
            due = now - self._renewed >= NEW_CIRCUITS_SECONDS
        else:
            due = (last.hung or last.reason in ABSENT) and now - self._renewed >= SELDOM_SECONDS
        if due:
            self._renewed = now
            await self._new_circuits()
        return due


async def _negotiate(stream: trio.SocketStream, target: Target, word: int, port: int) -> str | None:
    """Ask for a connection; None is success, else the reason of the refusal."""
    address, isolation = target
    user = hashlib.blake2b(isolation.encode(), digest_size=16).hexdigest().encode()
    password = str(word).encode()
    host = address.encode()
    await stream.send_all(b"\x05\x01\x02")
    if await _receive(stream, 2) != b"\x05\x02":
        return "failed"
    await stream.send_all(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
    if await _receive(stream, 2) != b"\x01\x00":
        return "failed"
    await stream.send_all(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + port.to_bytes(2, "big"))
    _, code, _, kind = await _receive(stream, 4)
    length = {1: 4, 4: 16}.get(kind)
    await _receive(stream, (await _receive(stream, 1))[0] if length is None else length)
    await _receive(stream, 2)
    return None if code == 0 else REASONS.get(code, "failed")


async def _receive(stream: trio.SocketStream, count: int) -> bytes:
    """Exactly `count` bytes; never more, since what follows belongs to the caller of the dial."""
    data = b""
    while len(data) < count:
        chunk = await stream.receive_some(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data
