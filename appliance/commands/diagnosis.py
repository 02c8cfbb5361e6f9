"""What `doctor` looks at on this machine; each look ends in a finding, never in an error."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import socket
import stat
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import msgspec
import trio

from appliance.commands.shell import octets
from tor import binary

OLDEST_PYTHON: Final = (3, 11)
RELEASED: Final = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
"""No clock can rightly show less than when this program was made."""

KEY_FILE: Final = "machine.key"
FSYNC_ROUNDS: Final = 16
SLOW_FSYNC: Final = 0.05
HOPELESS_FSYNC: Final = 0.5
LITTLE_SPACE: Final = 1 << 30
NO_SPACE: Final = 100 << 20
TIME_ERROR: Final = 5
STA_UNSYNC: Final = 0x40

# The addresses of three directory authorities, as every Tor has them built in.
DIRECTORY: Final = (("131.188.40.189", 443), ("193.23.244.244", 443), ("199.58.81.140", 443))
NETWORK_SECONDS: Final = 6.0


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at; `remedy` says what to do when it is not good."""

    name: str
    state: Literal["good", "warning", "bad", "off"]
    words: str
    remedy: str = ""


def python() -> Finding:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Finding("python", "bad", f"Python {version} is too old.", "Install Python 3.11 or newer.")
    frozen = " inside the executable" if getattr(sys, "frozen", False) else ""
    return Finding("python", "good", f"Python {version}{frozen}.")


def libraries() -> Finding:
    """Every library at the version this program was tested with."""
    if getattr(sys, "frozen", False):
        return Finding("libraries", "good", "All libraries are inside the executable.")
    try:
        wanted = metadata.requires("private-island") or []
    except metadata.PackageNotFoundError:
        return Finding("libraries", "warning", "The program's own metadata is missing.", "Install it again.")
    wrong = []
    for line in wanted:
        match = re.match(r"([A-Za-z0-9._-]+)==([^;\s]+)", line)
        if match is None or "extra ==" in line:
            continue
        name, version = match.groups()
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != version:
            wrong.append(f"{name} {found} instead of {version}")
    if wrong:
        return Finding(
            "libraries", "warning", "; ".join(wrong) + ".", "Install with the lock file: make install"
        )
    return Finding("libraries", "good", "All libraries are at the tested versions.")


def tor(setting: str, old_days: int) -> list[Finding]:
    """The tor executable that the box would run, and its age."""
    if setting == "off":
        return [Finding("tor", "off", "Tor is switched off: nobody outside reaches this box.")]
    chosen, problems = binary.choose(setting)
    passed = [Finding("tor", "warning", problem, "Update or remove it.") for problem in problems]
    if chosen is None:
        remedy = "Install it (Debian: apt install tor), or name one with --tor."
        return [Finding("tor", "bad", " ".join(problems), remedy)]
    place = "that came with this program" if chosen.source == "bundled" else f"at {chosen.path}"
    age = chosen.age_days(time.time())
    words = f"Tor {chosen.version} {place}"
    if age is not None and age > old_days:
        remedy = "Update it: the network stops serving old versions at some time."
        return [*passed, Finding("tor", "warning", f"{words} is {age} days old.", remedy)]
    shown = "" if age is None else f", {age} days old"
    return [*passed, Finding("tor", "good", f"{words}{shown}.")]


def clock(data: Path) -> Finding:
    """The machine's clock, as far as it can be judged without the network."""
    now = time.time()
    remedy = "Set the clock, or let it be kept: timedatectl set-ntp true"
    if now < RELEASED:
        shown = datetime.fromtimestamp(now, UTC).strftime("%d %B %Y")
        return Finding(
            "clock", "bad", f"The clock says {shown}; that is in the past. Tor needs it right.", remedy
        )
    newest = _newest(data)
    if newest > now + 3600:
        words = "The clock is behind: the box's own files are from the future. Tor needs it right."
        return Finding("clock", "bad", words, remedy)
    if not _kept_in_step():
        return Finding("clock", "warning", "Nothing says that the clock is kept in step.", remedy)
    return Finding("clock", "good", "The clock is kept in step.")


def folder(data: Path) -> list[Finding]:
    """The data folder: permissions, key file, free space, speed of the disk."""
    if not data.exists():
        place = next(parent for parent in data.absolute().parents if parent.exists())
        if not os.access(place, os.W_OK):
            return [Finding("folder", "bad", f"{data} cannot be made.", "Choose another folder with --data.")]
        return [Finding("folder", "good", f"{data} will be made at the first start."), *_disk(place)]
    return [*_permissions(data), *_disk(data)]


def port(listen: str, running: bool) -> Finding:
    """Whether the web page's address can be listened on."""
    host, _, number = listen.rpartition(":")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), int(number)))
    except (ValueError, OverflowError, socket.gaierror):
        return Finding("port", "bad", f"{listen} is not an address.", "Write it as HOST:PORT.")
    except OSError as error:
        if error.errno == errno.EADDRINUSE and running:
            return Finding("port", "good", f"{listen} is in use while the box runs.")
        if error.errno == errno.EADDRINUSE:
            remedy = "Stop that program, or choose another address with --listen."
            return Finding("port", "bad", f"{listen} is taken by another program.", remedy)
        return Finding("port", "bad", f"{listen} cannot be listened on.", "Choose another with --listen.")
    return Finding("port", "good", f"{listen} is free.")


async def network() -> Finding:
    """Whether any of Tor's directory authorities can be reached directly."""
    reached: list[bool] = []

    async def knock(host: str, number: int) -> None:
        try:
            stream = await trio.open_tcp_stream(host, number)
        except OSError:
            return
        await stream.aclose()
        reached.append(True)
        nursery.cancel_scope.cancel()

    with trio.move_on_after(NETWORK_SECONDS):
        async with trio.open_nursery() as nursery:
            for host, number in DIRECTORY:
                nursery.start_soon(knock, host, number)
    if reached:
        return Finding("network", "good", "Tor's directory can be reached.")
    words = "Tor's directory cannot be reached from here; the box works on loopback meanwhile."
    return Finding("network", "warning", words, "Check the network; where Tor is blocked, set bridges.")


def _permissions(data: Path) -> Iterator[Finding]:
    about = data.stat()
    remedy = f"chmod 700 {data}"
    if about.st_uid != os.geteuid():
        yield Finding("folder", "bad", f"{data} belongs to another user.", "Run the box as its owner.")
    elif not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("folder", "bad", f"{data} cannot be written.", remedy)
    elif stat.S_IMODE(about.st_mode) & 0o077:
        yield Finding("folder", "bad", f"{data} is open to other users.", remedy)
    else:
        yield Finding("folder", "good", f"{data} belongs to this user alone.")
    key = data / KEY_FILE
    if not key.exists():
        if any(data.iterdir()):
            yield Finding("key", "warning", "There is no machine.key yet.", "It is made at the first start.")
    elif stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("key", "bad", "machine.key can be read by other users.", f"chmod 600 {key}")
    else:
        yield Finding("key", "good", "machine.key can be read by this user alone.")


def _disk(place: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(place).free
    remedy = "Remove files, or move the data folder to a larger disk."
    state: Literal["good", "warning", "bad"] = "good"
    if free < LITTLE_SPACE:
        state = "bad" if free < NO_SPACE else "warning"
    yield Finding("space", state, f"{octets(free)} free.", "" if state == "good" else remedy)
    try:
        pause = _fsync_seconds(place)
    except OSError:
        yield Finding("disk", "bad", "Nothing can be written there.", remedy)
        return
    words = f"A durable write takes {pause * 1000:.1f} ms."
    if pause > HOPELESS_FSYNC:
        yield Finding("disk", "bad", words, "This disk is failing or on a bad connection; replace it.")
    elif pause > SLOW_FSYNC:
        yield Finding("disk", "warning", words, "It works, but a faster card or disk helps.")
    else:
        yield Finding("disk", "good", words)


def _fsync_seconds(place: Path) -> float:
    """The median time of a small durable write."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=place, prefix=".island-doctor-") as file:
        for _ in range(FSYNC_ROUNDS):
            start = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _newest(data: Path) -> float:
    try:
        return max((entry.stat().st_mtime for entry in os.scandir(data)), default=0.0)
    except OSError:
        return 0.0


def _kept_in_step() -> bool:
    """The kernel's word for it (adjtimex), which every time daemon sets."""

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("numbers", ctypes.c_long * 4),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_byte * 512),
        )

    timex = Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return False
    return 0 <= state < TIME_ERROR and not timex.status & STA_UNSYNC
