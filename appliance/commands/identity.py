"""`island id`, `claim`, `unlock` and `protect`: who the box is, and whose."""

from __future__ import annotations

import io
import shutil
from urllib.parse import urlsplit

import click
import segno

from appliance.client.desk import Desk
from appliance.commands.shell import Failure, Shell, printable, with_desk

MIN_PASSPHRASE = 8


def passphrase_option(function: click.decorators.FC) -> click.decorators.FC:
    """Add --passphrase-file."""
    return click.option(
        "--passphrase-file",
        type=click.File(),
        help="Read the passphrase from the first line of this file (- for standard input) instead of asking.",
    )(function)


@click.command("id")
@click.option("--qr", is_flag=True, help="A QR code of the address.")
@with_desk
async def show(desk: Desk, shell: Shell, qr: bool) -> None:
    """Show this box's name and address."""
    identity = await desk.identity()
    if qr:
        lines = draw(identity.address, shutil.get_terminal_size().columns)
    else:
        lines = [
            f"Name         {printable(identity.name)}",
            f"Address      {identity.address}",
            f"Safety words {printable(identity.fingerprint)}",
        ]
    shell.answer(identity, lines)


def draw(text: str, width: int) -> list[str]:
    """A QR code in half-block characters; Failure when it is wider than `width` columns."""
    code = segno.make(text, error="l", micro=False)
    needed = code.symbol_size(border=2)[0]
    if needed > width:
        words = (
            f"The code is {needed} columns wide and this terminal {width}: enlarge it, or use the web page."
        )
        raise Failure(words)
    out = io.StringIO()
    code.terminal(out, compact=True, border=2)
    return out.getvalue().rstrip("\n").split("\n")


@click.command("claim")
@click.argument("link", required=False)
@click.option("--name", prompt="Your name, as contacts see it", help="What you and the box are called.")
@click.option(
    "--protect", is_flag=True, help="Lock the box by the passphrase: it must be unlocked after each start."
)
@passphrase_option
@with_desk
async def claim(
    desk: Desk,
    shell: Shell,
    link: str | None,
    name: str,
    protect: bool,
    passphrase_file: io.TextIOBase | None,
) -> None:
    """Make a new box your own. LINK is the claim link or its token; this terminal needs none."""
    if (await desk.state()).claimed:
        raise Failure("This box already has an owner.")
    passphrase = read_passphrase(passphrase_file, confirm=True)
    await desk.claim(token_of(link), name, passphrase, protect=protect)
    identity = await desk.identity()
    shell.answer(
        identity, [f"The box is yours, {printable(identity.name)}.", f"Its address: {identity.address}"]
    )


@click.command("unlock")
@passphrase_option
@with_desk
async def unlock(desk: Desk, shell: Shell, passphrase_file: io.TextIOBase | None) -> None:
    """Open a locked box with the passphrase."""
    await desk.sign_in(read_passphrase(passphrase_file, confirm=False))
    shell.answer(await desk.state(), ["The box is open."])


@click.command("protect")
@click.option("--off", is_flag=True, help="Let the box start open again.")
@passphrase_option
@with_desk
async def protect(desk: Desk, shell: Shell, off: bool, passphrase_file: io.TextIOBase | None) -> None:
    """Lock the box by its owner's passphrase: it must be unlocked after each start."""
    await desk.protect(read_passphrase(passphrase_file, confirm=False), not off)
    words = "starts open" if off else "starts locked and waits for the passphrase"
    shell.answer(await desk.state(), [f"From now on the box {words}."])


def token_of(link: str | None) -> str:
    """The token in a claim link, or the link itself when it is a bare token; "" without one."""
    if not link:
        return ""
    parts = urlsplit(link)
    if parts.scheme and (parts.fragment or parts.query or parts.path):
        return (parts.fragment or parts.query or parts.path).rpartition("=")[2].rpartition("/")[2]
    return link


def read_passphrase(file: io.TextIOBase | None, *, confirm: bool) -> str:
    """The passphrase from the file's first line, or asked without echo."""
    if file is not None:
        return file.readline().rstrip("\r\n")
    answer: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return answer
