"""The service block with a real Tor that talks to nobody: what it is told, and where the key is meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import trio

from appliance.protocol import keys, onion
from tor import child
from tor.control import Control, ControlRefused
from tor.onion import Guards, Onion

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


def test_no_secret_in_repr() -> None:
    service = Onion(SEED, Path("/s"), Guards(proof_of_work=True, streams=64))
    assert repr(service) == f"Onion({service.address})"
