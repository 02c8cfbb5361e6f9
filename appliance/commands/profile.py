"""`island profile`: what people one has accepted see of one, their own name, picture and time zone."""

from __future__ import annotations

from typing import Any, BinaryIO, Final

import click
import msgspec
from msgspec import UNSET

from appliance.client.person import Person
from appliance.commands import exits
from appliance.commands.profiles import with_person
from appliance.commands.shell import Failure, Shell, octets, printable
from appliance.errors import Refusal
from appliance.protocol import picture as pictures

MAX_FILE: Final = 20 * 1024 * 1024
"""Octets that are looked into."""


class Shown(msgspec.Struct, frozen=True):
    """What contacts see; `picture` is its octets, 0 for none."""

    address: str
    display: str
    picture: int
    zone: str
    zone_told: bool


@click.command("profile")
@click.option("--name", help="The name beside your address; an empty one takes it away.")
@click.option("--picture", type=click.File("rb"), help="A small JPEG; what a camera wrote into it stays out.")
@click.option("--no-picture", is_flag=True, help="Take your picture away.")
@click.option("--zone", help="Tell contacts your time zone, like Europe/Berlin; your pages show times in it.")
@click.option("--no-zone", is_flag=True, help="Tell the zone no more.")
@with_person
async def profile(
    me: Person,
    shell: Shell,
    name: str | None,
    picture: BinaryIO | None,
    no_picture: bool,
    zone: str | None,
    no_zone: bool,
) -> None:
    """Show or change what people you have accepted see of you.

    What contacts show you stands in `island message list --json`; their pictures are saved by
    `island message picture`.
    """
    if (picture and no_picture) or (zone and no_zone):
        raise click.UsageError("Either give it or take it away.")
    wanted: dict[str, Any] = {
        "display": UNSET if name is None else name.strip(),
        "picture": read_picture(picture) if picture else None if no_picture else UNSET,
        "zone": zone or UNSET,
        "tell_zone": True if zone else False if no_zone else UNSET,
    }
    try:
        if any(value is not UNSET for value in wanted.values()):
            await me.appearance.change(**wanted)
    except Refusal as refusal:
        if refusal.code != "bad_message":
            raise
        words = "A name is one line of at most 64 characters, and a zone has a name like Europe/Berlin."
        raise Failure(words, exits.USAGE) from refusal
    shell.answer(*await _shown(me))


async def _shown(me: Person) -> tuple[Shown, list[str]]:
    seen, own = me.appearance, await me.appearance.picture() or b""
    value = Shown(me.address, seen.display, len(own), seen.zone, seen.tells_zone and seen.zone != "")
    told = "told to contacts" if value.zone_told else "not told"
    lines = [
        f"Address    {value.address}",
        f"Name       {printable(value.display) or '-'}",
        f"Picture    {octets(value.picture) if own else '-'}",
        f"Time zone  {f'{value.zone}, {told}' if value.zone else '-'}",
    ]
    return value, lines


def read_picture(file: BinaryIO) -> bytes:
    """The picture in a JPEG file, without camera data; Failure that says how to make one of another file."""
    try:
        picture = pictures.stripped(file.read(MAX_FILE))
        pictures.read(picture)
    except Refusal as refusal:
        words = (
            f"A picture is a JPEG of at most {octets(pictures.MAX_OCTETS)} and {pictures.MAX_SIDE} by "
            f"{pictures.MAX_SIDE} pixels. ImageMagick makes one: convert {printable(file.name)} -auto-orient "
            "-thumbnail 128x128^ -gravity center -extent 128x128 -strip -define jpeg:extent=7kb me.jpg"
        )
        raise Failure(words, exits.USAGE) from refusal
    return picture
