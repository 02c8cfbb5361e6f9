"""What several parts share: the private Tor network, and how Hypothesis runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

# A busy machine makes single examples slow, which says nothing about what they test.
hypothesis.settings.register_profile(
    "island", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("island")


@dataclass(frozen=True)
class RunningNetwork:
    """A private Tor network that is up: what a client and a censored client need to join it."""

    torrc: tuple[str, ...]
    torrc_path: Path
    vanilla_bridge: str
    obfs4_bridge: str | None
    pids: tuple[int, ...]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All nodes stand still meanwhile: no circuit gets on, and none ends."""
        try:
            for pid in self.pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in self.pids:
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def private_network() -> Iterator[RunningNetwork]:
    """One private Tor network for the whole test run, in a process of its own (~10 s to start)."""
    transports = ["vanilla"] + ["obfs4"] * bool(shutil.which("obfs4proxy") or shutil.which("lyrebird"))
    options = [word for transport in transports for word in ("--bridge", transport)]
    with tempfile.TemporaryDirectory(prefix="island-network-") as folder:
        command = [sys.executable, "-m", "tor.testnet", folder, *options]
        root = Path(__file__).parent.parent
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
            assert process.stdin is not None and process.stdout is not None
            line = process.stdout.readline()  # nothing comes if the network does not get up
            assert line, "the private Tor network did not start"
            answer = json.loads(line)
            bridges = dict(zip(transports, answer["bridges"], strict=True))
            yield RunningNetwork(
                tuple(answer["torrc"]),
                Path(answer["torrc_path"]),
                bridges["vanilla"],
                bridges.get("obfs4"),
                tuple(answer["pids"]),
            )
            process.stdin.close()
            process.wait(30)
