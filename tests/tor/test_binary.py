"""Finding a tor: versions in order, the newest chosen, broken ones passed over, library paths kept apart."""

from __future__ import annotations

import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tor import binary
from tor.binary import Binary, choose, inspect, order


def fake_tor(folder: Path, version: str, code: int = 0) -> Path:
    """A program that answers `--version` as tor does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tor"
    path.write_text(f"#!/bin/sh\necho 'Tor version {version}.'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of which only `system` may hold a tor, and a bundle folder that may hold another."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'system'}:/bin")
    monkeypatch.setattr(binary, "_SYSTEM_FOLDERS", ())
    monkeypatch.setenv("ISLAND_TOR_FOLDER", str(tmp_path / "bundle"))
    real = Path("/bin/tor").exists()
    if real:
        monkeypatch.setenv("PATH", str(tmp_path / "system"))
    return tmp_path


def test_versions_in_order() -> None:
    shuffled = ["0.4.8.10", "0.5.0.0", "0.4.9.1", "0.4.7.13", "0.4.9.1-alpha", "0.4.8.9"]
    ascending = ["0.4.7.13", "0.4.8.9", "0.4.8.10", "0.4.9.1-alpha", "0.4.9.1", "0.5.0.0"]
    assert sorted(shuffled, key=order) == ascending
    assert order("0.4.9.1-rc") < order("0.4.9.1") < order("0.4.9.2-alpha")


def test_the_newer_one_is_chosen(machine: Path) -> None:
    fake_tor(machine / "system", "0.4.8.10")
    fake_tor(machine / "bundle", "0.4.9.5")
    chosen, problems = choose("auto")
    assert chosen is not None
    assert (chosen.source, chosen.version, problems) == ("bundled", "0.4.9.5", ())
    fake_tor(machine / "system", "0.4.9.6")
    chosen, _ = choose("auto")
    assert chosen is not None
    assert (chosen.source, chosen.version) == ("system", "0.4.9.6")


def test_the_machines_own_is_chosen_when_equal(machine: Path) -> None:
    fake_tor(machine / "system", "0.4.9.5")
    fake_tor(machine / "bundle", "0.4.9.5")
    chosen, _ = choose("auto")
    assert chosen is not None
    assert chosen.source == "system"


def test_a_broken_one_is_passed_over(machine: Path) -> None:
    fake_tor(machine / "system", "0.4.9.9", code=127)
    fake_tor(machine / "bundle", "0.4.9.5")
    chosen, problems = choose("auto")
    assert chosen is not None
    assert chosen.source == "bundled"
    assert problems == (f"The program at {machine / 'system' / 'tor'} is not a working tor.",)


def test_none_at_all(machine: Path) -> None:
    assert choose("auto") == (None, ("Tor is not installed on this machine.",))


def test_a_named_one_is_the_only_one(machine: Path) -> None:
    fake_tor(machine / "system", "0.4.9.9")
    named = fake_tor(machine / "other", "0.4.8.9")
    chosen, _ = choose(str(named))
    assert chosen is not None
    assert chosen.path == named
    missing = machine / "missing"
    assert choose(str(missing)) == (None, (f"There is no tor at {missing}.",))


def test_too_old(tmp_path: Path) -> None:
    found = inspect(fake_tor(tmp_path, "0.3.5.7"))
    assert not found.usable
    assert "too old" in found.problems[0]


@pytest.mark.parametrize("content", ["#!/bin/sh\necho hello\n", "no program\n", "#!/no/such/shell\n"])
def test_other_programs(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tor"
    path.write_text(content)
    path.chmod(0o755)
    assert not inspect(path).usable
    assert inspect(path).version == ""


def test_age_of_the_machines_own_is_its_files(tmp_path: Path) -> None:
    path = fake_tor(tmp_path, "0.4.9.9")
    built = datetime(2026, 1, 1, 12, tzinfo=UTC)
    os.utime(path, (built.timestamp(), built.timestamp()))
    found = inspect(path)
    assert found.built == date(2026, 1, 1)
    assert found.age_days(datetime(2026, 1, 31, tzinfo=UTC).timestamp()) == 30
    assert found.age_days(0) == 0  # a clock that is wrong does not make an age below zero


def test_age_of_a_bundled_one_is_written_beside_it(tmp_path: Path) -> None:
    path = fake_tor(tmp_path, "0.4.9.9")
    assert inspect(path, "bundled").built is None
    assert inspect(path, "bundled").age_days(0) is None
    (tmp_path / "tor.date").write_text("2026-06-26\n")
    assert inspect(path, "bundled").built == date(2026, 6, 26)
    (tmp_path / "tor.date").write_text("yesterday\n")
    assert inspect(path, "bundled").built is None


def test_library_paths_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    system = Binary(Path("/usr/bin/tor"), "system", "", None, ())
    bundled = Binary(Path("/b/tor"), "bundled", "", None, ())
    monkeypatch.setattr(sys, "_MEIPASS", "/tmp/_MEI1", raising=False)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/tmp/_MEI1")
    assert "LD_LIBRARY_PATH" not in system.environment()
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/opt/lib")
    assert system.environment()["LD_LIBRARY_PATH"] == "/opt/lib"
    assert "LD_LIBRARY_PATH_ORIG" not in system.environment()
    assert "LD_LIBRARY_PATH" not in bundled.environment()
    monkeypatch.delenv("LD_LIBRARY_PATH_ORIG")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib:/tmp/_MEI1")
    assert system.environment()["LD_LIBRARY_PATH"] == "/opt/lib"


def test_the_bundle_of_a_frozen_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISLAND_TOR_FOLDER", raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert binary.bundled_folder() is None
    fake_tor(tmp_path / "tor", "0.4.9.9")
    assert binary.bundled_folder() == tmp_path / "tor"
