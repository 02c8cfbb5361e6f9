"""Bridge lines: what is let into a torrc, and which program speaks a transport."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import Refusal
from tor import bridges

PLAIN = "192.0.2.7:9001 " + "A" * 40
OBFS4 = "obfs4 192.0.2.7:443 " + "B" * 40 + " cert=abc iat-mode=0"


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(bridges, "_FOLDERS", ())
    return tmp_path


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_lines_as_people_paste_them() -> None:
    assert bridges.clean(f"  Bridge {PLAIN}\n") == PLAIN
    assert bridges.clean(f"bridge {OBFS4}") == OBFS4
    assert bridges.clean("[2001:db8::1]:443") == "[2001:db8::1]:443"
    assert bridges.transport(PLAIN) is None
    assert bridges.transport(OBFS4) == "obfs4"


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "obfs4", f"{PLAIN}\nControlPort 9051", f"{PLAIN}\rx", f"{PLAIN} # x", "example.org:443"],
)
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(Refusal) as caught:
        bridges.clean(line)
    assert caught.value.code == "bad_setting"


def test_none() -> None:
    assert bridges.torrc((), (), Path("/nowhere")) == ([], [])


def test_plain_bridges_need_no_program(bin_folder: Path) -> None:
    assert bridges.torrc((PLAIN,), (), bin_folder) == (["UseBridges 1", f"Bridge {PLAIN}"], [])


def test_programs_are_found_beside_tor(bin_folder: Path) -> None:
    lines, problems = bridges.torrc((OBFS4,), (), bin_folder)
    assert problems == [
        "obfs4 bridges need the program lyrebird or obfs4proxy, which is not installed.",
    ]
    old = program(bin_folder, "obfs4proxy")
    lines, problems = bridges.torrc((OBFS4, OBFS4), (), bin_folder)
    assert problems == []
    assert lines[:2] == ["UseBridges 1", f"ClientTransportPlugin obfs4 exec {old}"]
    assert lines[2:] == [f"Bridge {OBFS4}"] * 2
    new = program(bin_folder, "lyrebird")
    lines, _ = bridges.torrc((OBFS4,), (), bin_folder)
    assert lines[1] == f"ClientTransportPlugin obfs4 exec {new}"


def test_given_programs_come_first(bin_folder: Path) -> None:
    lines, problems = bridges.torrc((OBFS4,), ("ClientTransportPlugin obfs4 exec /opt/x",), bin_folder)
    assert (lines[1], problems) == ("ClientTransportPlugin obfs4 exec /opt/x", [])
    with pytest.raises(Refusal):
        bridges.torrc((OBFS4,), ("obfs4 exec /opt/x\nControlPort 1",), bin_folder)


def test_unknown_transport_is_said(bin_folder: Path) -> None:
    _, problems = bridges.torrc(("new 192.0.2.7:443",), (), bin_folder)
    assert problems == ["No program for new bridges is known; name it in bridge_transports."]
