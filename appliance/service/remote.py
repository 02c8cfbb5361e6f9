"""Requests to other boxes over the dial: one HTTP connection pool per destination and purpose.

A failed request throws its pool away and the next one gets a fresh SOCKS isolation, because a
client that held a circuit to a restarted onion can hang on the old rendezvous.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import httpcore
import msgspec
import trio

from appliance.errors import REFUSALS, Refusal
from appliance.protocol.codec import CBOR, encode, read
from appliance.protocol.messages import Message, Nonces
from appliance.service.ports import Dial

M = TypeVar("M")

ONION_PORT: Final = 80
REQUEST_SECONDS: Final = 90.0
MAX_ANSWER: Final = 24 * 1024 * 1024
NONCES_AT_ONCE: Final = 8
NONCE_SECONDS: Final = 45


class _Stream(httpcore.AsyncNetworkStream):
    """A trio stream as httpcore wants it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _translate(httpcore.ReadTimeout, httpcore.ReadError), trio.fail_after(_deadline(timeout)):
            return bytes(await self._stream.receive_some(max_bytes))  # type: ignore[attr-defined]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _translate(httpcore.WriteTimeout, httpcore.WriteError), trio.fail_after(_deadline(timeout)):
            await self._stream.send_all(buffer)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return None


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects through the dial with one isolation."""

    def __init__(self, dial: Dial, isolation: str) -> None:
        self._dial = dial
        self._isolation = isolation

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _translate(httpcore.ConnectTimeout, httpcore.ConnectError), trio.fail_after(_deadline(timeout)):
            return _Stream(await self._dial(host, port, self._isolation))

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class _translate:
    """Turn trio's errors into httpcore's, so that its pool closes what broke."""

    def __init__(self, late: type[Exception], broken: type[Exception]) -> None:
        self._late = late
        self._broken = broken

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, trio.TooSlowError):
            raise self._late from error
        if isinstance(error, trio.BrokenResourceError | trio.ClosedResourceError | OSError):
            raise self._broken from error


def _deadline(timeout: float | None) -> float:
    return REQUEST_SECONDS if timeout is None else timeout


class Remote:
    """Speaks the relay's API with other boxes. Owner: the event loop."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._pools: dict[tuple[str, str], httpcore.AsyncConnectionPool] = {}
        self._generation: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._nonces: defaultdict[tuple[str, str], deque[tuple[float, bytes]]] = defaultdict(deque)

    async def post(
        self,
        onion: str,
        path: str,
        message: Message,
        answer: type[M],
        purpose: str = "",
        seconds: float = REQUEST_SECONDS,
    ) -> M:
        """Send a message and read the answer; raises the other box's Refusal, or "unreachable"."""
        return await self._call("POST", onion, path, encode(message), answer, purpose, seconds)

    async def get(
        self, onion: str, path: str, answer: type[M], purpose: str = "", seconds: float = REQUEST_SECONDS
    ) -> M:
        """Read a public value of another box."""
        return await self._call("GET", onion, path, b"", answer, purpose, seconds)

    async def nonce(self, onion: str, purpose: str = "") -> bytes:
        """A nonce of that relay: one kept from its last answer, or a fresh one."""
        kept = self._nonces[(onion, purpose)]
        while kept:
            fresh_until, nonce = kept.popleft()
            if trio.current_time() < fresh_until:
                return nonce
        issued = await self.get(onion, f"/v1/nonces?count={NONCES_AT_ONCE}", Nonces, purpose)
        for nonce in issued.nonces:
            self.keep_nonce(onion, nonce, purpose)
        return kept.popleft()[1]

    def keep_nonce(self, onion: str, nonce: bytes, purpose: str = "") -> None:
        """Keep the nonce an answer brought for the next request: it saves a round trip."""
        if nonce:
            self._nonces[(onion, purpose)].append((trio.current_time() + NONCE_SECONDS, nonce))

    async def close(self) -> None:
        """Close every connection."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    async def _call(
        self, method: str, onion: str, path: str, body: bytes, answer: type[M], purpose: str, seconds: float
    ) -> M:
        key = (onion, purpose)
        headers = {"host": onion, "accept": CBOR}
        if method == "POST":
            headers["content-type"] = CBOR
        try:
            with trio.fail_after(seconds):
                async with self._pool(key).stream(
                    method, f"http://{onion}:{ONION_PORT}{path}", headers=headers, content=body
                ) as response:
                    status = response.status
                    data = await _read_bounded(response)
        except (trio.TooSlowError, httpcore.TimeoutException) as error:
            await self._renew(key)
            raise Refusal("unreachable", reason="timeout") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            await self._renew(key)
            raise Refusal("unreachable", reason="connection lost") from error
        except Refusal:
            await self._renew(key)
            raise
        if status != 200:
            raise _refusal(data)
        try:
            return read(data, answer, CBOR)
        except Refusal as error:
            raise Refusal("bad_answer") from error

    def _pool(self, key: tuple[str, str]) -> httpcore.AsyncConnectionPool:
        pool = self._pools.get(key)
        if pool is None:
            isolation = f"{key[0]}:{key[1]}:{self._generation[key]}"
            pool = httpcore.AsyncConnectionPool(
                max_connections=2, keepalive_expiry=45, network_backend=_Backend(self._dial, isolation)
            )
            self._pools[key] = pool
        return pool

    async def _renew(self, key: tuple[str, str]) -> None:
        self._generation[key] += 1
        pool = self._pools.pop(key, None)
        if pool is not None:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await pool.aclose()


class _ErrorBody(msgspec.Struct):
    code: str
    details: dict[str, Any] = {}


class _ErrorAnswer(msgspec.Struct):
    error: _ErrorBody


def _refusal(data: bytes) -> Refusal:
    """The refusal another box answered; an unknown code is a bad answer."""
    try:
        body = read(data, _ErrorAnswer, CBOR).error
    except Refusal:
        return Refusal("bad_answer")
    return Refusal(body.code) if body.code in REFUSALS else Refusal("bad_answer")


async def _read_bounded(response: httpcore.Response) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > MAX_ANSWER:
            raise Refusal("bad_answer", reason="too large")
        chunks.append(chunk)
    return b"".join(chunks)
