"""`island sign-up`, `sign-in` and `sign-out`: an account at a box, kept in a profile on this computer."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import click
import msgspec

from appliance.client.entrance import Entrance
from appliance.client.person import Person
from appliance.client.person import profile as profiles
from appliance.commands.identity import passphrase_option, read_passphrase, token_of
from appliance.commands.profiles import (
    PROGRAMS,
    SILENT,
    beside,
    entrance_of,
    path_of,
    profile_option,
    read_profile,
    socks_option,
    telling,
)
from appliance.commands.shell import Shell, json_option, run_async
from appliance.errors import Refusal


class SignedIn(msgspec.Struct, frozen=True):
    """Who is signed in, and where that is kept."""

    address: str
    profile: str
    codes: list[str] = []


def box_option(function: Any) -> Any:
    """Add --box."""
    return click.option(
        "--box",
        default="",
        envvar="ISLAND_BOX",
        help="The box: its data folder, the address of its page, or its onion.  [default: the one here]",
    )(function)


@click.command("sign-up")
@click.argument("name")
@click.option("--invite", default="", help="An invite: its link or its code.")
@click.option("--codes", is_flag=True, help="Make backup codes and print them, this once.")
@box_option
@passphrase_option
@profile_option
@socks_option
@json_option
def sign_up(
    name: str,
    invite: str,
    codes: bool,
    box: str,
    passphrase_file: io.TextIOBase | None,
    profile: str,
    socks: Path | None,
    as_json: bool,
) -> None:
    """Make an account called NAME at a box; the box never learns the passphrase."""
    passphrase = read_passphrase(passphrase_file, confirm=True)
    path, shell = path_of(profile), Shell(path_of(profile), as_json)

    async def call() -> None:
        with telling(box):
            way = entrance_of(box, socks)
            opened = Person.register(
                way, name, passphrase, invite=token_of(invite), profile=path, options=SILENT
            )
            async with opened as me:
                made = await me.new_codes(passphrase) if codes else []
                lines = [f"You are {me.address}."]
                if made:
                    lines += ["Write these codes down; each opens the account once:", *made]
                else:
                    lines.append("If you forget the passphrase nobody can open this account for you.")
                shell.answer(SignedIn(me.address, str(path), made), lines)

    run_async(call, shell)


@click.command("sign-in")
@click.argument("name", required=False)
@click.option("--totp", help="The six digits of your authenticator app.")
@click.option("--code", is_flag=True, help="Sign in by a backup code, which is asked for.")
@click.option("--link", is_flag=True, help="Sign in by a link shown on another device, which is asked for.")
@box_option
@passphrase_option
@profile_option
@socks_option
@json_option
def sign_in(
    name: str | None,
    totp: str | None,
    code: bool,
    link: bool,
    box: str,
    passphrase_file: io.TextIOBase | None,
    profile: str,
    socks: Path | None,
    as_json: bool,
) -> None:
    """Sign in as NAME; this computer becomes one of the account's devices."""
    if not name and not link:
        raise click.UsageError("Give the NAME of the account.")
    what = "Link" if link else "Backup code" if code else ""
    secret = _ask(what, passphrase_file) if what else read_passphrase(passphrase_file, confirm=False)
    path, shell = path_of(profile), Shell(path_of(profile), as_json)

    async def call() -> None:
        with telling(box):
            way = entrance_of(box, socks)
            if link:
                opened = Person.sign_in_by_link(way, secret, profile=path, options=SILENT)
            elif code:
                opened = Person.sign_in_by_code(way, name or "", secret, profile=path, options=SILENT)
            else:
                opened = Person.sign_in(way, name or "", secret, totp=totp, profile=path, options=SILENT)
            async with opened as me:
                shell.answer(SignedIn(me.address, str(path)), [f"Signed in as {me.address}."])

    run_async(call, shell)


async def _end(path: Path, way: Entrance) -> None:
    """End the sign-in of one profile, if there is one, and remove it."""
    try:
        if path.exists():
            async with Person.open(path, way, options=SILENT) as me:
                await me.sign_out()
    except Refusal as refusal:
        if refusal.code not in ("session_ended", "sign_in"):
            raise
    profiles.remove(path)


def _ask(what: str, file: io.TextIOBase | None) -> str:
    if file is not None:
        return file.readline().strip()
    answer: str = click.prompt(what, hide_input=True, err=True)
    return answer.strip()


@click.command("sign-out")
@profile_option
@socks_option
@json_option
def sign_out(profile: str, socks: Path | None, as_json: bool) -> None:
    """End the sign-in and forget the profile; the account and its messages stay at the box."""
    path, shell = path_of(profile), Shell(path_of(profile), as_json)

    async def call() -> None:
        kept = read_profile(path)
        with telling(kept.box):
            way = entrance_of(kept.box, socks)
            for one in [beside(path, number) for number in range(PROGRAMS, 0, -1)]:
                await _end(one, way)
        shell.answer({"signed_out": kept.name}, [f"Signed out: {kept.name}."])

    run_async(call, shell)
