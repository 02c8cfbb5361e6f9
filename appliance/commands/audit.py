"""`island audit` and `island approval`: what those did who look after the box, and what waits."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click

from appliance.client.desk import Desk
from appliance.commands.audit_words import actor, moment, sentence
from appliance.commands.shell import Failure, Listing, Shell, columns, pick, with_desk
from appliance.protocol import codec
from appliance.protocol.audit import Act
from appliance.protocol.codec import to_text
from appliance.protocol.moderation import Approval

ASKED = {
    "member.remove": "delete the account of",
    "board.delete": "delete the board",
    "channel.close": "close the channel",
    "audit.wipe": "remove all acts from the audit log",
    "four_eyes.off": "let one pair of eyes be enough",
}


@click.group("audit", cls=Listing)
def audit() -> None:
    """What owners, admins and moderators did in the last 90 days."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@with_desk
async def list_acts(desk: Desk, shell: Shell, limit: int) -> None:
    """List acts, the newest first."""
    acts = [act async for act in desk.moderation.acts(limit)]
    rows = [[moment(act.second), actor(act), act.role, sentence(act)] for act in acts]
    shell.answer(acts, columns(["when", "who", "role", "what"], rows, "Nothing was done yet."))


@audit.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_desk
async def export(desk: Desk, shell: Shell, file: Path) -> None:
    """Write every act to FILE: a table when its name ends in .csv, otherwise a line of JSON each."""
    acts = [act async for act in desk.moderation.acts()]
    text = _table(acts) if file.suffix.lower() == ".csv" else _lines(acts)
    try:
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from error
    shell.answer({"acts": len(acts), "file": str(file)}, [f"{len(acts)} acts written to {file}."])


@audit.command("wipe")
@click.confirmation_option(prompt="Every act is removed for good; only that you did this stays. Go on?")
@with_desk
async def wipe(desk: Desk, shell: Shell) -> None:
    """Remove every act."""
    await desk.moderation.wipe_audit()
    shell.answer({}, ["The audit log is empty but for this."])


@click.group("approval", cls=Listing)
def approval() -> None:
    """Acts that wait for a second owner or admin (setting four_eyes)."""


@approval.command("list")
@with_desk
async def list_approvals(desk: Desk, shell: Shell) -> None:
    """List what waits."""
    found = await desk.moderation.approvals()
    rows = [
        [to_text(one.id)[:8], one.asked_by or "command line", _what(one), moment(one.until)] for one in found
    ]
    shell.answer(found, columns(["id", "asked by", "to", "until"], rows, "Nothing waits."))


@approval.command("agree")
@click.argument("id")
@with_desk
async def agree(desk: Desk, shell: Shell, id: str) -> None:
    """Agree to what somebody else asked for, named by its ID: it is done at once."""
    found = await _find(desk, id)
    await desk.moderation.approve(found.id)
    shell.answer(found, [f"Done: {_what(found)}."])


@approval.command("refuse")
@click.argument("id")
@with_desk
async def refuse(desk: Desk, shell: Shell, id: str) -> None:
    """Refuse what somebody asked for, or take back what you did."""
    found = await _find(desk, id)
    await desk.moderation.refuse(found.id)
    shell.answer(found, [f"Not done: {_what(found)}."])


async def _find(desk: Desk, id: str) -> Approval:
    found: Approval = pick(
        await desk.moderation.approvals(), id, lambda one: (to_text(one.id), one.target), "approval"
    )
    return found


def _what(one: Approval) -> str:
    words = ASKED.get(one.action, one.action)
    return words if one.action in ("audit.wipe", "four_eyes.off") else f"{words} {one.target}"


def _lines(acts: list[Act]) -> str:
    return "".join(codec.write(act, codec.JSON).decode() + "\n" for act in acts)


def _table(acts: list[Act]) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["number", "when", "who", "role", "action", "target", "what"])
    for act in acts:
        row = [moment(act.second), actor(act), act.role, act.action, act.target, sentence(act)]
        table.writerow([act.number, *map(_harmless, row)])
    return text.getvalue()


def _harmless(cell: Any) -> str:
    """A cell that no table program takes for a formula."""
    text = str(cell)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
