"""One real box process on a data folder: started, measured from outside, stopped; and its mailboxes."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from base64 import b32decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import lmdb

from appliance.client.entrance import CONTROL_NAME
from appliance.protocol import codec
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK, MailboxId, capability_hash, mailbox_id, sign_request
from appliance.protocol.messages import CreateMailbox, Nonces
from appliance.store.engine import DATA_FILE
from appliance.store.schema import TABLES

# The load of thousands of people comes from one address and stays: bounds that would end it are lifted.
SETTINGS: Final = {
    "relay_policy": "open",
    "contact_envelopes": 10_000_000,
    "contact_octets": 1 << 40,
    "relay_octets": 1 << 40,
    "stream_operations": 10_000_000,
    "circuit_requests": 1_000_000,
    "nonces_kept": 10_000_000,
}
CLOCKED: Final = Path(__file__).with_name("clocked.py")
NONCES_AT_ONCE: Final = 64
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0


class Mailbox(NamedTuple):
    """A mailbox from both sides: who may deposit and who may fetch."""

    id: MailboxId
    capability: bytes
    key: SigningKey


class Memory(NamedTuple):
    """Resident octets of a process: its own, and pages of its database that the system maps for it."""

    own: int
    mapped: int


class Box:
    """A box that runs; `port` is its loopback port. A context manager: leaving it stops the box."""

    def __init__(
        self, data: Path, settings: dict[str, Any] | None = None, *, program: Sequence[str] | None = None
    ) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        command = [*(program or island()), "run", "--data", str(data), "--tor", "off", "--json"]
        command += ["--listen", f"127.0.0.1:{self.port}"]
        for name, value in {**SETTINGS, **(settings or {})}.items():
            command += ["--set", f"{name}={value}"]
        with (data / "box.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        self.onion = ""

    def __enter__(self) -> Self:
        try:
            self.onion = self._ready()["onion"]
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _ready(self) -> dict[str, Any]:
        output = self.process.stdout
        if output is None:
            raise RuntimeError("the box has no output")
        if not select.select([output], [], [], START_SECONDS)[0] or not (line := output.readline()):
            raise RuntimeError(f"the box did not start; see {self.data / 'box.log'}")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the owner's API over the control socket."""
        connection = _Control(self.data / CONTROL_NAME)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"content-type": codec.JSON, "accept": codec.JSON})
            answer = connection.getresponse()
            found = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {found}")
        return found

    def held(self) -> int:
        """Envelopes the relay holds for others."""
        return int(self.ask("GET", "/v1/relay/load")["held"])

    def make_mailboxes(self, count: int) -> list[Mailbox]:
        """Mailboxes under one invitation of the owner, made over HTTP as anybody would."""
        terms = {"label": "bench", "mailboxes": count, "octets": 1 << 40, "days": 30}
        code = self.ask("POST", "/v1/relay/grants", terms)["code"]
        grant = _secret(code)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        nonces: list[bytes] = []
        made = []
        for _ in range(count):
            mailbox = _new_mailbox()
            if not nonces:
                path = f"/v1/nonces?count={NONCES_AT_ONCE}"
                nonces = codec.read(_exchange(connection, "GET", path), Nonces).nonces
            request = CreateMailbox(
                grant, mailbox.key.public, capability_hash(mailbox.capability), "contact", BLANK
            )
            signed = sign_request(mailbox.key, self.onion, nonces.pop(), request)
            _exchange(connection, "POST", "/v1/mailboxes", codec.write(signed))
            made.append(mailbox)
        connection.close()
        return made

    def cpu_seconds(self) -> float:
        """Processor time of the box so far."""
        return cpu_seconds(self.process.pid)

    def memory(self) -> Memory:
        """What is resident now."""
        mapped = own = 0
        inside = False
        for line in Path(f"/proc/{self.process.pid}/smaps").read_text().splitlines():
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                inside = line.endswith(DATA_FILE)
            elif line.startswith("Rss:"):
                octets = int(line.split()[1]) * 1024
                mapped, own = (mapped + octets, own) if inside else (mapped, own + octets)
        return Memory(own, mapped)

    def stored_octets(self) -> int:
        """Octets of all pages in use in the database."""
        with lmdb.open(
            str(self.data / DATA_FILE), subdir=False, readonly=True, max_dbs=len(TABLES) + 8
        ) as env:
            tables = [env.open_db(table.encode(), create=False) for table in TABLES]
            with env.begin() as txn:
                stats = [txn.stat(), *(txn.stat(table) for table in tables)]
        pages = sum(s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"] for s in stats)
        return int(stats[0]["psize"]) * int(pages)


class _Control(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=START_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(START_SECONDS)
        # A socket's path may have 107 bytes at most: go by the folder's descriptor.
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


def island() -> list[str]:
    """The command of this checkout's box."""
    return [str(Path(sys.executable).with_name("island"))]


def clocked_island() -> list[str]:
    """The same, with a clock that SIGUSR1 sets two hours ahead."""
    return [sys.executable, str(CLOCKED)]


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _new_mailbox() -> Mailbox:
    key = SigningKey(os.urandom(32))
    return Mailbox(mailbox_id(key.public), os.urandom(32), key)


def _secret(code: str) -> bytes:
    text = code.rpartition("/")[2].upper()
    return b32decode(text + "=" * (-len(text) % 8))


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"") -> bytes:
    headers = {"accept": codec.CBOR, "content-type": codec.CBOR} if body else {"accept": codec.CBOR}
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status}")
    return content
