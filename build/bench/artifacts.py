"""What is built: the executable's size and start, and what the page loads first."""

from __future__ import annotations

import gzip
import os
import platform
import re
import socket
import statistics
import time
from pathlib import Path
from typing import Final

from box import Box

ROOT: Final = Path(__file__).resolve().parents[2]
STARTS: Final = 5
LINKED: Final = re.compile(
    r'<(?:script|link rel="(?:stylesheet|modulepreload|icon)")[^>]*(?:src|href)="/([^"]+)"'
)


def executable() -> Path | None:
    """The newest frozen executable for this machine, if there is one."""
    machine = platform.machine()
    built = [
        path
        for path in (ROOT / "dist").glob("island*")
        if path.is_file() and os.access(path, os.X_OK) and (machine in path.name or path.name == "island")
    ]
    return max(built, key=lambda path: path.stat().st_mtime, default=None)


def start_seconds(program: list[str], folder: Path) -> float:
    """From the start of a box on a new folder to its first answer; the median of several starts."""
    taken = []
    for turn in range(STARTS):
        started = time.perf_counter()
        box = Box(folder / f"start-{turn}", program=program)
        while not _answers(box.port):
            if box.process.poll() is not None:
                raise RuntimeError(f"{program[0]} ended at its start; see {box.data / 'box.log'}")
            time.sleep(0.002)
        taken.append(time.perf_counter() - started)
        with box:
            pass
    return statistics.median(taken)


def bundle_octets() -> int | None:
    """The page and everything it names, each gzipped; None where the page is not built."""
    site = ROOT / "web" / "dist"
    if not (site / "index.html").is_file():
        return None
    page = (site / "index.html").read_text()
    files = [site / "index.html", *(site / name for name in LINKED.findall(page))]
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in files)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as sock:
            sock.sendall(f"GET /v1/relay HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
            return sock.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
