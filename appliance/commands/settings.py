"""`island settings` and `island health`: how the box is set and how it is."""

from __future__ import annotations

from typing import Any

import click

from appliance.client.desk import Desk
from appliance.commands.audit_words import moment
from appliance.commands.shell import Listing, Shell, columns, duration, octets, pick, printable, with_desk
from appliance.protocol.desk import Endpoint, Setting

MARKS = {"good": "✓", "warning": "!", "bad": "✗", "off": "–"}


@click.group("settings", cls=Listing)
def settings() -> None:
    """Read and change settings."""


@settings.command("list")
@with_desk
async def list_settings(desk: Desk, shell: Shell) -> None:
    """List every setting with its value and meaning; * differs from the default."""
    rows = (await desk.settings()).settings
    table = [
        ["" if s.value == s.default else "*", s.name, shown(s.value).replace("\n", "; "), s.unit, s.doc]
        for s in rows
    ]
    shell.answer(rows, columns(["", "name", "value", "unit", "meaning"], table, "No settings."))


@settings.command("get")
@click.argument("name")
@with_desk
async def get(desk: Desk, shell: Shell, name: str) -> None:
    """Print one setting's value."""
    found = await find(desk, name)
    shell.answer(found, [shown(found.value)])


@settings.command("set")
@click.argument("name")
@click.argument("values", nargs=-1, required=True)
@with_desk
async def set_value(desk: Desk, shell: Shell, name: str, values: tuple[str, ...]) -> None:
    """Change one setting; one that takes several lines, such as bridges, gets an argument for each."""
    await change(desk, shell, await find(desk, name), "\n".join(values))


@settings.command("reset")
@click.argument("name")
@with_desk
async def reset(desk: Desk, shell: Shell, name: str) -> None:
    """Go back to the default."""
    await change(desk, shell, await find(desk, name), None)


@click.command("health")
@click.option("--times", is_flag=True, help="Also how long each endpoint takes, and how often it refuses.")
@with_desk
async def health(desk: Desk, shell: Shell, times: bool) -> None:
    """Show how the box is: store, Tor, tasks, disk, memory."""
    report = await desk.health()
    lines = [f"{MARKS[r.state]} {r.name:<24} {printable(r.words)}" for r in report.rows]
    up = f"Up {duration(report.uptime_seconds)}, {octets(report.memory_octets)} in memory"
    lines.append(f"{up}, {report.faults} faults, {sum(report.refusals.values())} refusals.")
    if times:
        rows = [
            [one.route, str(one.requests), str(one.refused), str(one.faults), *map(_time, _percentiles(one))]
            for one in report.endpoints
        ]
        head = ["endpoint", "answers", "refused", "faults", "50 %", "95 %", "99 %"]
        lines += columns(head, rows, "Nothing was asked yet.")
    shell.answer(report, lines)


@click.command("minimise")
@click.option("--now", is_flag=True, help="Do it now.")
@with_desk
async def minimise(desk: Desk, shell: Shell, now: bool) -> None:
    """Show what the box forgot when it minimised last; it does so once a day."""
    done = await desk.minimise() if now else await desk.minimised()
    lines = [f"times in {table} kept to the day only: {count}" for table, count in done.coarsened.items()]
    if done.blanked:
        lines.append(f"Blanked in the data file: {done.pages} pages, {done.gaps} gaps of others.")
    else:
        lines.append("Nothing can be blanked in this data file: its layout is not known.")
    if done.second:
        shell.answer(done, [f"{moment(done.second)}, in {done.milliseconds / 1000:.1f} s:", *lines])
    else:
        shell.answer(done, ["Not done yet; it begins some minutes after the start."])


async def change(desk: Desk, shell: Shell, setting: Setting, value: Any) -> None:
    """Change one setting and say what it is now."""
    after = await desk.change_settings({setting.name: value})
    now = next(s for s in after.settings if s.name == setting.name)
    wait = "" if now.live or not after.restart else " It takes effect at the next start."
    shell.answer(now, [f"{now.name} = {shown(now.value)} {now.unit}".rstrip() + f".{wait}"])


async def find(desk: Desk, name: str) -> Setting:
    """The setting of this name; dashes and underscores are the same."""
    rows = (await desk.settings()).settings
    found: Setting = pick(rows, name.replace("-", "_"), lambda s: (s.name,), "setting")
    return found


def _percentiles(one: Endpoint) -> tuple[int, int, int]:
    return one.p50_us, one.p95_us, one.p99_us


def _time(microseconds: int) -> str:
    return f"{microseconds / 1000:.1f} ms"


def shown(value: Any) -> str:
    """A value for a person."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
