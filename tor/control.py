"""The control connection: the only module that knows stem.

stem has threads of its own. Calls go to a worker thread; events come from stem's thread into a bounded
channel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import stem
import stem.connection
import stem.control
import stem.response
import stem.socket
import stem.util.log
import trio

from tor.status import Event

T = TypeVar("T")

EVENTS: Final = ("STATUS_CLIENT", "STATUS_GENERAL", "HS_DESC", "NETWORK_LIVENESS", "ORCONN")
_QUEUE = 256
ANSWER_SECONDS = 20.0


class ControlFailed(Exception):
    """Tor refused a command, did not answer or has gone; the message is Tor's own."""


class ControlRefused(ControlFailed):
    """Tor is well, and refused one command."""


class Control:
    """One control connection to a Tor that this process owns: Tor ends when it closes."""

    def __init__(self, controller: _Controller) -> None:
        self._controller = controller
        self._send, self.events = trio.open_memory_channel[Event](_QUEUE)
        self._token = trio.lowlevel.current_trio_token()

    @classmethod
    async def connect(cls, path: Path) -> Self:
        """Connect to the control socket at `path`, own the Tor behind it and hear its events."""
        control = cls(await _call(_open, str(path)))
        try:
            control._controller.hear = control._hear
            await control._message("TAKEOWNERSHIP")
            await control._message("SETEVENTS " + " ".join(EVENTS))
        except BaseException:
            await control.close()
            raise
        return control

    async def ask(self, *keys: str) -> dict[str, str]:
        """The values of some GETINFO keys, always fresh."""
        answer = await self._message("GETINFO " + " ".join(keys))
        found = {}
        for _, _, line in answer.content():
            key, equals, value = line.partition("=")
            if equals and key in keys:
                found[key] = value.strip()
        return found

    async def set(self, settings: Sequence[tuple[str, str]]) -> None:
        """Set options in one go and in this order."""
        await self._message("SETCONF " + " ".join(f"{key}={quote(value)}" for key, value in settings))

    async def reset(self, *keys: str) -> None:
        """Give options their defaults back."""
        await self._message("RESETCONF " + " ".join(keys))

    async def circuits(self, purpose: str) -> list[str]:
        """Ids of the circuits of one purpose ("HS_SERVICE_REND", …), those still being built among them."""
        told = await self.ask("circuit-status")
        lines = [line.split() for line in told["circuit-status"].splitlines()]
        return [words[0] for words in lines if f"PURPOSE={purpose}" in words]

    async def close_circuit(self, circuit: str) -> None:
        """Close one circuit; ControlRefused if it has gone."""
        await self._message(f"CLOSECIRCUIT {circuit}")

    async def new_circuits(self) -> None:
        """NEWNYM: forget cached descriptors and use fresh circuits from now on."""
        await self._message("SIGNAL NEWNYM")

    async def add_key(self, address: str, key: str) -> None:
        """Open closed onion `address` (without ending) with our x25519 private key (base64)."""
        await self._message(f"ONION_CLIENT_AUTH_ADD {address} x25519:{key}")

    async def remove_key(self, address: str) -> None:
        """Forget our key to a closed onion."""
        await self._message(f"ONION_CLIENT_AUTH_REMOVE {address}")

    async def close(self) -> None:
        """Close the connection, which ends Tor, and stem's threads."""
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._controller.close)
            self._send.close()

    async def _message(self, line: str) -> Any:
        answer = await _call(self._controller.msg, line)
        # stem's own is_ok knows 250 only, but a key that opens a descriptor already here gets a 252.
        code, _, text = answer.content()[-1]
        if not code.startswith("2"):
            raise ControlRefused(text)
        return answer

    def _hear(self, event: Any) -> None:
        """In stem's thread: pass an event on."""
        try:
            self._token.run_sync_soon(self._offer, _read(event))
        except trio.RunFinishedError:
            return

    def _offer(self, event: Event) -> None:
        try:
            self._send.send_nowait(event)
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the regular probe of the supervisor makes up for what is lost here


def quote(value: str) -> str:
    """A value as a quoted string of the control protocol; ValueError for control characters."""
    if any(ord(character) < 32 for character in value):
        raise ValueError("control characters in a Tor option")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def arguments_of(text: str) -> dict[str, str]:
    """The KEY=VALUE words of a status line, as in `GETINFO status/bootstrap-phase`."""
    message = stem.response.ControlMessage.from_str(f"650 STATUS_CLIENT {text}\r\n", "EVENT")
    return dict(message.keyword_args)


async def _call(function: Callable[..., T], *arguments: Any) -> T:
    try:
        with trio.fail_after(ANSWER_SECONDS):
            return await trio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True)
    except trio.TooSlowError as error:
        raise ControlFailed("Tor does not answer") from error
    except (stem.ControllerError, stem.connection.AuthenticationFailure) as error:
        raise ControlFailed(str(error)) from error


class _Controller(stem.control.BaseController):  # type: ignore[misc]  # stem has no types
    """stem's connection without its cache and its own ideas of ownership; events go to `hear`.

    Its threads are started here, since stem does so in a way that Python has deprecated, and wakes twenty
    times a second to look for events.
    """

    def __init__(self, path: str) -> None:
        self.hear: Callable[[Any], None] = lambda event: None
        self._reader_thread: threading.Thread | None = None
        self._event_thread: threading.Thread | None = None
        super().__init__(stem.socket.ControlSocketFile(path))

    def _launch_threads(self) -> None:
        with self._socket._get_send_lock():
            self._reader_thread = self._alive(self._reader_thread, self._reader_loop)
            self._event_thread = self._alive(self._event_thread, self._event_loop)

    @staticmethod
    def _alive(thread: threading.Thread | None, loop: Callable[[], None]) -> threading.Thread:
        if thread is not None and thread.is_alive():
            return thread
        fresh = threading.Thread(target=loop, name="tor control", daemon=True)
        fresh.start()
        return fresh

    def _event_loop(self) -> None:
        while self.is_alive():
            self._event_notice.wait()
            self._event_notice.clear()
            while not self._event_queue.empty():
                message = self._event_queue.get()
                try:
                    stem.response.convert("EVENT", message)
                except stem.ProtocolError:
                    continue
                self.hear(message)


def _open(path: str) -> _Controller:
    stem.util.log.get_logger().disabled = True  # it would log what it is asked
    controller = _Controller(path)
    try:
        stem.connection.authenticate(controller)
    except BaseException:
        controller.close()
        raise
    return controller


def _read(event: Any) -> Event:
    said: Mapping[str, str] = event.keyword_args or {}
    if event.type == "HS_DESC":
        return Event(event.type, event.action, arguments={**said, "ADDRESS": event.address or ""})
    if event.type == "NETWORK_LIVENESS":
        return Event(event.type, event.status or "")
    if event.type == "ORCONN":
        # Which relay it was is nobody's business here.
        return Event(event.type, event.status or "", arguments={"REASON": event.reason or ""})
    # A type that stem does not know has no parts.
    return Event(event.type, getattr(event, "action", ""), getattr(event, "runlevel", "NOTICE"), said)
