"""The release check: the executable proves itself in a root folder that holds the C library and nothing else.

Run as root: `python3 build/release_check.py [EXECUTABLE]`. Another machine's program runs under qemu.
"""

from __future__ import annotations

import http.client
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import debian
import stamps

C_LIBRARY: Final = [
    "libc",
    "libm",
    "libdl",
    "libpthread",
    "librt",
    "libresolv",
    "libutil",
    "libnss_files",
    "libnss_dns",
]
LOADERS: Final = {
    "x86_64": "/lib64/ld-linux-x86-64.so.2",
    "aarch64": "/lib/ld-linux-aarch64.so.1",
}
DEVICES: Final = ("null", "zero", "random", "urandom")
START_SECONDS: Final = 60
SELFTEST_SECONDS: Final = 600


def lay_out(root: Path, machine: str, source: Path) -> None:
    """Fill `root` with the C library found under `source`, and empty places for /proc, /dev and /tmp."""
    for name in ("proc", "dev/shm", "tmp", "etc", "root"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    loader = LOADERS[machine]
    libraries = source / f"usr/lib/{machine}-linux-gnu"
    _copy(libraries / Path(loader).name, root / loader.lstrip("/"))
    for library in (found for name in C_LIBRARY for found in libraries.glob(f"{name}.so.*")):
        _copy(library, root / f"lib/{machine}-linux-gnu" / library.name)


def run(root: Path, words: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command inside `root`, with mounts and processes of its own that vanish with it."""
    shown = " && ".join(
        [
            f"mount -t proc proc {root}/proc",
            f"mount -t tmpfs tmpfs {root}/dev",
            f"mkdir {root}/dev/shm",
            f"mount -t tmpfs tmpfs {root}/dev/shm",
            *(f"touch {root}/dev/{name} && mount --bind /dev/{name} {root}/dev/{name}" for name in DEVICES),
            f'exec chroot {root} "$@"',
        ]
    )
    separate = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", shown, "sh", *words]
    environment = {"PATH": debian.SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
    return subprocess.run(separate, env=environment, stdin=subprocess.DEVNULL, timeout=SELFTEST_SECONDS)


def check(executable: Path) -> None:
    """Run --version and selftest in the bare root; ends with a message when one fails."""
    machine = executable.name.rpartition("-")[2]
    source = Path("/") if machine == platform.machine() else stamps.CACHE / f"debian-{machine}"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lay_out(root, machine, source)
        _copy(executable, root / "island")
        for words in (["/island", "--version"], ["/island", "selftest"]):
            began = time.monotonic()
            if run(root, words).returncode:
                sys.exit(f"release: {executable.name} {words[1]} failed where only the C library is")
            print(f"release: {executable.name} {words[1]}: {time.monotonic() - began:.2f} s", flush=True)


def start(executable: Path, folder: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start a box without Tor; return it and the seconds until its page was answered."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [
        str(executable),
        "run",
        "--data",
        str(folder / "data"),
        "--listen",
        f"127.0.0.1:{port}",
        "--tor",
        "off",
    ]
    surroundings = {**os.environ, "TMPDIR": str(folder)}
    began = time.monotonic()
    box = subprocess.Popen(words, env=surroundings, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while time.monotonic() < began + START_SECONDS and box.poll() is None:
        page = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
        try:
            page.request("GET", "/")
            if page.getresponse().status == 200:
                return box, time.monotonic() - began
        except OSError:
            time.sleep(0.002)
        finally:
            page.close()
    box.kill()
    sys.exit(f"release: {executable.name} did not answer")


def check_start(executable: Path) -> None:
    """Measure the first answer, and see that a killed box leaves no process and no folder for good."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = []
        for end in (signal.SIGKILL, *[signal.SIGTERM] * 4):
            box, seconds = start(executable, folder)
            times.append(seconds)
            box.send_signal(end)
            box.wait(START_SECONDS)
            if end == signal.SIGKILL and len(unpacked := list(folder.glob("_MEI*"))) != 1:
                sys.exit(f"release: {len(unpacked)} unpacked folders after a SIGKILL, not 1")
        # Each start took the same data folder, so none was held by a process that outlived its starter.
        if left := list(folder.glob("_MEI*")):
            sys.exit(f"release: {left[0].name} stays behind")
    print(
        f"release: {executable.name} first answer: {statistics.median(times):.2f} s (median of {len(times)})"
    )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("release: run this as root; it mounts and changes the root folder")
    given = [Path(word) for word in sys.argv[1:]] or sorted((stamps.ROOT / "dist").glob("island-*"))
    if not given:
        sys.exit("release: dist/ holds no executable; `make freeze` makes one")
    for each in given:
        check(each.resolve())
        if each.name.endswith(platform.machine()):
            check_start(each.resolve())
