"""The doctor's looks at real folders, ports and programs."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.__main__ import cli
from appliance.commands import diagnosis


def states(folder: Path) -> dict[str, str]:
    return {finding.name: finding.state for finding in diagnosis.folder(folder)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    key = folder / "machine.key"
    key.touch(mode=0o600)
    return folder


def test_a_sound_folder(data: Path) -> None:
    assert states(data) == {"folder": "good", "key": "good", "space": "good", "disk": "good"}


def test_a_folder_open_to_others(data: Path) -> None:
    data.chmod(0o755)
    assert states(data)["folder"] == "bad"


def test_a_key_open_to_others(data: Path) -> None:
    (data / "machine.key").chmod(0o640)
    found = next(f for f in diagnosis.folder(data) if f.name == "key")
    assert (found.state, found.remedy) == ("bad", f"chmod 600 {data / 'machine.key'}")


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert states(tmp_path / "new" / "er")["folder"] == "good"


def test_a_clock_behind_the_boxs_own_files(data: Path) -> None:
    os.utime(data / "machine.key", (4_000_000_000, 4_000_000_000))
    assert diagnosis.clock(data).state == "bad"


def test_a_clock_in_the_past(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis.time, "time", lambda: 0.0)
    found = diagnosis.clock(data)
    assert found.state == "bad"
    assert "1970" in found.words


def test_ports() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        assert diagnosis.port(listen, False).state == "bad"
        assert diagnosis.port(listen, True).state == "good"
    assert diagnosis.port(listen, False).state == "good"
    for wrong in ("nonsense", "127.0.0.1:99999", "127.0.0.1:x"):
        assert diagnosis.port(wrong, False).state == "bad"


def test_tor_off_and_missing() -> None:
    assert [f.state for f in diagnosis.tor("off", 270)] == ["off"]
    assert diagnosis.tor("/nonexistent/tor", 270)[-1].state == "bad"


def test_an_old_tor_is_told(tmp_path: Path) -> None:
    fake = tmp_path / "tor"
    fake.write_text("#!/bin/sh\necho 'Tor version 0.4.8.10.'\n")
    fake.chmod(0o755)
    os.utime(fake, (1_600_000_000, 1_600_000_000))
    assert diagnosis.tor(str(fake), 270)[-1].state == "warning"


def test_the_libraries_are_the_tested_ones() -> None:
    assert diagnosis.libraries().state == "good"
    assert diagnosis.python().state == "good"


def test_the_command_with_the_box_off(data: Path) -> None:
    arguments = [
        "doctor",
        "--data",
        str(data),
        "--offline",
        "--tor",
        "off",
        "--listen",
        "127.0.0.1:0",
        "--json",
    ]
    done = CliRunner().invoke(cli, arguments)
    answer = json.loads(done.output)
    assert done.exit_code == 0
    assert answer["ok"] is True
    assert answer["findings"][-1]["name"] == "box"


def test_something_bad_is_exit_code_one(data: Path) -> None:
    data.chmod(0o777)
    arguments = ["doctor", "--data", str(data), "--offline", "--tor", "off", "--listen", "127.0.0.1:0"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 1
    assert f"→ chmod 700 {data}" in done.output
