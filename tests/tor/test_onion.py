"""The service block with a real Tor that talks to nobody: what it is told, and where the key is meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from appliance.protocol import keys, onion
from tor import child
from tor.control import Control, ControlFailed, ControlRefused
from tor.onion import GRACE_SECONDS, LET_GO_SECONDS, Guards, Onion

SEED = bytes(range(32))


class Deaf(Control):
    """A Tor built without some option: it refuses every block that has it, like the real one."""

    lacks = "HiddenServicePoWDefensesEnabled"

    async def set(self, settings: Sequence[tuple[str, str]]) -> None:
        if any(key == self.lacks for key, _ in settings):
            raise ControlRefused("Unacceptable option value")
        await super().set(settings)


async def listens(path: Path) -> bool:
    try:
        await (await trio.open_unix_socket(str(path))).aclose()
    except OSError:
        return False
    return True


@pytest.fixture(params=[Control])
async def control(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Control]:
    (folder / "torrc").write_text(
        f"DataDirectory {folder}/data\nControlSocket {folder}/control\nSocksPort 0\nDisableNetwork 1\n"
        "CookieAuthentication 1\n"
    )
    folder.chmod(0o700)
    command = ["/usr/sbin/tor", "--defaults-torrc", "/dev/null", "-f", str(folder / "torrc")]
    process = child.start(command, output=subprocess.DEVNULL)
    try:
        with trio.fail_after(120):
            while not await listens(folder / "control"):
                await trio.sleep(0.02)
        connected = await request.param.connect(folder / "control")
        yield connected
        await connected.close()
    finally:
        await process.stop()


def key_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name == "hs_ed25519_secret_key"]


@pytest.mark.tor
async def test_published_from_the_seed(control: Control, folder: Path) -> None:
    service = Onion(SEED, folder / "a place" / "socket", Guards(proof_of_work=True, streams=64))
    assert service.address == onion.address(keys.SigningKey(SEED).public)
    await service.publish(control, folder, [])
    assert (folder / "onion" / "hostname").read_text().strip() == service.address
    assert key_files(folder) == []
    told = await control._message("GETCONF HiddenServiceOptions")
    lines = [text for _, _, text in told.content()]
    assert f'HiddenServicePort=80 unix:"{folder}/a place/socket"' in lines
    assert "HiddenServiceExportCircuitID=haproxy" in lines
    assert "HiddenServicePoWDefensesEnabled=1" in lines
    assert any(line.startswith("HiddenServiceMaxStreams=6") for line in lines)


@pytest.mark.tor
async def test_published_anew_for_readers(control: Control, folder: Path) -> None:
    service = Onion(SEED, folder / "s", Guards(proof_of_work=True, streams=64))
    await service.publish(control, folder, ["A" * 51 + "Q", "B" * 51 + "Q"])
    files = sorted((folder / "onion" / "authorized_clients").iterdir())
    assert [file.read_text()[:19] for file in files] == ["descriptor:x25519:A", "descriptor:x25519:B"]
    await service.publish(control, folder, [])
    assert list((folder / "onion" / "authorized_clients").iterdir()) == []
    assert key_files(folder) == []


@pytest.mark.tor
async def test_withdrawn(control: Control, folder: Path) -> None:
    service = Onion(SEED, folder / "s", Guards(proof_of_work=False, streams=64))
    await service.publish(control, folder, [])
    await service.withdraw(control)
    told = await control._message("GETCONF HiddenServiceOptions")
    assert not any("HiddenServiceDir=" in text for _, _, text in told.content())
    await service.publish(control, folder, [])


@pytest.mark.tor
@pytest.mark.parametrize("control", [Deaf], indirect=True)
async def test_a_tor_without_proof_of_work(control: Control, folder: Path) -> None:
    await Onion(SEED, folder / "s", Guards(proof_of_work=True, streams=64)).publish(control, folder, [])
    assert (folder / "onion" / "hostname").exists()


@pytest.mark.tor
@pytest.mark.parametrize("control", [Deaf], indirect=True)
async def test_a_refusal_leaves_no_key(
    control: Control, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deaf, "lacks", "HiddenServiceDir")
    service = Onion(SEED, folder / "s", Guards(proof_of_work=True, streams=64))
    with pytest.raises(ControlRefused):
        await service.publish(control, folder, [])
    assert key_files(folder) == []


class Building:
    """A Tor that builds circuits to rendezvous: each until its moment, or until it is closed.

    Of one that is closed under way it makes another, as often as `again` says.
    """

    def __init__(self, done: dict[str, float], again: int = 0) -> None:
        self.done = {circuit: trio.current_time() + seconds for circuit, seconds in done.items()}
        self.again = again
        self.heard: list[str] = []

    async def reset(self, *keys: str) -> None:
        await trio.lowlevel.checkpoint()
        self.heard.append("reset")

    async def set(self, settings: Sequence[tuple[str, str]]) -> None:
        await trio.lowlevel.checkpoint()
        assert not self._left(), "published while an old circuit can still get done"
        self.heard.append("set")

    async def circuits(self, purpose: str) -> list[str]:
        await trio.lowlevel.checkpoint()
        assert purpose == "HS_SERVICE_REND"
        return self._left()

    async def close_circuit(self, circuit: str) -> None:
        await trio.lowlevel.checkpoint()
        self.heard.append(f"close {circuit}")
        if circuit not in self._left():
            raise ControlRefused("Unknown circuit")
        until = self.done.pop(circuit)
        if self.again:
            self.again -= 1
            self.done[f"{circuit}'"] = until

    def _left(self) -> list[str]:
        return [circuit for circuit, until in self.done.items() if trio.current_time() < until]


async def republish(tor: Building, folder: Path) -> float:
    """Withdraw and publish; how long it took."""
    began = trio.current_time()
    service = Onion(SEED, folder / "s", Guards(proof_of_work=True, streams=64))
    await service.withdraw(cast(Control, tor))
    await service.publish(cast(Control, tor), folder, ["A" * 51 + "Q"])
    return trio.current_time() - began


async def test_circuits_under_way_are_waited_for(autojump_clock: MockClock, folder: Path) -> None:
    tor = Building({})
    assert await republish(tor, folder) == 0
    tor = Building({"7": 0.3, "8": 1.5})
    assert await republish(tor, folder) < 1.7
    assert tor.heard == ["reset", "set"]


async def test_circuits_that_take_long_are_closed(autojump_clock: MockClock, folder: Path) -> None:
    tor = Building({"7": 100, "8": 0.5}, again=2)
    assert await republish(tor, folder) < 4 * GRACE_SECONDS
    assert tor.heard == ["reset", "close 7", "close 7'", "close 7''", "set"]


async def test_a_circuit_may_go_before_it_is_closed(autojump_clock: MockClock, folder: Path) -> None:
    class Late(Building):
        async def close_circuit(self, circuit: str) -> None:
            self.done.clear()
            await super().close_circuit(circuit)

    tor = Late({"7": 100})
    await republish(tor, folder)
    assert tor.heard == ["reset", "close 7", "set"]


async def test_a_tor_that_keeps_circuits(autojump_clock: MockClock, folder: Path) -> None:
    tor = Building({"7": 1000}, again=1000)
    with pytest.raises(ControlFailed), trio.fail_after(LET_GO_SECONDS + 1):
        await republish(tor, folder)
    assert "set" not in tor.heard  # the supervisor ends this Tor, and the next one has no such circuits


def test_no_secret_in_repr() -> None:
    service = Onion(SEED, Path("/s"), Guards(proof_of_work=True, streams=64))
    assert repr(service) == f"Onion({service.address})"
