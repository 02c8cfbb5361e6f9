"""`island run`: the box itself, in the foreground, until a signal stops it."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import Final

import click
import trio

from appliance import app
from appliance.client.desk import Desk
from appliance.client.entrance import Unanswered, control
from appliance.commands import exits
from appliance.commands.shell import Failure, Shell, data_option, json_option, printable, run_async, sentence
from appliance.config import Config
from appliance.errors import Refusal, cause
from appliance.protocol.desk import TorState

RESTING: Final = frozenset({"off", "reachable", "failed"})


@click.command("run")
@data_option
@click.option(
    "--listen", envvar="ISLAND_LISTEN", metavar="HOST:PORT", help="Loopback address of the web page."
)
@click.option("--tor", metavar="auto|off|PATH", help="Which Tor to launch, if any.")
@click.option(
    "--set", "changes", multiple=True, metavar="NAME=VALUE", help="Any setting; see: island settings list"
)
@json_option
def run(data: Path, listen: str | None, tor: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Run the box until SIGTERM or Ctrl-C.

    With --json one line is printed when the box is ready: version, url, claim_url, onion, state.
    """
    shell = Shell(data.expanduser(), as_json)
    named = {name: value for name, value in (("listen", listen), ("tor", tor)) if value is not None}

    async def call() -> None:
        config = configured(shell.data, named, changes)
        await _until_stopped(config, shell)

    run_async(call, shell)


def configured(data: Path, named: dict[str, str], changes: tuple[str, ...]) -> Config:
    """The Config of these options; raises Failure for an unknown name or a value it cannot have."""
    values = from_environment() | named
    for change in changes:
        name, sign, text = change.partition("=")
        key = name.strip().replace("-", "_")
        if not sign or key == "data":
            raise Failure(f"“{printable(change)}” is not a setting; write NAME=VALUE.", exits.USAGE)
        # A setting of several lines, such as bridges, is given once for each line.
        values[key] = f"{values[key]}\n{text}" if key in values else text
    try:
        return Config(data=data).with_values(values)
    except Refusal as refusal:
        words = f"{sentence(refusal)} ({printable(str(refusal.details.get('name')))})"
        raise Failure(words, exits.USAGE) from refusal


def from_environment() -> dict[str, str]:
    """Settings given as ISLAND_NAME."""
    found = {f.name: os.environ.get(f"ISLAND_{f.name.upper()}") for f in fields(Config)}
    return {name: text for name, text in found.items() if text is not None and name != "data"}


async def _until_stopped(config: Config, shell: Shell) -> None:
    try:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_obey, signals, nursery.cancel_scope)

                def announce(ready: app.Ready) -> None:
                    shell.answer(ready, _welcome(ready))
                    sys.stdout.flush()
                    if not shell.json:
                        nursery.start_soon(_tell_tor, config.data, shell)

                await app.run(config, announce)
                nursery.cancel_scope.cancel()
    except Exception as error:
        found = cause(error)
        if isinstance(found, OSError):
            raise _explained(found, config) from error
        raise


async def _obey(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    stopping = False
    async for number in signals:
        if stopping:
            # Asked twice: go at once. The store survives it, and Tor dies with its parent.
            os._exit(128 + number)
        stopping = True
        scope.cancel()


def _explained(error: OSError, config: Config) -> Exception:
    if error.errno == errno.EADDRINUSE:
        words = f"{config.listen} is taken by another program; choose another address with --listen."
        return Failure(words, exits.PORT_TAKEN)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Failure(f"No permission for {config.data} or {config.listen}.")
    if error.errno == errno.EADDRNOTAVAIL:
        return Failure(f"{config.listen} is not an address of this machine.", exits.USAGE)
    return error


def _welcome(ready: app.Ready) -> list[str]:
    lines = [f"Private Island {ready.version}", f"Web page  {ready.url}"]
    if ready.claim_url:
        lines += ["This box has no owner yet. Open this link once to make it yours:", f"  {ready.claim_url}"]
    return [*lines, f"Address   {ready.onion}"]


async def _tell_tor(data: Path, shell: Shell) -> None:
    """Say what Tor does: a bar while it starts, then a line whenever it changes."""
    from appliance.commands.progress import Meter  # the box answers before anything is drawn

    try:
        async with Desk(control(data)) as desk:
            revision: int | None = None
            last = ""
            while True:
                with Meter(shell) as meter:
                    while True:
                        state = await desk.state(after=revision)
                        revision = state.revision
                        if state.tor.phase in RESTING:
                            break
                        meter.octets(tor_line(state.tor), state.tor.percent, 100)
                line = tor_line(state.tor)
                if line != last:
                    shell.note(line)
                last = line
    except Unanswered:
        # The box is stopping; its own end says why.
        return


def tor_line(tor: TorState) -> str:
    """What Tor is doing in one line."""
    problem = f" {printable(tor.problem)}" if tor.problem and tor.problem not in tor.words else ""
    return f"Tor: {printable(tor.words)}{problem}"
