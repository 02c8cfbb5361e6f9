"""Debian packages: which program each target needs, and how the missing ones get onto this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

PYTHON: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
SYSTEM_PATH: Final = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"]
)


class Need(NamedTuple):
    """One Debian package, how to see that it is there already, and what it is for."""

    package: str
    present: Callable[[], bool]
    purpose: str


def program(*names: str) -> Callable[[], bool]:
    """Return a test that every one of these programs can be found, also in the administrator's folders."""
    return lambda: all(shutil.which(name, path=SYSTEM_PATH) for name in names)


def file(pattern: str) -> Callable[[], bool]:
    """Return a test that some file under / matches the pattern."""
    return lambda: any(True for _ in Path("/").glob(pattern))


def shared_python() -> bool:
    """Say whether this Python has its library as a shared file, as freezing needs."""
    library = sysconfig.get_config_var("INSTSONAME") or ""
    folders = [sysconfig.get_config_var("LIBDIR") or "", "/usr/lib"]
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    return any((Path(folder) / part / library).is_file() for folder in folders for part in ("", multiarch))


TOR: Final = Need("tor", program("tor", "tor-gencert"), "the box starts its own Tor")
BRIDGE: Final = Need("obfs4proxy", program("obfs4proxy"), "tests reach Tor through a disguised bridge")
CLOCK: Final = Need(
    "libfaketime",
    file("usr/lib/*/faketime/libfaketime.so.1"),
    "tests put Tor on a machine with a wrong clock",
)
BROWSERS: Final = [
    Need("chromium", program("chromium"), "tests open the pages in Chromium"),
    Need("firefox-esr", program("firefox-esr"), "tests open the pages as Tor Browser would"),
    Need("fonts-dejavu-core", file("usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"), "pages need a font"),
]
REDIS: Final = Need("redis-server", program("redis-server"), "the benchmark's yardstick")
BROKER: Final = Need("mosquitto", program("mosquitto"), "the benchmark's yardstick of channels")
FREEZING: Final = [
    Need("gcc", program("gcc"), "freezing builds the starter of the one file"),
    Need("libc6-dev", file("usr/include/stdio.h"), "freezing builds the starter of the one file"),
    Need("binutils", program("strip", "objdump"), "freezing strips and reads libraries"),
    Need("patchelf", program("patchelf"), "freezing moves Tor's libraries"),
    Need(f"lib{PYTHON}", shared_python, "freezing takes Python's shared library along"),
]
ARM64: Final = [
    Need("debootstrap", program("debootstrap"), "the arm64 build works in a small Debian of its own"),
    Need("qemu-user-static", program("qemu-aarch64-static"), "arm64 programs run under emulation"),
]

TARGETS: Final[dict[str, list[Need]]] = {
    "run": [TOR],
    "check": [],
    "test": [TOR, BRIDGE, CLOCK, *BROWSERS],
    "bench": [TOR, REDIS, BROKER],
    "freeze": [TOR, *FREEZING],
    "freeze-here": [TOR, *FREEZING],
    "freeze-arm64": [*ARM64],
    "lock": [],
}


def install(target: str) -> None:
    """Install what the target needs and the machine lacks, or end with a list for the administrator."""
    missing = [need for need in TARGETS[target] if not need.present()]
    if not missing:
        return
    packages = [need.package for need in missing]
    for need in missing:
        print(f"setup: {need.package} is missing ({need.purpose})", flush=True)
    prefix = _administrator()
    if shutil.which("apt-get", path=SYSTEM_PATH) is None or prefix is None:
        sys.exit(_request(packages))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": SYSTEM_PATH}
    steps = [["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]]
    print(f"setup: installing {' '.join(packages)}", flush=True)
    for step in steps:
        command = [*prefix, "apt-get", *step]
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{done.stdout}\nsetup: {' '.join(command)} failed.\n" + _request(packages))
    absent = [need.package for need in missing if not need.present()]
    if absent:
        sys.exit(f"setup: installed, but still not found: {' '.join(absent)}")


def _administrator() -> list[str] | None:
    """Return the command prefix that gives root's rights; None where there is no way to them."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asks_nothing = subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0
    return ["sudo"] if asks_nothing or sys.stdin.isatty() else None


def _request(packages: list[str]) -> str:
    return (
        "setup: please have these Debian packages installed, then run the same command again:\n"
        f"    apt-get install --no-install-recommends {' '.join(packages)}"
    )
