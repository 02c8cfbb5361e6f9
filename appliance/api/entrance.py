"""The doors of the box: which listener is which, how they are bound, and Tor's PROXY line."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance.errors import Refusal

Kind = Literal["onion", "loopback", "control"]
BACKLOG = 2048
"""A unix socket whose queue is full refuses at once, and Tor gives that visitor up."""


PROXY_LONGEST = 108
"""Longest PROXY line, as in the PROXY protocol's own document."""

_CIRCUITS = ipaddress.IPv6Network("fc00:dead:beef:4dad::/64")


@dataclass(frozen=True, slots=True)
class Entrance:
    """A bound listener and its kind. `path` is the unix socket's file, removed on exit."""

    kind: Kind
    listener: socket.socket
    path: Path | None = None

    def close(self) -> None:
        """Close the listener and remove its file."""
        self.listener.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def bind_loopback(host: str, port: int) -> Entrance:
    """The owner's web page on a loopback address; raises `ValueError` for any other address."""
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError("the page is served on a loopback address only")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return Entrance("loopback", listener)


def bind_unix(kind: Kind, path: Path) -> Entrance:
    """A unix socket that only this user can open; a file left by a dead process is replaced.

    Raises `Refusal("in_use")` when a living process answers there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as name:
            _remove_stale(path, name)
            # The mode must be right from the first moment, not only after a chmod.
            old = os.umask(0o177)
            try:
                listener.bind(name)
            finally:
                os.umask(old)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return Entrance(kind, listener, path)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for the socket by its folder's descriptor: a socket's path may have 107 bytes at most."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _remove_stale(path: Path, name: str) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "there is a file where the socket should be")
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(1)
    with contextlib.closing(probe):
        try:
            probe.connect(name)
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise Refusal("in_use")


def read_proxy_line(line: bytes) -> int:
    """The circuit number in Tor's PROXY line, given without its CR LF; or `Refusal("malformed")`."""
    words = line.split(b" ")
    if len(words) != 6 or words[0] != b"PROXY" or words[1] != b"TCP6":
        raise Refusal("malformed")
    try:
        source = ipaddress.IPv6Address(words[2].decode("ascii"))
        ipaddress.IPv6Address(words[3].decode("ascii"))
    except (UnicodeDecodeError, ipaddress.AddressValueError):
        raise Refusal("malformed") from None
    ports = words[4:]
    if source not in _CIRCUITS or not all(p.isdigit() and len(p) <= 5 and int(p) < 65_536 for p in ports):
        raise Refusal("malformed")
    return int(source) & 0xFFFF_FFFF
