"""The supervisor with real Tor processes: reachability, restarts, no orphans, and faults said in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.errors import Refusal
from tor import control, life, supervisor, torrc
from tor.testnet import PrivateNetwork

pytestmark = pytest.mark.tor

FAKETIME = [
    *Path("/usr/lib").glob("*/faketime/libfaketime.so.1"),
    *Path("/usr/lib/faketime").glob("libfaketime.so.1"),
]


def running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def python(program: str) -> subprocess.Popen[bytes]:
    """A Python of its own that runs `program`."""
    root = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root)


@pytest.fixture
def offline(folder: Path) -> str:
    """A torrc with which Tor talks to nobody."""
    file = folder / "offline.torrc"
    file.write_text("DisableNetwork 1\n")
    return str(file)


async def test_reachable_and_isolated(start_box: Any, private_network: Any) -> None:
    torrc = str(private_network.torrc_path)
    here, there = await start_box(0, tor_torrc=torrc), await start_box(1, tor_torrc=torrc)
    await here.until("reachable")
    await there.until("reachable")
    assert here.tor.status.words == "This box can be reached over Tor."
    assert here.tor.status.percent == 100
    assert here.tor.status.source == "system"
    assert here.tor.status.version
    for isolation in ("a", "a", "b"):
        await there.call(here.tor.address, isolation)
    first, again, other = here.proxy_lines
    assert first.startswith(b"PROXY TCP6 fc00:dead:beef:4dad::")
    assert first == again != other


async def test_no_key_stays(start_box: Any, private_network: Any) -> None:
    box = await start_box(0, tor_torrc=str(private_network.torrc_path))
    await box.until("reachable")
    folder = next(
        place
        for place in Path("/dev/shm").glob("island-*")
        if str(box.folder) in (place / "torrc").read_text()
    )
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "onion" / "hostname").read_text().strip() == box.tor.address
    everywhere = [*folder.rglob("*"), *box.folder.rglob("*")]
    assert not [path for path in everywhere if path.name == "hs_ed25519_secret_key"]


async def test_comes_back_after_a_kill(start_box: Any, private_network: Any) -> None:
    torrc = str(private_network.torrc_path)
    here, there = await start_box(0, tor_torrc=torrc), await start_box(1, tor_torrc=torrc)
    await here.until("reachable")
    await there.until("reachable")
    await there.call(here.tor.address)
    killed = here.tor.pid
    here.kill()
    await here.until("restarting")
    assert here.tor.status.words.startswith("Tor stopped")
    await here.until("reachable")
    assert here.tor.pid != killed
    assert here.tor.status.problem is None
    await there.call(here.tor.address)


async def test_a_hanging_tor_is_replaced(
    start_box: Any, private_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "PROBE_SECONDS", 0.5)
    box = await start_box(0, tor_torrc=str(private_network.torrc_path))
    await box.until("reachable")
    hung = box.tor.pid
    os.kill(hung, signal.SIGSTOP)
    # A Tor that only begins may be slow.
    with monkeypatch.context() as hurry:
        hurry.setattr(control, "ANSWER_SECONDS", 2.0)
        await box.until("restarting")
    assert not running(hung)
    await box.until("reachable")


async def test_killed_owner_leaves_no_tor(folder: Path, offline: str) -> None:
    program = f"""
import sys, trio
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import Book
from appliance.config import Config
from tor.supervisor import Tor

async def main():
    place = Path({str(folder)!r})
    tor = Tor(Config(data=place, tor_torrc={offline!r}), seed=bytes(32), target=place / "s", book=Book())
    async with trio.open_nursery() as nursery:
        await nursery.start(tor.run)
        while tor.status.phase != "bootstrapping":
            await tor.wait_changed(tor.revision)
        print(tor.pid, flush=True)

trio.run(main)
"""
    with python(program) as owner:
        assert owner.stdout is not None
        pid = int(await trio.to_thread.run_sync(owner.stdout.readline))
        assert running(pid)
        owner.kill()
    deadline = time.monotonic() + 60
    while running(pid) and time.monotonic() < deadline:
        await trio.sleep(0.02)
    assert not running(pid)
    left = torrc.open_folder(folder)  # the next start on the same data finds what was left, and empties it
    assert list(left.iterdir()) == []
    left.rmdir()


async def test_stops_with_its_task(folder: Path, start_box: Any, offline: str) -> None:
    box = await start_box(0, tor_torrc=offline)
    await box.until("bootstrapping")
    pid = box.tor.pid
    assert running(pid)
    assert box.tor.status.words == f"Connecting to the Tor network: {box.tor.status.percent} %"
    with pytest.raises(Refusal) as caught:
        await box.tor.dial(box.tor.address, 80, "")
    assert caught.value.code == "tor_off"


async def test_off(start_box: Any) -> None:
    box = await start_box(0, tor="off")
    await box.until("off")
    assert box.tor.status.words == "Tor is switched off in the settings."
    assert box.tor.address.endswith(".onion")
    with pytest.raises(Refusal) as caught:
        await box.tor.dial(box.tor.address, 80, "")
    assert caught.value.code == "tor_off"


async def test_missing_tor_is_said_and_found_later(
    start_box: Any, folder: Path, offline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOOK_AGAIN_SECONDS", 0.2)
    path = folder / "tor"
    box = await start_box(0, tor=str(path), tor_torrc=offline)
    await box.until("failed")
    assert box.tor.status.words == f"There is no tor at {path}."
    path.symlink_to("/usr/sbin/tor")
    await box.until("bootstrapping")


async def test_bad_lines_are_said(start_box: Any, folder: Path) -> None:
    file = folder / "bad.torrc"
    file.write_text("NoSuchOption 1\n")
    box = await start_box(0, tor_torrc=str(file))
    await box.until("failed")
    assert "NoSuchOption" in box.tor.status.words
    file.write_text("DisableNetwork 1\n")
    await box.until("bootstrapping")


async def test_missing_transport_is_said(start_box: Any, offline: str) -> None:
    box = await start_box(0, tor_torrc=offline, bridges=("nosuch 192.0.2.1:443 " + "A" * 40,))
    await box.until("failed")
    assert box.tor.status.words.startswith("No program for nosuch bridges is known")


async def test_unreadable_bridge_is_said(start_box: Any, offline: str) -> None:
    box = await start_box(0, tor_torrc=offline, bridges=("nonsense",))
    await box.until("failed")
    assert box.tor.status.words == "A bridge line in the settings cannot be read."


@pytest.mark.parametrize("kind", ["vanilla", "obfs4"])
async def test_bridges(start_box: Any, private_network: Any, kind: str) -> None:
    bridge = private_network.vanilla_bridge if kind == "vanilla" else private_network.obfs4_bridge
    if bridge is None:
        pytest.skip("obfs4proxy is not installed")
    torrc = str(private_network.torrc_path)
    here = await start_box(0, tor_torrc=torrc, bridges=(f"Bridge {bridge}",))
    there = await start_box(1, tor_torrc=torrc)
    await here.until("reachable")
    await there.until("reachable")
    await there.call(here.tor.address)


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed")
async def test_wrong_clock_is_named(
    start_box: Any, private_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", str(FAKETIME[0]))
    monkeypatch.setenv("FAKETIME", "-4h")
    box = await start_box(0, tor_torrc=str(private_network.torrc_path))
    with trio.fail_after(240):
        while box.tor.status.skew_seconds is None:
            await box.tor.wait_changed(box.tor.revision)
    assert abs(box.tor.status.skew_seconds + 4 * 3600) < 120
    assert "Your clock is 4 hours behind; Tor needs it right." in box.tor.status.words


@pytest.mark.slow
async def test_word_of_the_network_on_our_version(
    start_box: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "PROBE_SECONDS", 0.5)
    options = (
        "VersioningAuthoritativeDirectory 1",
        "RecommendedClientVersions 0.9.99.1",
        "RecommendedServerVersions 0.9.99.1",
    )
    async with PrivateNetwork(folder / "network", authority_options=options) as network:
        box = await start_box(0, tor_torrc=str(network.torrc_path))
        await box.until("reachable")
        with trio.fail_after(240):
            while not box.tor.status.outdated:
                await box.tor.wait_changed(box.tor.revision)
        assert "please update" in box.tor.status.words
