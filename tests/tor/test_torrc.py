"""The folder in memory and the lines of a box's torrc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import Config
from tor import torrc


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Path]:
    folder = torrc.open_folder(tmp_path)
    yield folder
    for entry in folder.iterdir():
        entry.unlink()
    folder.rmdir()


def test_the_folder_is_ours_alone_and_short(made: Path) -> None:
    assert made.stat().st_mode & 0o777 == 0o700
    assert made.stat().st_uid == os.geteuid()
    assert len(str(made / "control")) < 100
    assert list(made.iterdir()) == []


def test_one_data_folder_gets_the_same_one_emptied(made: Path, tmp_path: Path) -> None:
    (made / "left").write_text("from a killed box")
    assert torrc.open_folder(tmp_path) == made
    assert list(made.iterdir()) == []


def test_a_folder_of_somebody_else_is_not_taken(made: Path, tmp_path: Path) -> None:
    made.rmdir()
    made.symlink_to(tmp_path)
    other = torrc.open_folder(tmp_path)
    try:
        assert other != made
        assert not other.is_symlink()
    finally:
        other.rmdir()
        made.unlink()
        made.mkdir(mode=0o700)


def test_lines(tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.write_text("TestingTorNetwork 1\n")
    config = Config(data=tmp_path, tor_torrc=str(more))
    text = torrc.compose(config, Path("/dev/shm/x"), tmp_path / "with space", ["UseBridges 1"])
    lines = text.splitlines()
    assert f'DataDirectory "{tmp_path}/with space"' in lines
    assert "SocksPort unix:/dev/shm/x/socks ExtendedErrors OnionTrafficOnly" in lines
    assert f"__OwningControllerProcess {os.getpid()}" in lines
    assert lines[-2:] == ["UseBridges 1", "TestingTorNetwork 1"]
    assert text.endswith("\n")


def test_a_missing_file_of_lines_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        torrc.compose(Config(tor_torrc=str(tmp_path / "none")), tmp_path, tmp_path, [])
