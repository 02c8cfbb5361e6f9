"""`island relay`: what this box keeps for others, and who keeps for this box."""

from __future__ import annotations

import time

import click
import trio

from appliance.client.desk import Desk
from appliance.commands import exits
from appliance.commands.progress import Meter
from appliance.commands.shell import Failure, Shell, columns, duration, octets, pick, printable, with_desk
from appliance.protocol.desk import GrantRow, NewGrant, UsedRelay

MIB = 1 << 20


@click.group("relay")
def relay() -> None:
    """Keep envelopes for others, and have yours kept."""


@relay.command("load")
@with_desk
async def load(desk: Desk, shell: Shell) -> None:
    """Show what this relay holds for others, and when it expires."""
    now = await desk.load()
    lines = [
        f"Policy     {now.policy}",
        f"Held       {now.held} envelopes in {now.mailboxes} mailboxes",
        f"Space      {octets(now.octets)} of {octets(now.octets_limit)}",
        f"Disk       {octets(now.disk_free)} free",
    ]
    most = max((day.envelopes for day in now.days), default=0)
    for day in now.days:
        bar = "█" * max(1, round(30 * day.envelopes / most)) if most else ""
        lines.append(f"expires {day.day}  {bar} {day.envelopes}")
    shell.answer(now, lines)


@relay.command("grant")
@click.argument("label")
@click.option("--mailboxes", type=click.IntRange(1, 100_000), default=256, show_default=True)
@click.option("--mib", type=click.IntRange(1), default=64, show_default=True, help="Space in MiB.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True)
@with_desk
async def grant(desk: Desk, shell: Shell, label: str, mailboxes: int, mib: int, days: int) -> None:
    """Invite somebody to keep mailboxes here; prints the invitation, which is shown only once."""
    made = await desk.grant(NewGrant(label=label, mailboxes=mailboxes, octets=mib * MIB, days=days))
    shell.answer(made, [made.code])


@relay.command("grants")
@with_desk
async def grants(desk: Desk, shell: Shell) -> None:
    """List grants."""
    rows = (await desk.load()).grants
    table = [
        [g.id[:8], g.label, g.origin, f"{g.mailboxes}/{g.mailboxes_limit}", _space(g), _left(g)] for g in rows
    ]
    empty = "No grants yet. Invite somebody with: island relay grant LABEL"
    shell.answer(rows, columns(["id", "label", "origin", "mailboxes", "space", "ends"], table, empty))


@relay.command("revoke", context_settings={"ignore_unknown_options": True})
@click.argument("grant")
@with_desk
async def revoke(desk: Desk, shell: Shell, grant: str) -> None:
    """Take a grant back, by its id or label."""
    found: GrantRow = pick((await desk.load()).grants, grant, lambda g: (g.id, g.label), "grant")
    await desk.revoke(found.id)
    shell.answer(found, [f"Revoked {printable(found.label)}."])


@relay.command("use")
@click.argument("code")
@click.option("--wait", is_flag=True, help="Wait until the relay is in use.")
@click.option("--timeout", type=click.FloatRange(min=0), default=180.0, show_default=True)
@with_desk
async def use(desk: Desk, shell: Shell, code: str, wait: bool, timeout: float) -> None:
    """Have mailboxes kept at a relay: CODE is its invitation, or its address if it serves strangers."""
    used = await desk.use_relay(code)
    if wait:
        with Meter(shell) as meter:
            used = await until_ready(desk, used, meter, timeout)
    shell.answer(used, [f"{used.address}: {printable(used.words)}"])


async def until_ready(desk: Desk, used: UsedRelay, meter: Meter, timeout: float) -> UsedRelay:
    """Wait until the relay is ready; a relay that refuses ends the wait with a Failure."""
    with trio.move_on_after(timeout):
        while used.state != "ready":
            if used.state == "refused":
                raise Failure(printable(used.words))
            meter.words(printable(used.words))
            await desk.state(after=(await desk.state()).revision)
            used = next((r for r in await desk.relays() if r.address == used.address), used)
        return used
    raise Failure(f"Not in use yet: {printable(used.words)}", exits.TOO_LATE)


@relay.command("used")
@with_desk
async def used(desk: Desk, shell: Shell) -> None:
    """List the relays this box uses."""
    relays = await desk.relays()
    rows = [[r.address, r.state, _mailboxes(r), _ago(r.last_collected), r.words] for r in relays]
    empty = "No relay yet. Use one with: island relay use CODE"
    shell.answer(relays, columns(["address", "state", "mailboxes", "collected", ""], rows, empty))


@relay.command("leave")
@click.argument("address")
@with_desk
async def leave(desk: Desk, shell: Shell, address: str) -> None:
    """Give up a relay and delete the mailboxes there."""
    found: UsedRelay = pick(await desk.relays(), address, lambda r: (r.address,), "relay")
    await desk.leave_relay(found.address)
    shell.answer(found, [f"Left {found.address}."])


def _space(grant: GrantRow) -> str:
    return f"{octets(grant.octets)} of {octets(grant.octets_limit)}"


def _mailboxes(used: UsedRelay) -> str:
    return f"{used.mailboxes}/{used.mailboxes + used.waiting}" if used.waiting else str(used.mailboxes)


def _left(grant: GrantRow) -> str:
    left = grant.expires - time.time()
    return f"in {duration(left)}" if left > 0 else "over"


def _ago(moment: int | None) -> str:
    return "not yet" if moment is None else f"{duration(time.time() - moment)} ago"
