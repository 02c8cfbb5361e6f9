"""The disk under it all: how long it takes to make a few pages durable, at the time of each round."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from deposits import latencies

WRITES: Final = 100
OCTETS: Final = 16_384


def sync_ms(folder: Path) -> tuple[float, float, float]:
    """Median, 99th percentile and worst of fdatasync after 16 KiB, in ms."""
    path = folder / "sync"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(WRITES):
            file.write(os.urandom(OCTETS))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    path.unlink()
    return latencies(taken)
