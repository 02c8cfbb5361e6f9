"""`island report`: what members reported, what is done about it; and reporting somebody oneself."""

from __future__ import annotations

import os
import time
from typing import get_args

import click

from appliance.client.desk import Desk
from appliance.client.person import Person
from appliance.commands.profiles import with_person
from appliance.commands.shell import Listing, Shell, columns, duration, pick, printable, with_desk
from appliance.protocol.codec import to_text
from appliance.protocol.moderation import CloseReport, Did, NewReport, Report, Why


@click.group("report", cls=Listing)
def report() -> None:
    """What members reported, and what became of it."""


@report.command("list")
@click.option("--closed", is_flag=True, help="Those that are settled.")
@with_desk
async def list_reports(desk: Desk, shell: Shell, closed: bool) -> None:
    """List reports that wait, the oldest first."""
    found, now = await desk.moderation.reports(closed=closed), time.time()
    rows = [
        [
            to_text(one.id)[:8],
            one.about if one.trusted else f"{one.about or '?'} (says the reporter)",
            one.why,
            one.reporter or "(gone)",
            duration(now - one.second),
            one.phase if one.phase == "open" else f"{one.phase} by {one.taken_by or 'command line'}",
            one.words,
        ]
        for one in found
    ]
    head = ["id", "about", "why", "by", "ago", "state", "words"]
    shell.answer(found, columns(head, rows, "Nothing was reported."))


@report.command("show")
@click.argument("id")
@with_desk
async def show(desk: Desk, shell: Shell, id: str) -> None:
    """Show all of a report, with what its reporter saw."""
    one = await _find(desk, id)
    lines = [f"About {printable(one.about or '?')}, by {printable(one.reporter or '(gone)')}: {one.why}."]
    lines += [printable(line, 1000) for line in one.words.splitlines()]
    if one.evidence:
        lines += ["The reporter says to have seen:"]
        lines += ["  " + printable(line, 4000) for line in one.evidence.splitlines()]
    shell.answer(one, lines)


@report.command("take")
@click.argument("id")
@click.option("--release", is_flag=True, help="Leave it to others again.")
@with_desk
async def take(desk: Desk, shell: Shell, id: str, release: bool) -> None:
    """Say that you look at the report of this ID."""
    taken = await desk.moderation.take((await _find(desk, id)).id, release=release)
    shell.answer(taken, ["It waits for others again." if release else "It is yours to settle."])


@report.command("settle")
@click.argument("id")
@click.option("--refuse", is_flag=True, help="There is nothing to do about it.")
@click.option("--did", multiple=True, type=click.Choice(get_args(Did)), help="What you did; may be repeated.")
@click.option("--answer", default="", help="Words to whoever reported it.")
@click.option("--note", default="", help="Words for other moderators.")
@with_desk
async def settle(
    desk: Desk, shell: Shell, id: str, refuse: bool, did: tuple[Did, ...], answer: str, note: str
) -> None:
    """Settle the report of this ID; the reporter is told."""
    value = CloseReport("refused" if refuse else "done", list(did), answer, note)
    done = await desk.moderation.close((await _find(desk, id)).id, value)
    shell.answer(done, ["Refused." if refuse else "Settled."])


@report.command("send")
@click.argument("name")
@click.argument("words", default="")
@click.option("--why", type=click.Choice(get_args(Why)), default="other", show_default=True, help="Why.")
@with_person
async def send(me: Person, shell: Shell, name: str, words: str, why: Why) -> None:
    """Report the member NAME of your box to those who look after it."""
    value = NewReport(id=os.urandom(16), why=why, words=words, person=name)
    made = await me.moderation.report(value)
    shell.answer(made, ["Reported. You can see what becomes of it with: island report mine"])


@report.command("mine")
@with_person
async def mine(me: Person, shell: Shell) -> None:
    """List what you reported, and what became of it."""
    found, now = await me.moderation.own_reports(), time.time()
    rows = [[one.about, one.why, duration(now - one.second), one.phase, one.answer] for one in found]
    shell.answer(found, columns(["about", "why", "ago", "state", "answer"], rows, "You reported nothing."))


async def _find(desk: Desk, id: str) -> Report:
    rows = await desk.moderation.reports() + await desk.moderation.reports(closed=True)
    found: Report = pick(rows, id, lambda one: (to_text(one.id),), "report")
    return found
