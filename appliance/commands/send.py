"""`island send`: a note or a file to a contact, with live progress."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import click
import trio

from appliance.client.desk import CHUNK, Desk
from appliance.commands import exits
from appliance.commands.contact import find
from appliance.commands.progress import Meter
from appliance.commands.shell import Failure, Shell, octets, printable, with_desk
from appliance.errors import Refusal
from appliance.protocol.desk import Compose, OutboxItem

KEPT: Final = frozenset({"at_relays", "sent", "delivered"})
OVER: Final = frozenset({"delivered", "given_up"})


@click.command("send")
@click.argument("who", metavar="CONTACT")
@click.argument("text", required=False)
@click.option(
    "--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Send this file."
)
@click.option("--name", help="The file's name as the recipient sees it.")
@click.option("--wait", is_flag=True, help="Wait until their box has it or relays hold it.")
@click.option("--delivered", is_flag=True, help="Wait until their box has confirmed it.")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait at most; then exit code 8.")
@with_desk
async def send(
    desk: Desk,
    shell: Shell,
    who: str,
    text: str | None,
    path: Path | None,
    name: str | None,
    wait: bool,
    delivered: bool,
    timeout: float | None,
) -> None:
    """Send TEXT, a --file, or with "-" what comes on standard input as a note."""
    if (text is None) == (path is None):
        raise Failure("Give either a text, “-”, or --file.", exits.USAGE)
    contact = await find(desk, who)
    with Meter(shell) as meter:
        if path is not None:
            item = await send_file(desk, contact.address, path, name, meter.octets)
        else:
            item = await send_note(desk, contact.address, _note(text))
        done = OVER if delivered else KEPT | OVER
        state = await (
            follow(desk, item, done, meter.words, timeout) if wait or delivered else one(desk, item)
        )
    shell.answer(state, [f"{state.words}  ({state.id})"])
    if state.state == "given_up":
        sys.exit(exits.FAILED)


def _note(text: str | None) -> str:
    return sys.stdin.read() if text == "-" else text or ""


async def send_note(desk: Desk, address: str, text: str) -> str:
    """Hand a note to the box; its id."""
    return await desk.compose(Compose(contact=address, kind="note", size=len(text.encode()), text=text))


async def send_file(
    desk: Desk, address: str, path: Path, name: str | None, progress: Callable[[str, int, int], None]
) -> str:
    """Hand a file to the box in chunks; its id. `progress(words, done, size)` after each chunk."""
    shown = name or path.name
    size = path.stat().st_size
    item = await desk.compose(Compose(contact=address, kind="file", name=shown, size=size))
    try:
        with path.open("rb") as file:
            await _upload(desk, item, file, size, progress)
    except (OSError, Failure):
        with trio.CancelScope(shield=True), trio.move_on_after(5):
            await desk.cancel(item)
        raise
    return item


async def _upload(
    desk: Desk, item: str, file: BinaryIO, size: int, progress: Callable[[str, int, int], None]
) -> None:
    offset = 0
    while offset < size:
        file.seek(offset)
        chunk = await trio.to_thread.run_sync(file.read, CHUNK)
        if not chunk:
            raise Failure("The file became shorter while it was read.")
        try:
            offset = (await desk.upload(item, offset, chunk)).offset
        except Refusal as refusal:
            # The box has more or less than we think (an answer was lost): go on where it says.
            if refusal.code != "offset" or not isinstance(refusal.details.get("offset"), int):
                raise
            offset = refusal.details["offset"]
        progress(f"handed over, {octets(size)} in all", offset, size)


async def one(desk: Desk, item: str) -> OutboxItem:
    """The item's present state."""
    for row in (await desk.outbox()).items:
        if row.id == item:
            return row
    raise Refusal("no_item")


async def follow(
    desk: Desk, item: str, until: frozenset[str], words: Callable[[str], None], timeout: float | None
) -> OutboxItem:
    """Wait until the item's state is in `until`; `words` is told every change."""
    row = await one(desk, item)
    with trio.move_on_after(float("inf") if timeout is None else timeout):
        while row.state not in until:
            words(printable(row.words))
            revision = (await desk.state()).revision
            row = await one(desk, item)
            if row.state not in until:
                await desk.state(after=revision)
                row = await one(desk, item)
        return row
    raise Failure(f"Not there yet. {printable(row.words)}", exits.TOO_LATE)
