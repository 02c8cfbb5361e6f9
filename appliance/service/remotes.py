"""Other boxes, spoken to over the dial: one client per destination and purpose.

Purposes keep circuits apart, so that an onion cannot tell that two of its visitors are one box. After a
failure the client is thrown away and the next one gets a fresh SOCKS isolation, because who held a
circuit to a restarted onion can hang on the old rendezvous.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self, TypeVar

import trio

from appliance.client.entrance import Unanswered, onion
from appliance.client.http import MOST_OCTETS
from appliance.client.relay import Relay
from appliance.client.stream import RelayStream, open_stream
from appliance.errors import Refusal
from appliance.protocol.codec import CBOR
from appliance.protocol.messages import Message
from appliance.service.ports import Dial

T = TypeVar("T")

REQUEST_SECONDS: Final = 120.0
ANSWER_SECONDS: Final = 20.0
ASKED_AT_MOST: Final = 4
KEPT: Final = 64
"""Clients kept for another request; each can hold open connections."""
COUNTED: Final = 4096
"""Destinations whose fresh circuits are counted; who was asked longest ago begins anew."""
_LOST: Final = {"unreachable", "tor_off", "bad_answer"}


class Remotes:
    """All clients of other boxes. Owner: the event loop."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._relays: dict[tuple[str, str], Relay] = {}
        self._generation: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._using: Counter[tuple[str, str]] = Counter()

    @asynccontextmanager
    async def at(self, address: str, purpose: str, seconds: float = REQUEST_SECONDS) -> AsyncIterator[Relay]:
        """A client of the box at `address` for some requests; raises its refusals, or "unreachable"."""
        key = (address, purpose)
        relay = self._relays.pop(key, None)
        if relay is None:
            isolation = f"{address}:{purpose}:{self._generation[key]}"
            relay = Relay(onion(self._dial, address, isolation), address)
        self._relays[key] = relay  # the last used comes last
        self._using[key] += 1
        try:
            with trio.fail_after(seconds):  # noqa: ASYNC100 (the caller awaits inside)
                yield relay
        except (Unanswered, trio.TooSlowError) as error:
            await self._renew(key)
            reason = error.reason if isinstance(error, Unanswered) else "timeout"
            raise Refusal("unreachable", reason=reason) from error
        except Refusal as refusal:
            if refusal.code in _LOST:
                await self._renew(key)
            raise
        finally:
            self._using[key] -= 1
            await self._let_go()

    async def ask(
        self,
        address: str,
        purpose: str,
        path: str,
        kind: type[T],
        seconds: float = REQUEST_SECONDS,
        *,
        question: Message | None = None,
        most: int = MOST_OCTETS,
    ) -> T:
        """The answer to a GET, or to a POST that may be asked twice, of at most `most` octets.

        It is asked again on a fresh circuit where the line opens and no answer comes.
        """
        method = "GET" if question is None else "POST"
        end = trio.current_time() + seconds
        for count in range(1, ASKED_AT_MOST + 1):
            left = max(0.0, end - trio.current_time())
            async with self.at(address, purpose, left) as relay:
                try:
                    return await relay.http.call(
                        method, path, kind, question, media=CBOR, seconds=ANSWER_SECONDS, most=most
                    )
                except Unanswered:
                    if count == ASKED_AT_MOST:
                        raise
            await self._renew((address, purpose))
        raise AssertionError("the last count returns or raises")

    @asynccontextmanager
    async def stream(self, address: str, purpose: str) -> AsyncIterator[RelayStream]:
        """A relay stream to the box at `address`, on the circuit of that purpose; Refusal unreachable."""
        key = (address, purpose)
        isolation = f"{address}:{purpose}:{self._generation[key]}"
        try:
            async with open_stream(onion(self._dial, address, isolation), address) as stream:
                yield stream
        except Unanswered as error:
            self._generation[key] += 1
            raise Refusal("unreachable", reason=error.reason) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        for key in list(self._relays):
            await self._renew(key)

    async def _let_go(self) -> None:
        """Close clients that nobody has used for longest, beyond those that are kept."""
        self._using = +self._using
        idle = [key for key in self._relays if key not in self._using]
        for key in idle[: max(0, len(self._relays) - KEPT)]:
            await self._relays.pop(key).__aexit__(None, None, None)
        while len(self._generation) > COUNTED:
            del self._generation[next(iter(self._generation))]

    async def _renew(self, key: tuple[str, str]) -> None:
        self._generation[key] += 1
        relay = self._relays.pop(key, None)
        if relay is not None:
            await relay.__aexit__(None, None, None)
