"""The private network: it comes up, tells how to join, stops cleanly and never leaves a node behind."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from tor import testnode
from tor.testnet import NetworkFailed, PrivateNetwork
from tor.testnode import WORTH, free_ports


def nodes_of(folder: Path) -> list[int]:
    """The ids of the tor processes whose command line names `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"-f" in words and any(str(folder).encode() in word for word in words):
                found.append(int(entry.name))
    return found


def helper(folder: Path) -> subprocess.Popen[bytes]:
    """A process of its own that keeps a network up."""
    command = [sys.executable, "-m", "tor.testnet", str(folder)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=root)


@pytest.mark.tor
@pytest.mark.slow
async def test_comes_up_and_goes_down(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []
    network = PrivateNetwork(tmp_path, progress=lambda percent, words: seen.append((percent, words)))
    async with network:
        assert len(nodes_of(tmp_path)) == 5
        assert sum(line.startswith("DirAuthority ") for line in network.torrc) == 3
        assert network.torrc_path.read_text().splitlines() == list(network.torrc)
        # Who is a guard must not be the likely rendezvous point as well.
        consensus = (tmp_path / "authority0" / "cached-microdesc-consensus").read_text()
        flags = re.findall(r"^s (.*)", consensus, re.MULTILINE)
        weights = [int(n) for n in re.findall(r"^w Bandwidth=(\d+)", consensus, re.MULTILINE)]
        assert sorted("Guard" in row.split() for row in flags) == [False] * 2 + [True] * 3
        assert all((weight == WORTH) != ("Guard" in row) for weight, row in zip(weights, flags, strict=True))
        assert max(weight for weight in weights if weight != WORTH) <= 1
    assert nodes_of(tmp_path) == []
    percents = [percent for percent, _ in seen]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert percents[-1] == 100
    assert all(words.endswith(".") for _, words in seen)


@pytest.mark.tor
async def test_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    with trio.move_on_after(3):
        async with PrivateNetwork(tmp_path):
            pytest.fail("a consensus within three seconds cannot be")
    assert nodes_of(tmp_path) == []


@pytest.mark.tor
async def test_killed_owner_leaves_nothing(tmp_path: Path) -> None:
    with helper(tmp_path) as owner:
        with trio.fail_after(240):
            while len(nodes_of(tmp_path)) < 5:
                await trio.sleep(0.1)
        owner.kill()
    deadline = time.monotonic() + 60
    while nodes_of(tmp_path) and time.monotonic() < deadline:
        await trio.sleep(0.05)
    assert nodes_of(tmp_path) == []


async def test_broken_binary_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "tor"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(NetworkFailed, match="keys"):
        async with PrivateNetwork(tmp_path / "network", broken, gencert=broken):
            pytest.fail("it cannot come up")


@pytest.mark.tor
async def test_refused_options_are_said(tmp_path: Path) -> None:
    with pytest.raises(NetworkFailed, match="NoSuchOption"):
        async with PrivateNetwork(tmp_path, authority_options=["NoSuchOption 1"]):
            pytest.fail("it cannot come up")
    assert nodes_of(tmp_path) == []


def test_free_ports_differ() -> None:
    ports = free_ports(40)
    assert len(set(ports)) == 40
    assert all(12_000 <= port < 32_000 for port in ports)


@pytest.mark.tor
@pytest.mark.slow
async def test_a_taken_port_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        taken, rounds = squatter.getsockname()[1], []

        def ports(count: int) -> list[int]:
            rounds.append(count)
            return [*free_ports(count - 1), taken] if len(rounds) == 1 else free_ports(count)

        monkeypatch.setattr(testnode, "free_ports", ports)
        async with PrivateNetwork(tmp_path):
            assert len(rounds) == 2
            assert len(nodes_of(tmp_path)) == 5
