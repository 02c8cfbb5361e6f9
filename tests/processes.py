"""Boxes as they really run: processes without Tor, with their real store and sockets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import trio

from appliance.client import entrance
from appliance.client.desk import Desk
from appliance.client.entrance import Entrance, Unanswered
from appliance.client.relay import Relay
from appliance.errors import Refusal
from appliance.protocol.desk import NewGrant
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import mailbox_id
from appliance.protocol.messages import Deposit, DepositGroup, FetchedEnvelope
from appliance.service.invitation import read_invitation
from tor import child

PASSPHRASE = "correct horse battery"
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
LOAD_SECONDS = 120.0
WIDE = ("contact_envelopes=1000000", f"contact_octets={1 << 40}")
"""Settings under which a mailbox is never full."""

_circuits = count(1)


@dataclass
class Process:
    """One run of `island run`."""

    data: Path
    ready: dict[str, str]
    log: Path
    begun: int
    child: child.Child

    @property
    def host(self) -> str:
        return self.ready["onion"]

    @property
    def loopback(self) -> Entrance:
        return entrance.loopback(self.ready["url"].removeprefix("http://").rstrip("/"))

    @property
    def control(self) -> Entrance:
        return entrance.control(self.data)

    @property
    def onion(self) -> Entrance:
        """The entrance of strangers, each connection as on a circuit of its own."""

        async def dial() -> trio.SocketStream:
            stream = await trio.open_unix_socket(self.data / "onion.sock")
            await stream.send_all(b"PROXY TCP6 fc00:dead:beef:4dad::0:%x ::1 24 80\r\n" % next(_circuits))
            return stream

        return Entrance(self.host, dial)

    def said(self) -> str:
        """What this run printed after its ready line."""
        text = self.log.read_bytes()[self.begun :].decode()
        return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("{"))

    async def kill(self) -> None:
        self.child.kill()
        await self.child.wait()

    async def stop(self) -> None:
        """Stop as a service manager would: it must end well and have had nothing to complain of."""
        code = await self.child.stop(STOP_SECONDS)
        assert (code, self.said()) == (0, "")


def command(data: Path, *settings: str) -> list[str]:
    line = [sys.executable, "-m", "appliance", "run", "--json", "--tor", "off"]
    line += ["--data", str(data), "--listen", "127.0.0.1:0"]
    return line + [word for setting in settings for word in ("--set", setting)]


async def start(data: Path, *settings: str, claim: bool = True) -> Process:
    """A box that answers; claimed unless told otherwise."""
    log = data.with_name(data.name + ".log")
    begun = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = child.start(command(data, *settings), environment=dict(os.environ), output=output)
    with trio.fail_after(READY_SECONDS):
        while not (lines := [line for line in _lines(log, begun) if line.startswith(b"{")]):
            assert process.code is None, log.read_text()
            await trio.sleep(0.01)
    found = Process(data, json.loads(lines[0]), log, begun, process)
    if claim:
        async with Desk(found.control) as desk:
            if not (await desk.state()).claimed:
                await desk.claim("", data.name, PASSPHRASE)
    return found


@asynccontextmanager
async def running(data: Path, *settings: str, claim: bool = True) -> AsyncIterator[Process]:
    """A box while the block lasts; afterwards it must stop well."""
    process = await start(data, *settings, claim=claim)
    try:
        yield process
    except BaseException:
        with trio.CancelScope(shield=True):
            await process.kill()
        raise
    await process.stop()


async def until_more(answers: Callable[[], int], more: int) -> None:
    """Wait until a box under load has answered so many times more, however slow the machine is."""
    least = answers() + more
    with trio.fail_after(LOAD_SECONDS):
        while answers() < least:
            await trio.sleep(0.005)


async def until_broken(run: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    """Run as a client whose box is killed: it meets a broken line, never a wrong answer."""
    try:
        await run(*arguments)
    except (Unanswered, trio.BrokenResourceError):
        pass
    except Refusal as refusal:
        assert refusal.code == "bad_answer"  # cut in the middle


@dataclass(frozen=True)
class Box:
    """A mailbox of a test: its fetch key and capability."""

    key: SigningKey = field(default_factory=lambda: SigningKey(os.urandom(32)))
    capability: bytes = field(default_factory=lambda: os.urandom(32))

    def batch(self, envelopes: list[bytes], hours: int = 24) -> Deposit:
        return Deposit([DepositGroup(self.id, self.capability, hours, envelopes)])

    @property
    def id(self) -> bytes:
        return mailbox_id(self.key.public)

    async def fetch_all(self, relay: Relay) -> list[FetchedEnvelope]:
        """Everything that is held, page by page, as a client reads it."""
        found: list[FetchedEnvelope] = []
        more = True
        while more:
            after = found[-1].number if found else 0
            page = await relay.fetch(self.key, after=after, limit=1024)
            found += page.envelopes
            more = page.more
        return found


async def make_mailboxes(process: Process, number: int) -> list[Box]:
    """So many contact mailboxes under an invitation of the box's owner."""
    async with Desk(process.control) as desk:
        code = (await desk.grant(NewGrant(label="test", mailboxes=number, octets=1 << 40))).code
    _, secret = read_invitation(code)
    boxes = [Box() for _ in range(number)]
    async with Relay(process.loopback, process.host) as relay:
        for box in boxes:
            await relay.create(box.key, box.capability, secret)
    return boxes


def envelope(size: int = 960) -> bytes:
    """An envelope as a relay sees it."""
    return b"\1" + os.urandom(size - 1)


def _lines(log: Path, begun: int) -> list[bytes]:
    """The whole lines written since."""
    return log.read_bytes()[begun:].split(b"\n")[:-1]
