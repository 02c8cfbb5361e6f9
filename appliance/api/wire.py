"""One accepted socket: bytes that were read ahead come first, and no send waits for ever."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import trio

CHUNK = 65_536
"""Octets read at once."""

GONE = (trio.BrokenResourceError, trio.ClosedResourceError)
"""What reading and sending raise when the peer is gone."""

LINGER_SECONDS = 2.0
LINGER_OCTETS = 4 * 1024 * 1024


class Wire:
    """A non-blocking socket with the three calls the protocols above need.

    Owned by one connection task; a send from a second task is that protocol's own affair.
    `patience()` gives the seconds after which a peer that takes nothing is given up.
    """

    def __init__(self, sock: socket.socket, patience: Callable[[], float]) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._patience = patience
        self._ahead = b""

    def push_back(self, data: bytes) -> None:
        """Put bytes back so that the next `receive_some` gives them first."""
        self._ahead = data + self._ahead

    async def receive_some(self, max_bytes: int = CHUNK) -> bytes:
        """Bytes from the peer, b"" at its end; `trio.BrokenResourceError` when the socket is gone."""
        if self._ahead:
            await trio.lowlevel.checkpoint()
            data, self._ahead = self._ahead[:max_bytes], self._ahead[max_bytes:]
            return data
        while True:
            # Waiting first is fair to the other tasks and saves the read that would find nothing.
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                raise trio.BrokenResourceError from error

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Give the kernel what it takes without waiting; returns the octets taken."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise trio.BrokenResourceError from error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything; `trio.TooSlowError` when the peer takes nothing for the time of `patience`."""
        with memoryview(data) as whole:
            sent = self.send_now(whole)
            while sent < len(whole):
                with trio.fail_after(self._patience()):
                    await trio.lowlevel.wait_writable(self._socket)
                sent += self.send_now(whole[sent : sent + 4 * CHUNK])

    def end_sending(self) -> None:
        """Say that nothing more is sent. No checkpoint: hypercorn asks for it in a task it has cancelled."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def stop_reading(self) -> None:
        """Let the reader see the end after what has arrived already."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    async def linger(self) -> None:
        """Read a little of what still comes: closing over unread bytes would take our answer away."""
        taken = 0
        with trio.move_on_after(LINGER_SECONDS):
            self.end_sending()
            with contextlib.suppress(*GONE):
                while taken < LINGER_OCTETS:
                    data = await self.receive_some()
                    if not data:
                        return
                    taken += len(data)

    def close(self) -> None:
        """Close at once; tasks that wait on the socket get `trio.ClosedResourceError`."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    async def aclose(self) -> None:
        """Close at once (the name that trio's streams use)."""
        self.close()
        await trio.lowlevel.checkpoint()
