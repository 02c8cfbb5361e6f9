"""HTTP/1.1 on one connection: hypercorn's server, with our deadlines, closing and error bodies.

Hypercorn 0.18 leaves open what a box must not (each has a test in tests/api/test_faults.py): it
starts its idle timer in a task group that quart-trio has just cancelled, sends without a deadline,
reads bodies without one, and ends the process on a WebSocket upgrade with bytes after its head.
Here every phase of a request has one deadline on the reader, kept without tasks of its own, and
upgrades never reach hypercorn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h11
import trio
from hypercorn.config import Config as ServerConfig
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import events
from hypercorn.protocol import h11 as hypercorn_h11
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState

from appliance.api.call import refusal_head
from appliance.api.wire import GONE, LINGER_OCTETS, LINGER_SECONDS, Wire
from appliance.config import Config
from appliance.errors import Refusal

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method: Any) -> Any:
        """What typing.override is from Python 3.12 on."""
        return method


HEAD_LIMIT = 16 * 1024


def server_config() -> ServerConfig:
    """Hypercorn's settings: quiet, no headers that tell of the software or the clock."""
    config = ServerConfig()
    config.accesslog = None
    config.errorlog = None
    config.include_date_header = False
    config.include_server_header = False
    config.h11_max_incomplete_size = HEAD_LIMIT
    config.keep_alive_max_requests = 1_000_000
    return config


class Exchange(HTTPStream):
    """One request and its answer; an answer that comes after the end is dropped."""

    @override
    async def app_send(self, message: Any) -> None:
        """Pass on what the app sends."""
        if message is None or not self.closed:
            await super().app_send(message)


class Protocol(hypercorn_h11.H11Protocol):
    """HTTP/1.1 only: no upgrade, no HTTP/2, refusals with a body, head and body in one send."""

    _held = b""

    @override
    async def _check_protocol(self, event: h11.Request) -> None:
        """Take every request as HTTP/1.1."""

    @override
    async def _create_stream(self, request: h11.Request) -> None:
        self.stream = Exchange(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            hypercorn_h11.STREAM_ID,
        )
        await self.stream.handle(
            events.Request(
                stream_id=hypercorn_h11.STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1

    @override
    async def _send_h11_event(self, event: Any) -> None:
        try:
            data = self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response):
            # The head waits for the body: one send, one packet.
            self._held = data or b""
            return
        data, self._held = self._held + (data or b""), b""
        if data:
            await self.send(RawData(data=data))

    @override
    async def _send_error_response(self, status_code: int) -> None:
        await self.refuse(Refusal("too_large" if status_code == 431 else "malformed"))

    async def refuse(self, refusal: Refusal) -> None:
        """Answer a request that never reached the app, where an answer is still possible."""
        if self.connection.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        if self.stream is not None:
            await self._close_stream()
        headers, body = refusal_head(refusal)
        response = h11.Response(status_code=refusal.status, headers=headers)
        await self._send_h11_event(response)
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


class Http(TCPServer):
    """One connection. The reader's cancel scope carries the deadline of the present phase."""

    def __init__(
        self,
        app: AppWrapper,
        server: ServerConfig,
        context: WorkerContext,
        state: dict[str, Any],
        wire: Wire,
        config: Config,
    ) -> None:
        super().__init__(app, server, context, ConnectionState(state), wire)  # type: ignore[arg-type]
        self._wire = wire
        self._reading = trio.CancelScope()
        self._phase = ""
        self._finished = False
        self._retiring = False
        self._seconds = {
            "idle": config.idle_seconds,
            "head": config.head_seconds,
            "body": config.body_seconds,
            "answer": float("inf"),
        }

    @override
    async def run(self) -> None:
        """Serve requests until the peer leaves, a deadline passes or the box stops."""
        try:
            async with TaskGroup() as group:
                self._task_group = group
                self._protocol = Protocol(
                    self.app,
                    self.config,
                    self.context,
                    group,
                    ConnectionState(self.state),
                    False,
                    None,
                    None,
                    self.protocol_send,
                )
                await self._read_data()
        finally:
            self._wire.close()

    def retire(self) -> None:
        """The box stops: leave at once between requests, otherwise after the present answer."""
        self._retiring = True
        if self._phase in ("idle", "head") or self._finished:
            self._reading.cancel()

    @override
    async def protocol_send(self, event: Event) -> None:
        """Do what the protocol asks: send bytes, close, or start the next phase."""
        if isinstance(event, RawData):
            try:
                async with self.send_lock:
                    await self._wire.send_all(event.data)
            except (*GONE, trio.TooSlowError):
                self._reading.cancel()
                self._finished = True
                self._wire.close()
                await self._protocol.handle(Closed())
        elif isinstance(event, Closed):
            self._finish()
            await self._protocol.handle(Closed())
        elif isinstance(event, Updated):
            self._set_deadline()

    @override
    async def _read_data(self) -> None:
        after = 0
        with self._reading:
            while True:
                self._set_deadline()
                try:
                    data = await self._wire.receive_some()
                except GONE:
                    data = b""
                if not self._finished:
                    await self._protocol.handle(RawData(data))
                after += len(data) if self._finished else 0
                if not data or after > LINGER_OCTETS:
                    break
        if self._reading.cancelled_caught and not self._finished and self._phase in ("head", "body"):
            await self._protocol.refuse(Refusal("too_slow"))
            await self._wire.linger()
        await self._protocol.handle(Closed())

    def _finish(self) -> None:
        """Nothing more is sent; the reader goes on a little, lest unread bytes take the answer away."""
        if not self._finished:
            self._finished = True
            self._reading.deadline = trio.current_time() + LINGER_SECONDS
            self._wire.end_sending()

    def _set_deadline(self) -> None:
        if self._finished:
            return
        connection = self._protocol.connection
        if connection.their_state is h11.IDLE:
            phase = "head" if connection.trailing_data[0] else "idle"
        elif connection.their_state is h11.SEND_BODY:
            phase = "body"
        else:
            phase = "answer"
        if phase != self._phase:
            self._phase = phase
            self._reading.deadline = trio.current_time() + self._seconds[phase]
        if phase in ("idle", "head") and self._retiring:
            self._reading.cancel()
