"""The yardstick of channels: Mosquitto, a broker in C that keeps nothing (MQTT 3.1.1)."""

from __future__ import annotations

import os
import select
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from box import free_port
from deposits import Latency, latencies

TOPIC: Final = b"\x00\x04talk"
PROGRAM: Final = "mosquitto"
START_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 30.0

_CONNECT, _CONNACK, _PUBLISH, _SUBSCRIBE, _SUBACK = 0x10, 0x20, 0x30, 0x82, 0x90


class Mosquitto:
    """A broker with `subscribers` who hear one topic, and one line to publish on. A context manager."""

    def __init__(self, folder: Path, subscribers: int) -> None:
        folder.mkdir(parents=True)
        self._port = free_port()
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(
            f"listener {self._port} 127.0.0.1\nallow_anonymous true\n"
            "persistence false\nset_tcp_nodelay true\n"
        )
        self._subscribers = subscribers

    def __enter__(self) -> Self:
        command = [_program(), "-c", str(self._settings)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._line = self._connect(b"publisher")
            self._poll = select.epoll()
            self._heard: dict[int, _Subscriber] = {}
            for number in range(self._subscribers):
                sock = self._connect(b"subscriber%d" % number)
                sock.sendall(_packet(_SUBSCRIBE, b"\x00\x01" + TOPIC + b"\x00"))
                _expect(sock, _SUBACK, 5)
                self._heard[sock.fileno()] = _Subscriber(sock)
                self._poll.register(sock.fileno(), select.EPOLLIN)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def play(self, octets: int, a_second: int, seconds: float) -> Latency:
        """Publish at a steady rate, each when the last has reached everybody; ms until then."""
        last = []
        begun = time.perf_counter()
        for number in range(int(a_second * seconds)):
            time.sleep(max(0.0, begun + number / a_second - time.perf_counter()))
            sent = time.perf_counter()
            self._line.sendall(_packet(_PUBLISH, TOPIC + os.urandom(octets)))
            heard: dict[int, float] = {}
            waiting = set(self._heard)
            while waiting:
                ready = self._poll.poll(QUIET_SECONDS)
                if not ready:
                    raise RuntimeError("a message did not reach every subscriber")
                for descriptor, _ in ready:
                    self._heard[descriptor].read()
                    heard[descriptor] = time.perf_counter()
                # Looked into once all were read, for one process works for all.
                if len(heard) == len(self._heard):
                    waiting -= {descriptor for descriptor in waiting if self._heard[descriptor].whole()}
            last.append(max(heard.values()) - sent)
        return latencies(last)

    def _connect(self, name: bytes) -> socket.socket:
        sock = self._reach()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Protocol level 4, a clean session, no signs of life asked for.
        body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack(">H", len(name)) + name
        sock.sendall(_packet(_CONNECT, body))
        _expect(sock, _CONNACK, 4)
        return sock

    def _reach(self) -> socket.socket:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


class _Subscriber:
    """One connection and what has come of the packet that is under way."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()

    def read(self) -> None:
        """Read once, without looking into it."""
        self._data += self._sock.recv(65_536)

    def whole(self) -> int:
        """How many packets are whole now."""
        found = 0
        while True:
            size, at, shift = 0, 1, 0
            while at < len(self._data):
                size |= (self._data[at] & 0x7F) << shift
                at, shift = at + 1, shift + 7
                if self._data[at - 1] < 0x80:
                    break
            else:
                return found
            if len(self._data) < at + size:
                return found
            del self._data[: at + size]
            found += 1


def version() -> str:
    """The version that is measured; "none" where it is not installed."""
    if shutil.which(PROGRAM) is None:
        return "none"
    words = subprocess.run([PROGRAM, "-h"], capture_output=True, text=True).stdout
    return words.partition("version ")[2].split()[0]


def _program() -> str:
    found = shutil.which(PROGRAM)
    if found is None:
        raise SystemExit(f"bench: {PROGRAM} is missing; install the package {PROGRAM}")
    return found


def _packet(kind: int, body: bytes) -> bytes:
    head, size = bytearray((kind,)), len(body)
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + body


def _expect(sock: socket.socket, kind: int, octets: int) -> None:
    data = b""
    while len(data) < octets:
        more = sock.recv(octets - len(data))
        if not more:
            raise RuntimeError("the broker hung up")
        data += more
    if data[0] != kind:
        raise RuntimeError(f"the broker answered {data[0]:#x}")
