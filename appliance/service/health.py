"""What is watched: faults, refusals by route, tasks, store, disk, memory, Tor; no address, body or name."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from appliance.protocol.desk import Health as HealthPage
from appliance.protocol.desk import HealthRow, TorState
from appliance.service.ports import Clock
from appliance.service.tasks import Tasks
from appliance.service.timing import Timing
from appliance.store.engine import Store

LOW_DISK: Final = 512 * 1024 * 1024
MAX_ROWS: Final = 512
"""Different refusals counted; what strangers can cause stays bounded."""

_PHASES: Final[dict[str, Literal["good", "warning", "bad", "off"]]] = {
    "off": "off",
    "reachable": "good",
    "failed": "bad",
}


class Health:
    """Counts what goes wrong and reports it. Owner: the event loop; nothing is durable."""

    def __init__(self, store: Store, clock: Clock, tor: Callable[[], TorState]) -> None:
        self.tasks = Tasks(self.count_fault)
        self._store = store
        self._clock = clock
        self._tor = tor
        self._started = clock()
        self._refusals: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self.timing = Timing()
        self.more: list[Callable[[], HealthRow]] = []
        """Rows of other services."""

    def count_fault(self, where: str, error: BaseException) -> None:
        """Something failed that never should: only its place and type are kept."""
        if " /v1/" in where:
            self.timing.failed(where)
        _count(self._faults, f"{where}: {type(error).__name__}")

    def count_refusal(self, route: str, code: str) -> None:
        """A request was refused."""
        self.timing.refused(route)
        _count(self._refusals, f"{route} {code}")

    async def report(self) -> HealthPage:
        """The health page."""
        return HealthPage(
            rows=[
                self._store_row(),
                self._disk_row(),
                self._tor_row(),
                self._tor_age_row(),
                *self._task_rows(),
                *(row() for row in self.more),
            ],
            uptime_seconds=int(self._clock() - self._started),
            memory_octets=memory_octets(),
            refusals=dict(self._refusals),
            faults=sum(self._faults.values()),
            endpoints=self.timing.page(),
        )

    def _store_row(self) -> HealthRow:
        return HealthRow("Store", "good", f"{_amount(self._store.used_bytes())} in use.")

    def _disk_row(self) -> HealthRow:
        free = self._store.free_bytes()
        words = f"{_amount(free)} free."
        if free < LOW_DISK // 8:
            return HealthRow("Disk", "bad", words + " New envelopes are refused until there is room.")
        return HealthRow("Disk", "warning" if free < LOW_DISK else "good", words)

    def _tor_row(self) -> HealthRow:
        tor = self._tor()
        words = tor.words if tor.problem is None or tor.problem in tor.words else f"{tor.words} {tor.problem}"
        return HealthRow("Tor", _PHASES.get(tor.phase, "warning"), words)

    def _tor_age_row(self) -> HealthRow:
        tor = self._tor()
        if not tor.version:
            return HealthRow("Tor version", "off", "No Tor runs.")
        age = f", {tor.age_days} days old" if tor.age_days is not None else ""
        words = f"{tor.version} ({tor.source}{age})."
        if tor.outdated:
            return HealthRow("Tor version", "warning", words + " Update Tor: old versions stop working.")
        return HealthRow("Tor version", "good", words)

    def _task_rows(self) -> list[HealthRow]:
        tasks = self.tasks.tasks
        failed = [task for task in tasks if task.fault is not None]
        if not failed:
            return [HealthRow("Tasks", "good", f"All {len(tasks)} run.")]
        return [
            HealthRow(
                f"Task “{task.name}”",
                "warning" if task.running else "bad",
                f"Started again {task.restarts} times; the last fault was {task.fault}.",
            )
            for task in failed
        ]


def memory_octets() -> int:
    """Resident memory of this process in octets."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _amount(octets: int) -> str:
    """Octets in decimal units, as disks are sold."""
    gigabytes = octets / 1e9
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{octets / 1e6:.0f} MB"


def _count(counter: Counter[str], key: str) -> None:
    if key in counter or len(counter) < MAX_ROWS:
        counter[key] += 1
