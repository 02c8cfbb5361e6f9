"""Streams to other onions: SOCKS 5 by hand over Tor's unix socket, one circuit per isolation.

Tor's extended errors tell why an onion did not answer. A try that failed or hung is repeated on a fresh
circuit: an older one may still lead to a rendezvous that died with the other box.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import trio

from appliance.errors import Refusal
from appliance.protocol.onion import public_key

PATIENCE_SECONDS = 90.0
HANG_SECONDS = 25.0
NEW_CIRCUITS_SECONDS = 30.0
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

FINAL: Final = frozenset({"refused", "not allowed", "bad address"})
"""Reasons that another try does not change."""

SHUT: Final = frozenset({"client key missing", "client key wrong"})
"""Reasons that Tor repeats from its cache for hours, though the other side may have let us in meanwhile."""


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
        self._generations: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._renewed = -NEW_CIRCUITS_SECONDS

    async def __call__(self, onion: str, port: int, isolation: str) -> trio.SocketStream:
        """Connect to `onion` ("….onion") on a circuit shared only by equal `isolation` and address."""
        public_key(onion)
        target, pause = (onion.lower(), isolation), 0.5
        reason = "timeout"
        with trio.move_on_after(self._patience):
            while reason not in FINAL:
                hung = True
                with trio.move_on_after(self._hang):
                    answer = await self._attempt(target, port)
                    if isinstance(answer, trio.SocketStream):
                        return answer
                    reason, hung = answer, False
                self._renew(target)
                if hung:
                    reason = "timeout"
                    await self._forget_circuits()
                elif reason in SHUT:
                    if not await self._forget_circuits():
                        break
                elif reason not in FINAL:
                    await trio.sleep(pause)
                    pause = min(2 * pause, 8.0)
        raise Refusal("unreachable", reason=reason)

    async def _attempt(self, target: tuple[str, str], port: int) -> trio.SocketStream | str:
        socks = self._socks()
        if socks is None:
            raise Refusal("tor_off")
        try:
            stream = await trio.open_unix_socket(str(socks))
        except OSError as error:
            raise Refusal("tor_off") from error
        done = False
        try:
            reason = await self._negotiate(stream, target, port)
            done = reason is None
        except (trio.BrokenResourceError, EOFError):
            reason = "failed"
        finally:
            if not done:
                await trio.aclose_forcefully(stream)
        return stream if reason is None else reason

    async def _negotiate(self, stream: trio.SocketStream, target: tuple[str, str], port: int) -> str | None:
        """Ask for a connection; None is success, else the reason of the refusal."""
        address, isolation = target
        user = hashlib.blake2b(isolation.encode(), digest_size=16).hexdigest().encode()
        word = str(self._generations.get(target, 0)).encode()
        host = address.encode()
        await stream.send_all(b"\x05\x01\x02")
        if await _receive(stream, 2) != b"\x05\x02":
            return "failed"
        await stream.send_all(b"\x01" + bytes([len(user)]) + user + bytes([len(word)]) + word)
        if await _receive(stream, 2) != b"\x01\x00":
            return "failed"
        await stream.send_all(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + port.to_bytes(2, "big"))
        _, code, _, kind = await _receive(stream, 4)
        length = {1: 4, 4: 16}.get(kind)
        await _receive(stream, (await _receive(stream, 1))[0] if length is None else length)
        await _receive(stream, 2)
        return None if code == 0 else REASONS.get(code, "failed")

    def _renew(self, target: tuple[str, str]) -> None:
        """From now on another circuit for this target."""
        self._generations[target] = self._generations.pop(target, 0) + 1
        if len(self._generations) > _KEPT:
            self._generations.popitem(last=False)

    async def _forget_circuits(self) -> bool:
        """Drop Tor's cached descriptors too, which may be old; False if that was done a moment ago."""
        now = trio.current_time()
        if now - self._renewed < NEW_CIRCUITS_SECONDS:
            return False
        self._renewed = now
        await self._new_circuits()
        return True


async def _receive(stream: trio.SocketStream, count: int) -> bytes:
    """Exactly `count` bytes; never more, since what follows belongs to the caller of the dial."""
    data = b""
    while len(data) < count:
        chunk = await stream.receive_some(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data
