"""A relay over one WebSocket: pipelined requests, answers in any order, and "look" events.

Requests are queued in the order of their counters and one task writes them, many to a packet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Final, TypeVar

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
)
from wsproto.events import (
    Message as Piece,
)
from wsproto.utilities import LocalProtocolError, ProtocolError

from appliance.client.entrance import Entrance, Unanswered
from appliance.client.http import refusal_of
from appliance.errors import Refusal
from appliance.protocol import codec, stream
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK, MailboxId, mailbox_id, sign_request
from appliance.protocol.messages import (
    Acknowledge,
    Acknowledged,
    Deposit,
    Deposited,
    Fetch,
    Fetched,
    Message,
    Subscribe,
)

T = TypeVar("T", bound=Message)
R = TypeVar("R", Fetch, Acknowledge, Subscribe)

PATH: Final = "/v1/relay/stream"
OPEN_SECONDS: Final = 60.0
READ_SIZE: Final = 1 << 18
MAX_FRAME: Final = 32 << 20


class Pending:
    """An answer that is still to come."""

    __slots__ = ("_answer", "_event")

    def __init__(self) -> None:
        self._event = trio.Event()
        self._answer: stream.Answer | None = None

    async def read(self, kind: type[T]) -> T:
        """Wait for the answer; raises the relay's Refusal, or Unanswered when the stream ended."""
        await self._event.wait()
        if self._answer is None:
            raise Unanswered("broken")
        return self._answer.message(kind)

    def settle(self, answer: stream.Answer | None) -> None:
        """Give the answer; None when none will come."""
        self._answer = answer
        self._event.set()


class RelayStream:
    """An open stream, made by `open_stream`; any task may use it."""

    def __init__(self, connection: trio.abc.Stream, host: str) -> None:
        self.host = host
        self._connection = connection
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._prefix = b""
        self._ids = count(1)
        self._counters = count(1)
        self._pending: dict[int, Pending] = {}
        self._outgoing = bytearray()
        self._wake = trio.Event()
        self._looks: set[MailboxId] = set()
        self._looked = trio.Event()
        self._frame = bytearray()
        self._closed = False

    async def deposit(self, batch: Deposit) -> Deposited:
        """Deposit a batch; answered after the relay's commit."""
        return await self.submit(batch).read(Deposited)

    async def fetch(
        self, key: SigningKey, *, after: int = 0, limit: int = 64, acknowledge: Sequence[bytes] = ()
    ) -> Fetched:
        """Envelopes in order of arrival, after removing those acknowledged."""
        request = Fetch(
            mailbox=mailbox_id(key.public),
            auth=BLANK,
            limit=limit,
            after=after,
            acknowledge=list(acknowledge),
        )
        return await self.submit(self.sign(key, request)).read(Fetched)

    async def acknowledge(self, key: SigningKey, envelopes: Sequence[bytes]) -> Acknowledged:
        """Remove envelopes by id."""
        request = Acknowledge(mailbox=mailbox_id(key.public), envelopes=list(envelopes), auth=BLANK)
        return await self.submit(self.sign(key, request)).read(Acknowledged)

    async def subscribe(self, key: SigningKey) -> None:
        """From now on `looks` tells when something arrives in the mailbox of `key`."""
        request = Subscribe(mailbox=mailbox_id(key.public), auth=BLANK)
        await self.submit(self.sign(key, request)).read(stream.Subscribed)

    async def looks(self) -> set[MailboxId]:
        """Wait for subscribed mailboxes with something new; all since the last call at once."""
        while not self._looks:
            if self._closed:
                raise Unanswered("broken")
            self._looked = trio.Event()
            await self._looked.wait()
        found, self._looks = self._looks, set()
        return found

    def sign(self, key: SigningKey, request: R) -> R:
        """Sign with this stream's next nonce; submit before the next `sign`, counters must rise."""
        return sign_request(key, self.host, stream.nonce(self._prefix, next(self._counters)), request)

    def submit(self, request: stream.StreamRequest) -> Pending:
        """Queue a request without waiting for its answer; the caller bounds how many are out."""
        if self._closed:
            raise Unanswered("broken")
        pending = Pending()
        number = next(self._ids)
        try:
            self._queue(BytesMessage(data=stream.write_request(number, request)))
        except LocalProtocolError as error:
            # The relay has closed, and the reading task has seen it but not yet ended the stream.
            raise Unanswered("broken") from error
        self._pending[number] = pending
        return pending

    async def open(self, name: str) -> None:
        """Shake hands, calling the entrance by `name`, and wait for the relay's hello."""
        self._queue(Request(host=name, target=PATH))
        await self._flush()
        while not self._prefix:
            if not await self._read_some():
                raise Unanswered("broken")

    async def run(self) -> None:
        """Read and write until the stream ends; then every open request fails."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                while await self._read_some():
                    pass
                nursery.cancel_scope.cancel()
        finally:
            self._end()

    async def close(self) -> None:
        """Say goodbye and close."""
        self._end()
        with trio.CancelScope(shield=True), trio.move_on_after(1):
            try:
                self._queue(CloseConnection(code=1000))
                await self._flush()
            except (
                ProtocolError,
                trio.BrokenResourceError,
                trio.ClosedResourceError,
                trio.BusyResourceError,
            ):
                pass
        await trio.aclose_forcefully(self._connection)

    def _end(self) -> None:
        self._closed = True
        open_requests, self._pending = self._pending, {}
        for pending in open_requests.values():
            pending.settle(None)
        self._looked.set()

    def _queue(self, event: Event) -> None:
        self._outgoing += self._websocket.send(event)
        self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._flush()
            if not self._outgoing:
                self._wake = trio.Event()
                await self._wake.wait()

    async def _flush(self) -> None:
        while self._outgoing:
            data, self._outgoing = bytes(self._outgoing), bytearray()
            try:
                await self._connection.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                # The reader learns it too and ends the stream.
                return

    async def _read_some(self) -> bool:
        """Take in what came; False when the stream is over."""
        try:
            data = await self._connection.receive_some(READ_SIZE)
            self._websocket.receive_data(bytes(data) or None)
            return all(self._take(event) for event in self._websocket.events()) and bool(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError):
            return False
        except Refusal:
            # Before the hello the relay turns us away; after it, what cannot be read ends the stream.
            if not self._prefix:
                raise
            return False

    def _take(self, event: Event) -> bool:
        match event:
            case AcceptConnection():
                pass
            case BytesMessage(data=data, message_finished=finished):
                self._frame += data
                if len(self._frame) > MAX_FRAME:
                    return False
                if finished:
                    frame, self._frame = bytes(self._frame), bytearray()
                    self._receive(frame)
            case Ping():
                self._queue(event.response())
            case RejectConnection(has_body=False):
                raise Refusal("bad_answer")
            case RejectData(data=data, body_finished=finished):
                self._frame += data
                if finished:
                    raise refusal_of(bytes(self._frame), codec.JSON)
            case CloseConnection() | Piece():
                return False
        return True

    def _receive(self, frame: bytes) -> None:
        reply = stream.read_reply(frame)
        if isinstance(reply, stream.Hello):
            self._prefix = reply.nonce
        elif isinstance(reply, stream.Look):
            self._looks.add(MailboxId(reply.mailbox))
            self._looked.set()
        elif (pending := self._pending.pop(reply.id, None)) is not None:
            pending.settle(reply)


@asynccontextmanager
async def open_stream(entrance: Entrance, host: str) -> AsyncIterator[RelayStream]:
    """A stream to the relay whose onion address is `host`; raises Unanswered or the relay's Refusal."""
    try:
        with trio.fail_after(OPEN_SECONDS):
            opened = RelayStream(await entrance.open(), host)
            try:
                await opened.open(entrance.host)
            except BaseException:
                await opened.close()
                raise
    except trio.TooSlowError as error:
        raise Unanswered("timeout") from error
    except OSError as error:
        raise Unanswered("nobody") from error
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(opened.run)
        try:
            yield opened
        except Exception as error:
            # Raised again outside: a caller must not meet groups because we have a task of our own.
            failure = error
        finally:
            await opened.close()
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
