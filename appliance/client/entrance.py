"""The doors a client knocks at: the control socket in the data folder, loopback, an onion."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import trio

CONTROL_NAME: Final = "control.sock"
ONION_PORT: Final = 80

Opener = Callable[[], Awaitable[trio.abc.Stream]]
Dial = Callable[[str, int, str], Awaitable[trio.abc.Stream]]
"""(onion address, port, isolation word) → a stream through Tor."""


class Unanswered(Exception):
    """Nobody answers at this entrance; `reason` is "nobody", "broken" or "timeout"."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Entrance:
    """One way into a box: what to put in `Host`, and how to open a connection.

    `word` names the entrance so that it can be found again: a folder, HOST:PORT or an onion address.
    `is_near`: only this machine itself can answer there.
    """

    host: str
    open: Opener
    word: str = ""
    is_near: bool = False


def control(data: Path) -> Entrance:
    """The owner's unix socket of the box that runs on the folder `data`."""
    return Entrance("localhost", lambda: _open_control(data), str(data.absolute()), is_near=True)


def loopback(listen: str) -> Entrance:
    """The web page's own address, "HOST:PORT"."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")

    async def connect() -> trio.abc.Stream:
        return await trio.open_tcp_stream(host, int(port))

    return Entrance(listen, connect, listen, is_near=_is_loopback(host))


def onion(dial: Dial, address: str, isolation: str = "client") -> Entrance:
    """The public entrance of the box with this onion address."""
    return Entrance(address, lambda: dial(address, ONION_PORT, isolation), address)


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


async def _open_control(data: Path) -> trio.abc.Stream:
    # A socket's path may have 107 bytes at most, a data folder's more: go by the folder's descriptor.
    folder = os.open(data, os.O_PATH | os.O_DIRECTORY)
    try:
        return await trio.open_unix_socket(f"/proc/self/fd/{folder}/{CONTROL_NAME}")
    finally:
        os.close(folder)
