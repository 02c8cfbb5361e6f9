"""Accepts connections at every entrance and gives each to HTTP or to a relay stream.

Owner of all connections: what goes wrong in one ends that one, is counted, and no other notices.
On cancellation the listeners close first; idle connections leave at once, the others get a moment.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework

from appliance.api.call import Visit, refusal_response
from appliance.api.entrance import PROXY_LONGEST, Entrance, read_proxy_line
from appliance.api.events import EventSocket
from appliance.api.gate import Gate
from appliance.api.http import Http, server_config
from appliance.api.stream import RelayStream
from appliance.api.wire import GONE, Wire
from appliance.errors import Refusal

if TYPE_CHECKING:
    from appliance.service.box import Box

GRACE_SECONDS = 5.0
STREAM_START = b"GET /v1/relay/stream"
SOCKET_START = b"GET /v1/events?ticket="

_OUT_OF_SOCKETS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_OVER = (*GONE, trio.TooSlowError)


class Guest(Protocol):
    """Anything that holds a connection and can be asked to leave."""

    def retire(self) -> None:
        """Leave soon: the box stops."""
        ...


class Server:
    """All connections of the box."""

    def __init__(self, box: Box, app: ASGIFramework, gate: Gate) -> None:
        self._box = box
        self._gate = gate
        self._app = ASGIWrapper(app)
        self._hypercorn = server_config()
        self._context = WorkerContext(None)
        self._guests: set[Guest] = set()
        self._passing: set[trio.CancelScope] = set()
        self._stopping = trio.Event()

    async def serve(
        self,
        entrances: Sequence[Entrance],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; closes the listeners and removes their files."""
        _allow_open_files(self._box.config.connections)
        # The connections live under a shield: they outlast a cancellation by GRACE_SECONDS at most.
        grace = trio.CancelScope(shield=True)
        try:
            async with trio.open_nursery() as nursery:
                connections = await nursery.start(self._hold, grace)
                try:
                    async with trio.open_nursery() as doors:
                        for entrance in entrances:
                            doors.start_soon(self._accept, entrance, connections)
                        task_status.started()
                finally:
                    for entrance in entrances:
                        entrance.close()
                    self._retire(grace)
        finally:
            for entrance in entrances:
                entrance.close()

    async def _hold(self, grace: trio.CancelScope, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        with grace:
            async with trio.open_nursery() as connections:
                task_status.started(connections)
                await self._stopping.wait()

    def _retire(self, grace: trio.CancelScope) -> None:
        grace.deadline = trio.current_time() + GRACE_SECONDS
        self._stopping.set()
        for scope in self._passing:
            scope.cancel()
        for guest in tuple(self._guests):
            guest.retire()
        # Who waits for news is answered now, or every stop with a page open would take the whole grace.
        self._box.release()

    async def _accept(self, entrance: Entrance, connections: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(entrance.listener)
            try:
                sock, _ = entrance.listener.accept()
            except OSError as error:
                if error.errno in _OUT_OF_SOCKETS:
                    self._box.count_fault("accept", error)
                    await trio.sleep(0.2)
                continue
            connections.start_soon(self._connection, sock, entrance)

    async def _connection(self, sock: socket.socket, entrance: Entrance) -> None:
        """One connection from accept to close; nothing that happens in it leaves it."""
        wire = Wire(sock, lambda: self._box.config.write_seconds)
        try:
            with self._gate.limits.connection(entrance.kind):
                await self._serve(wire, entrance)
        except Refusal as refusal:
            self._box.count_refusal("connection", refusal.code)
            await self._turn_away(wire, refusal)
        except _OVER:
            pass
        except Exception as error:
            if not _only(error, _OVER):
                self._box.count_fault("connection", error)
        finally:
            wire.close()

    async def _turn_away(self, wire: Wire, refusal: Refusal) -> None:
        with self._until_stop(), contextlib.suppress(*_OVER):
            await wire.send_all(refusal_response(refusal))
            await wire.linger()

    async def _serve(self, wire: Wire, entrance: Entrance) -> None:
        circuit, start = None, b""
        with self._until_stop(), trio.move_on_after(self._box.config.head_seconds):
            if entrance.kind == "onion":
                circuit = await _read_circuit(wire)
            start = await _read_start(wire)
        if not start:
            return
        visit = Visit(entrance.kind, circuit)
        if circuit is None:
            await self._converse(wire, visit, start)
        else:
            with self._gate.limits.circuit(circuit):
                await self._converse(wire, visit, start)

    async def _converse(self, wire: Wire, visit: Visit, start: bytes) -> None:
        if start.startswith(STREAM_START) and start[len(STREAM_START) :][:1] in (b" ", b"?"):
            stream = await RelayStream.accept(self._box, self._gate, visit, wire)
            await self._entertain(stream, stream.run)
            return
        if start.startswith(SOCKET_START):
            events = await EventSocket.accept(self._box, self._gate, visit, wire)
            await self._entertain(events, events.run)
            return
        http = Http(
            self._app,
            self._hypercorn,
            self._context,
            {"visit": visit},
            wire,
            self._box.config,
        )
        await self._entertain(http, http.run)

    @contextlib.contextmanager
    def _until_stop(self) -> Iterator[None]:
        """What is in this block ends at once when the box stops."""
        with trio.CancelScope() as scope:
            self._passing.add(scope)
            try:
                yield
            finally:
                self._passing.discard(scope)

    async def _entertain(self, guest: Guest, run: Callable[[], Awaitable[None]]) -> None:
        self._guests.add(guest)
        try:
            if not self._stopping.is_set():
                await run()
        finally:
            self._guests.discard(guest)


def _allow_open_files(connections: int) -> None:
    """Raise the soft limit of open files where it would be reached before our own limits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 1024
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _read_circuit(wire: Wire) -> int:
    """Read the PROXY line and nothing more; `Refusal("malformed")` when it is not one."""
    data = b""
    while b"\r\n" not in data:
        if len(data) >= PROXY_LONGEST or not b"PROXY TCP6 ".startswith(data[:11]):
            raise Refusal("malformed")
        more = await wire.receive_some()
        if not more:
            raise trio.BrokenResourceError
        data += more
    line, _, rest = data.partition(b"\r\n")
    wire.push_back(rest)
    if len(line) > PROXY_LONGEST:
        raise Refusal("malformed")
    return read_proxy_line(line)


async def _read_start(wire: Wire) -> bytes:
    """Enough of the first request to tell WebSockets from anything else; the bytes stay to be read."""
    start = b""
    while _is_open(start):
        data = await wire.receive_some()
        start += data
        if not data:
            break
    wire.push_back(start)
    return start


def _is_open(start: bytes) -> bool:
    """Whether more bytes could still make it a WebSocket, or tell that it is one."""
    return STREAM_START.startswith(start) or (
        len(start) < len(SOCKET_START) and SOCKET_START.startswith(start)
    )


def _only(error: BaseException, kinds: tuple[type[Exception], ...]) -> bool:
    """Whether an error, or everything in an error group, is of these kinds."""
    if isinstance(error, BaseExceptionGroup):
        return all(_only(inner, kinds) for inner in error.exceptions)
    return isinstance(error, kinds)
