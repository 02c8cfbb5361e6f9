"""What every WebSocket here has in common: the upgrade, sending whole frames, signs of life, the end.

Several tasks send; the lock keeps their frames whole. A peer that does not read, or gives no sign of life
when asked, is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import h11
import trio

from appliance.api import frames
from appliance.api.call import Visit
from appliance.api.gate import Gate, header
from appliance.api.wire import GONE, Wire
from appliance.errors import Refusal

if TYPE_CHECKING:
    from appliance.service.box import Box


class Upgrade(NamedTuple):
    """A request that may become a socket: its target, the answer to it, octets that came after its head."""

    target: bytes
    response: bytes
    ahead: bytes


class Socket:
    """One open socket; what it carries is its subclass's affair."""

    name: ClassVar[str]
    """What its refusals and faults are counted under."""

    def __init__(self, box: Box, wire: Wire, largest: int) -> None:
        self._box = box
        self._wire = wire
        self._frames = frames.Frames(largest)
        self._lock = trio.StrictFIFOLock()
        self._rest = b""
        """What the kernel did not take of the last `_try_send`; it goes before all else."""
        self._received = 0
        """Reads so far: the signs of life."""
        self._cut = False
        """Nothing can be said any more, not even that it is over."""

    async def _close(self, code: int) -> None:
        """Say that it is over, unless nothing can be said."""
        if not self._cut:
            await self._send(frames.close(code))
            await self._wire.linger()

    async def _keep_alive(self, leave: Callable[[], None]) -> None:
        """Ask a silent peer for a sign of life, and leave one that gives none."""
        asked = False
        try:
            while True:
                before = self._received
                await trio.sleep(self._box.config.idle_seconds)
                if self._received != before:
                    asked = False
                elif asked:
                    leave()
                else:
                    asked = True
                    await self._send(frames.PING)
        except GONE:
            self._cut = True
            leave()

    @property
    def _is_free(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._rest and not self._lock.locked()

    def _try_send(self, data: bytes | bytearray) -> bool:
        """Send without waiting, while `_is_free`; False when a rest is left, which `_send` must send."""
        sent = self._wire.send_now(data)
        if sent == len(data):
            return True
        self._rest = bytes(data[sent:])
        return False

    async def _send(self, data: bytes | bytearray = b"") -> None:
        """Send all of it, after what was left of earlier frames."""
        if not self._is_free:
            await self._lock.acquire()
        # Nearly always the kernel takes everything at once; only a rest has to wait.
        elif self._try_send(data):
            return
        else:
            self._lock.acquire_nowait()
            data = b""
        try:
            rest, self._rest = self._rest, b""
            await self._wire.send_all(rest + data)
        except trio.TooSlowError:
            # The peer stopped reading in the middle of a frame, so no close frame can follow.
            self._cut = True
            self._box.count_refusal(self.name, "too_slow")
            self._wire.close()
            raise trio.ClosedResourceError from None
        finally:
            self._lock.release()


async def read_upgrade(box: Box, gate: Gate, visit: Visit, wire: Wire) -> Upgrade:
    """The head of a request for a socket, let in; raises the `Refusal` that the peer should get."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=16_384)
    request = None
    with trio.move_on_after(box.config.head_seconds):
        request = await _read_head(connection, wire)
    if request is None:
        raise Refusal("too_slow")
    headers = list(request.headers)
    gate.admit(visit, "GET", headers)
    gate.check_open(visit)
    # Browsers let any page open a WebSocket to any host: Origin is the only thing that tells.
    gate.check_origin(headers, header(headers, b"host").lower())
    return Upgrade(request.target, frames.accept_response(request), connection.trailing_data[0])


async def _read_head(connection: h11.Connection, wire: Wire) -> h11.Request | None:
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                raise Refusal("malformed")
            connection.receive_data(await wire.receive_some())
    except h11.RemoteProtocolError as error:
        raise Refusal("too_large" if error.error_status_hint == 431 else "malformed") from error
