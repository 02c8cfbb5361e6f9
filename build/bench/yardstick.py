"""The yardstick: Redis that answers after fsync, loaded by its own redis-benchmark."""

from __future__ import annotations

import csv
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from box import cpu_seconds, free_port
from deposits import Round

VALUE_OCTETS: Final = 2000
KEYS: Final = 1000
START_SECONDS: Final = 10.0


class Redis:
    """A redis-server with its append-only file in `folder` and appendfsync always."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._port = free_port()
        self._rate = 10_000.0

    def __enter__(self) -> Self:
        options = {
            "bind": "127.0.0.1",
            "port": self._port,
            "dir": self._folder,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "auto-aof-rewrite-percentage": 0,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen([_program("redis-server"), *words], stdout=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self._port)):
                    return self
            except OSError:
                if time.monotonic() > until:
                    self._process.kill()
                    self._process.wait()
                    raise
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def set_values(self, connections: int, seconds: float) -> Round:
        """SET of 2,000 bytes to 1,000 keys, one outstanding on each connection, for about so long."""
        before = cpu_seconds(self._process.pid)
        count = max(1000, int(self._rate * seconds))
        command = [_program("redis-benchmark"), "-p", str(self._port), "-c", str(connections), "-t", "set"]
        command += ["-d", str(VALUE_OCTETS), "-r", str(KEYS), "-n", str(count), "--csv"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        row = next(csv.DictReader(line for line in done.stdout.splitlines() if line.startswith('"')))
        self._rate = float(row["rps"])
        return Round(
            rate=self._rate,
            p50_ms=float(row["p50_latency_ms"]),
            p99_ms=float(row["p99_latency_ms"]),
            worst_ms=float(row["max_latency_ms"]),
            per_cpu_second=count / max(0.01, cpu_seconds(self._process.pid) - before),
        )


def version() -> str:
    """The version of Redis that is measured; "none" where scenes without it are played."""
    if shutil.which("redis-server") is None:
        return "none"
    words = subprocess.run([_program("redis-server"), "--version"], capture_output=True, text=True).stdout
    return words.partition("v=")[2].split(" ")[0]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"bench: {name} is missing; install the package redis-server")
    return found
