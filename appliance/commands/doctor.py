"""`island doctor`: what is wrong and what to do about it, with the box on or off."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import trio

from appliance.client.desk import Desk
from appliance.client.entrance import Unanswered, control
from appliance.commands import diagnosis, exits
from appliance.commands.diagnosis import Finding
from appliance.commands.shell import Shell, data_option, json_option, printable, run_async, sentence
from appliance.config import Config
from appliance.errors import Refusal

DEFAULTS = Config()
MARKS = {"good": "✓", "warning": "!", "bad": "✗", "off": "–"}


@click.command("doctor")
@data_option
@click.option(
    "--listen", default=Config.__dataclass_fields__["listen"].default, show_default=True, metavar="HOST:PORT"
)
@click.option("--tor", default="auto", show_default=True, metavar="auto|off|PATH")
@click.option("--offline", is_flag=True, help="Do not try whether Tor's directory can be reached.")
@json_option
def doctor(data: Path, listen: str, tor: str, offline: bool, as_json: bool) -> None:
    """Look at everything a box needs, and say what to do where something is wrong; exit code 1 when bad."""
    shell = Shell(data.expanduser(), as_json)
    findings: list[Finding] = []

    async def call() -> None:
        findings.extend(await examine(shell.data, listen, tor, offline=offline))

    run_async(call, shell)
    lines = []
    for row in findings:
        lines.append(f"{MARKS[row.state]} {row.name:<24} {printable(row.words)}")
        if row.remedy:
            lines.append(f"  {'':<24} → {row.remedy}")
    shell.answer({"findings": findings, "ok": not any(f.state == "bad" for f in findings)}, lines)
    if any(f.state == "bad" for f in findings):
        sys.exit(exits.FAILED)


async def examine(data: Path, listen: str, tor: str, *, offline: bool) -> list[Finding]:
    """Every finding in the order a person should read them."""
    running, box = await ask_box(data)
    findings = [diagnosis.python(), diagnosis.libraries()]
    findings += await trio.to_thread.run_sync(diagnosis.tor, tor, DEFAULTS.tor_old_days)
    findings.append(diagnosis.clock(data))
    findings += await trio.to_thread.run_sync(diagnosis.folder, data)
    findings.append(diagnosis.port(listen, running))
    if not offline and tor != "off":
        findings.append(await diagnosis.network())
    return [*findings, *box]


async def ask_box(data: Path) -> tuple[bool, list[Finding]]:
    """Whether a box runs on the folder, and what it says of itself."""
    try:
        async with Desk(control(data)) as desk:
            health = await desk.health()
    except Unanswered as error:
        if error.reason == "nobody":
            return False, [Finding("box", "off", "No box runs on this folder.", "Start it with: island run")]
        words = "A box runs on this folder but does not answer."
        return True, [Finding("box", "bad", words, "Stop it and start it again.")]
    except Refusal as refusal:
        return True, [Finding("box", "warning", f"The box runs but tells nothing: {sentence(refusal)}")]
    rows = [Finding(f"box: {row.name}", row.state, row.words) for row in health.rows]
    return True, [Finding("box", "good", "A box runs on this folder."), *rows]
