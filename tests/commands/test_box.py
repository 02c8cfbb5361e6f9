"""Every command against a real box: `island run` as a child process, without Tor."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import trio
from click.testing import CliRunner, Result

from appliance.__main__ import cli
from appliance.client.entrance import loopback
from appliance.client.http import Http
from appliance.commands import exits
from appliance.protocol.account import Session
from tests.households import Person

PASSPHRASE = "correct horse battery"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(data: Path, *more: str) -> list[str]:
    listen = f"127.0.0.1:{free_port()}"
    return [
        *(sys.executable, "-m", "appliance", "run", "--json", "--tor", "off"),
        *("--data", str(data), "--listen", listen, *more),
    ]


@dataclass
class Box:
    """A running box, and its command line."""

    data: Path
    process: subprocess.Popen[bytes]
    ready: dict[str, Any]

    @classmethod
    def start(cls, data: Path, *more: str) -> Self:
        process = subprocess.Popen(command(data, *more), stdout=subprocess.PIPE)
        assert process.stdout is not None
        return cls(data, process, json.loads(process.stdout.readline()))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == b"", "more than one line with --json"
        self.process.stdout.close()
        return code

    def island(self, *arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(cli, [*arguments, "--data", str(self.data)], input=text)

    def answer(self, *arguments: str, text: str | None = None) -> Any:
        done = self.island(*arguments, "--json", text=text)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def claim(self, *more: str) -> None:
        done = self.island(
            "claim",
            self.ready["claim_url"],
            "--name",
            "Ada",
            "--passphrase-file",
            "-",
            *more,
            text=PASSPHRASE,
        )
        assert done.exit_code == 0, done.output


Start = Callable[..., Box]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts boxes; what a failing test leaves running is killed."""
    started: list[Box] = []

    def one(data: Path, *more: str) -> Box:
        started.append(Box.start(data, *more))
        return started[-1]

    yield one
    for box in started:
        if box.process.poll() is None:
            box.process.kill()
            box.process.wait()
        assert box.process.stdout is not None
        box.process.stdout.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A claimed box that the tests of this module share."""
    found = Box.start(tmp_path_factory.mktemp("box") / "data")
    found.claim()
    yield found
    assert found.stop() == 0


def test_the_ready_line_says_all_that_a_script_needs(box: Box) -> None:
    assert set(box.ready) >= {"version", "url", "claim_url", "onion", "state"}
    assert box.ready["url"].startswith("http://127.0.0.1:")
    assert box.ready["onion"].endswith(".onion")


def test_identity(box: Box) -> None:
    identity = box.answer("id")
    assert identity["address"] == box.ready["onion"]
    assert identity["name"] == "Ada"
    assert identity["address"] in box.island("id").output
    assert box.island("id", "--qr").exit_code == 0


def test_a_box_is_claimed_once(box: Box) -> None:
    done = box.island("claim", "--name", "Eve", "--passphrase-file", "-", text=PASSPHRASE)
    assert done.exit_code == exits.FAILED
    assert "already has an owner" in done.output


def test_a_second_box_on_the_folder_is_refused(box: Box) -> None:
    done = subprocess.run(command(box.data), capture_output=True, check=False)
    assert done.returncode == exits.IN_USE
    assert json.loads(done.stdout)["error"]["code"] == "in_use"


def test_a_taken_port_is_told(box: Box, tmp_path: Path) -> None:
    listen = box.ready["url"].partition("//")[2].rstrip("/")
    arguments = ["run", "--tor", "off", "--data", str(tmp_path / "other"), "--listen", listen]
    done = subprocess.run([sys.executable, "-m", "appliance", *arguments], capture_output=True, check=False)
    assert done.returncode == exits.PORT_TAKEN
    assert done.stderr.count(b"\n") == 1
    assert b"is taken" in done.stderr


def test_relay_grants(box: Box) -> None:
    code = box.answer("relay", "grant", "Bob", "--mib", "2", "--days", "9")["code"]
    assert code.startswith(f"{box.ready['onion']}/")
    (row,) = [g for g in box.answer("relay", "grants") if g["label"] == "Bob"]
    assert row["octets_limit"] == 2 << 20
    assert "Bob" in box.island("relay", "grants").output
    assert box.island("relay", "revoke", "Bob").exit_code == 0
    assert not [g for g in box.answer("relay", "grants") if g["label"] == "Bob"]
    load = box.answer("relay", "load")
    assert (load["held"], load["policy"]) == (0, "invite")
    assert "Policy     invite" in box.island("relay", "load").output


def test_relays_in_use(box: Box) -> None:
    assert box.answer("relay", "used") == []
    assert box.island("relay", "use", "nonsense").exit_code == exits.FAILED


def test_readers_need_tor_or_are_kept(box: Box) -> None:
    assert box.answer("reader", "list") == []
    assert box.answer("reader", "key", "list") == []


def test_settings(box: Box) -> None:
    assert box.answer("settings", "set", "collect-seconds", "60")["value"] == 60
    assert box.island("settings", "get", "collect_seconds").output == "60\n"
    assert box.island("settings", "reset", "collect_seconds").exit_code == 0
    assert box.answer("settings", "get", "collect_seconds")["value"] == 120
    assert box.island("settings", "set", "collect_seconds", "often").exit_code == exits.FAILED
    assert box.island("settings", "set", "levity", "1").exit_code == exits.FAILED
    assert "collect_seconds" in box.island("settings", "list").output


def test_health_and_doctor(box: Box) -> None:
    assert {row["name"] for row in box.answer("health")["rows"]}
    assert " in memory" in box.island("health").output
    listen = box.ready["url"].partition("//")[2].rstrip("/")
    done = box.island("doctor", "--offline", "--listen", listen, "--json")
    rows = {row["name"]: row["state"] for row in json.loads(done.output)["findings"]}
    assert rows["box"] == rows["port"] == rows["folder"] == rows["key"] == "good"


def join(box: Box, name: str, link: str) -> None:
    """What a client does with an invite."""

    async def register() -> None:
        entrance = loopback(box.ready["url"].partition("//")[2].rstrip("/"))
        async with Http(entrance) as http:
            await http.call("POST", "/v1/accounts", Session, Person(name).register(link.rpartition("/")[2]))

    trio.run(register)


def test_members_are_invited_changed_and_removed(tmp_path: Path, start: Start) -> None:
    box = start(tmp_path / "data", "--set", "kdf_memory_kib=64", "--set", "kdf_passes=1")
    box.claim()
    made = box.answer("member", "invite", "--uses", "2", "--note", "the choir")
    assert made["link"] == f"http://{box.ready['onion']}/#/invite/{made['code']}"
    join(box, "bob", made["link"])
    (row,) = box.answer("member", "invites")
    assert (row["id"], row["left"], row["note"]) == (made["id"], 1, "the choir")
    assert "code" not in row or row["code"] is None
    assert "1/2" in box.island("member", "invites").output
    assert box.island("member", "uninvite", "the choir").exit_code == 0
    assert box.answer("member", "invites") == []
    assert {m["name"]: m["role"] for m in box.answer("member")} == {"ada": "owner", "bob": "member"}
    assert box.answer("member", "role", "bob", "admin")["role"] == "admin"
    assert box.answer("member", "suspend", "bob")["suspended"]
    assert not box.answer("member", "suspend", "bob", "--end")["suspended"]
    assert box.island("member", "suspend", "ada").exit_code == exits.FAILED
    assert box.island("member", "remove", "bob", "--yes").exit_code == 0
    assert [m["name"] for m in box.answer("member", "list")] == ["ada"]


def test_a_box_is_protected_and_open_again(tmp_path: Path, start: Start) -> None:
    box = start(tmp_path / "data")
    box.claim()
    assert box.island("protect", "--passphrase-file", "-", text="wrong horse").exit_code == exits.FAILED
    assert box.island("protect", "--passphrase-file", "-", text=PASSPHRASE).exit_code == 0
    assert box.answer("unlock", "--passphrase-file", "-", text=PASSPHRASE)["protected"]
    assert box.island("protect", "--off", "--passphrase-file", "-", text=PASSPHRASE).exit_code == 0
    assert box.stop() == 0
    box = start(box.data)
    assert box.island("id").exit_code == 0


def test_a_locked_box_opens_with_the_passphrase(tmp_path: Path, start: Start) -> None:
    box = start(tmp_path / "data")
    box.claim("--protect")
    assert box.stop() == 0
    box = start(box.data)
    assert box.ready["claim_url"] is None
    assert box.island("relay", "used").exit_code == exits.LOCKED
    assert box.island("unlock", "--passphrase-file", "-", text="wrong horse").exit_code == exits.FAILED
    assert box.island("unlock", "--passphrase-file", "-", text=PASSPHRASE).exit_code == 0
    assert box.answer("id")["address"] == box.ready["onion"]
    assert box.stop() == 0
    assert box.island("id").exit_code == exits.NO_BOX


def test_a_lost_key_is_a_damaged_folder(tmp_path: Path, start: Start) -> None:
    box = start(tmp_path / "data")
    assert box.stop() == 0
    (box.data / "machine.key").unlink()
    done = subprocess.run(command(box.data), capture_output=True, check=False)
    assert done.returncode == exits.BAD_STORE


def test_a_page_that_waits_for_news_does_not_hold_up_the_stop(tmp_path: Path, start: Start) -> None:
    box = start(tmp_path / "data")
    revision = 0
    with socket.create_connection(
        ("127.0.0.1", int(box.ready["url"].rstrip("/").rpartition(":")[2]))
    ) as page:
        host = box.ready["url"].partition("//")[2].rstrip("/")
        # Ask until the box is at rest and lets the question wait.
        while True:
            page.settimeout(1)
            page.sendall(f"GET /v1/state?after={revision} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            try:
                revision = json.loads(page.recv(65_536).rpartition(b"\r\n\r\n")[2])["revision"]
            except TimeoutError:
                break
        began = time.monotonic()
        assert box.stop() == 0
    assert time.monotonic() - began < 4


def test_ctrl_c_is_a_clean_stop(tmp_path: Path, start: Start) -> None:
    box = start(tmp_path / "data")
    box.process.send_signal(signal.SIGINT)
    assert box.process.wait(20) == 0
    assert not (box.data / "control.sock").exists()
