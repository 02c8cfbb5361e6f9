"""`island member`: the accounts of this box, their roles, and invites for new ones."""

from __future__ import annotations

import shutil
import time
from typing import get_args

import click

from appliance.client.desk import Desk
from appliance.commands.audit_words import moment
from appliance.commands.identity import draw
from appliance.commands.shell import Listing, Shell, columns, duration, octets, pick, printable, with_desk
from appliance.protocol.account import (
    Allowance,
    Area,
    ChangeBan,
    ChangeMember,
    Invite,
    Member,
    NewInvite,
    Role,
)
from appliance.protocol.codec import to_text


@click.group("member", cls=Listing)
def member() -> None:
    """Who has an account here, and invites for more."""


@member.command("list")
@with_desk
async def list_members(desk: Desk, shell: Shell) -> None:
    """List every account."""
    found = await desk.members()
    rows = [
        [m.name, m.role, "suspended" if m.suspended else f"{m.sessions} signed in", octets(m.octets)]
        for m in found
    ]
    shell.answer(found, columns(["name", "role", "state", "space"], rows, "Nobody lives here yet."))


@member.command("invite")
@click.option("--uses", type=click.IntRange(1, 1000), default=1, show_default=True, help="Who may use it.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How long it holds.")
@click.option(
    "--role",
    type=click.Choice(["admin", "moderator", "member", "agent"]),
    default="member",
    show_default=True,
    help="What they may do here.",
)
@click.option("--note", default="", help="For whom it is; only you see it.")
@click.option("--reader", is_flag=True, help="With a key to the onion, which closes to all without one.")
@click.option("--qr", is_flag=True, help="Also a QR code of the link.")
@with_desk
async def invite(
    desk: Desk, shell: Shell, uses: int, days: int, role: str, note: str, reader: bool, qr: bool
) -> None:
    """Invite somebody to this box; prints the link, which is shown only once."""
    value = NewInvite(uses=uses, hours=days * 24, role=role, reader=reader, note=note)  # type: ignore[arg-type]
    made = await desk.invite(value)
    lines = [made.link or ""]
    if made.reader_key:
        lines += ["Tor Browser asks for this key when the link is opened:", made.reader_key]
    if qr and made.link:
        lines += draw(made.link, shutil.get_terminal_size().columns)
    shell.answer(made, lines)


@member.command("invites")
@with_desk
async def list_invites(desk: Desk, shell: Shell) -> None:
    """List invites that are still good."""
    found, now = await desk.invites(), time.time()
    rows = [
        [to_text(i.id)[:8], i.note, i.role, f"{i.left}/{i.uses}", duration(i.expires - now)] for i in found
    ]
    shell.answer(found, columns(["id", "for", "role", "left", "ends in"], rows, "No invites."))


@member.command("uninvite")
@click.argument("invite")
@with_desk
async def uninvite(desk: Desk, shell: Shell, invite: str) -> None:
    """Take an INVITE back, named by its id or note."""
    found: Invite = pick(await desk.invites(), invite, lambda i: (to_text(i.id), i.note), "invite")
    await desk.uninvite(found.id)
    shell.answer(found, ["The invite is taken back."])


@member.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(get_args(Role)))
@with_desk
async def change_role(desk: Desk, shell: Shell, name: str, role: str) -> None:
    """Give NAME another ROLE."""
    found = await _find(desk, name)
    changed = await desk.change_member(found.account, ChangeMember(role=role))  # type: ignore[arg-type]
    shell.answer(changed, [f"{printable(changed.name)} is {changed.role} now."])


@member.command("suspend")
@click.argument("name")
@click.option("--days", type=click.FloatRange(0.001, 3650), help="It ends by itself after this.")
@click.option("--reason", default="", help="Shown to them when they try to sign in.")
@click.option("--end", is_flag=True, help="Let them in again.")
@with_desk
async def suspend(desk: Desk, shell: Shell, name: str, days: float | None, reason: str, end: bool) -> None:
    """Shut NAME out, at once; what is theirs stays."""
    found = await _find(desk, name)
    value = ChangeMember(suspended=not end, until=None if end else _until(days), reason=reason)
    changed = await desk.change_member(found.account, value)
    words = "sign in again" if end else f"not sign in{_ending(changed.suspended_until)}"
    shell.answer(changed, [f"{printable(changed.name)} may {words}."])


@member.command("ban")
@click.argument("name")
@click.argument("area", type=click.Choice(get_args(Area)))
@click.option("--days", type=click.FloatRange(0.001, 3650), help="It ends by itself after this.")
@click.option("--end", is_flag=True, help="Lift the ban.")
@with_desk
async def ban(desk: Desk, shell: Shell, name: str, area: Area, days: float | None, end: bool) -> None:
    """Keep NAME from writing in all boards or all channels of this box."""
    found = await _find(desk, name)
    value = ChangeBan(area, until=None if end else _until(days), lift=end)
    changed = await desk.moderation.ban(found.account, value)
    words = "write" if end else f"not write{_ending(value.until or 0)}"
    shell.answer(changed, [f"{printable(changed.name)} may {words} in {area}."])


@member.command("limit")
@click.argument("name")
@click.option("--post", type=click.Choice(get_args(Allowance)), help="Whether they may post.")
@click.option("--upload", type=click.Choice(get_args(Allowance)), help="Whether they may upload files.")
@with_desk
async def limit(
    desk: Desk, shell: Shell, name: str, post: Allowance | None, upload: Allowance | None
) -> None:
    """Say whether NAME may post and upload: yes, no, or by karma like everybody."""
    found = await _find(desk, name)
    changed = await desk.change_member(found.account, ChangeMember(can_post=post, can_upload=upload))
    words = f"posts: {changed.can_post}, uploads: {changed.can_upload}, karma {changed.karma}"
    shell.answer(changed, [f"{printable(changed.name)}: {words}."])


@member.command("remove")
@click.argument("name")
@click.confirmation_option(prompt="Their vault, keys and messages on this box go with it. Go on?")
@with_desk
async def remove(desk: Desk, shell: Shell, name: str) -> None:
    """Delete NAME's account with all that belongs to it."""
    found = await _find(desk, name)
    await desk.remove_member(found.account)
    shell.answer(found, [f"{printable(found.name)} has no account here any more."])


def _until(days: float | None) -> int | None:
    return None if days is None else int(time.time() + days * 86_400)


def _ending(until: int) -> str:
    return f" until {moment(until)}" if until else " any more"


async def _find(desk: Desk, name: str) -> Member:
    found: Member = pick(await desk.members(), name, lambda m: (m.name,), "member")
    return found
