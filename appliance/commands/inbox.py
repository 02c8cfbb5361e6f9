"""`island inbox`: what arrived."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import click
import trio

from appliance.client.desk import Desk
from appliance.commands.outbox import ANY_ID
from appliance.commands.shell import (
    Failure,
    Listing,
    Shell,
    columns,
    duration,
    octets,
    pick,
    printable,
    with_desk,
)
from appliance.protocol.desk import InboxItem

LONGEST_NAME: Final = 200


@click.group("inbox", cls=Listing)
def inbox() -> None:
    """What others sent you."""


@inbox.command("list")
@with_desk
async def list_items(desk: Desk, shell: Shell) -> None:
    """List what arrived, newest first; * is new."""
    items = (await desk.inbox()).items
    rows = [
        [
            "" if i.seen else "*",
            i.id[:8],
            i.sender_name or i.sender[:12],
            title(i),
            octets(i.size),
            arrived(i),
        ]
        for i in items
    ]
    empty = "Nothing has arrived yet. Give your card to somebody: island id --card"
    shell.answer(items, columns(["", "id", "from", "what", "size", "arrived"], rows, empty))


@inbox.command("show", context_settings=ANY_ID)
@click.argument("item")
@with_desk
async def show(desk: Desk, shell: Shell, item: str) -> None:
    """Show one item; a note's text is printed and it counts as seen."""
    found = await find(desk, item)
    lines = [
        f"From    {printable(found.sender_name)} ({found.sender})"
        + ("" if found.contact else "  not a contact"),
        f"What    {printable(title(found))}, {octets(found.size)}",
        f"Arrived {arrived(found)}",
    ]
    if found.kind == "note" and found.complete:
        async with desk.content(found.id) as chunks:
            text = b"".join([chunk async for chunk in chunks]).decode("utf-8", "replace")
        lines += ["", *(printable(line, len(line)) for line in text.splitlines())]
        await desk.seen(found.id)
    shell.answer(found, lines)


@inbox.command("save", context_settings=ANY_ID)
@click.argument("item")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="Folder or file; - for standard output."
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@with_desk
async def save(desk: Desk, shell: Shell, item: str, target: Path | None, force: bool) -> None:
    """Save an item's content as a file, under its own name in this folder unless --to says otherwise."""
    found = await find(desk, item)
    if not found.complete:
        raise Failure(f"Only {found.parts_here} of {found.parts} parts are here yet.")
    if str(target) == "-":
        async with desk.content(found.id) as chunks:
            async for chunk in chunks:
                sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    path = target or Path()
    if path.is_dir():
        path /= file_name(found)
    if path.exists() and not force:
        raise Failure(f"{path} is there already; use --force or --to.")
    await download(desk, found, path)
    await desk.seen(found.id)
    shell.answer(
        {"id": found.id, "path": str(path), "size": found.size}, [f"Saved {path} ({octets(found.size)})."]
    )


@inbox.command("remove", context_settings=ANY_ID)
@click.argument("item")
@with_desk
async def remove(desk: Desk, shell: Shell, item: str) -> None:
    """Remove an item from the inbox."""
    found = await find(desk, item)
    await desk.remove_item(found.id)
    shell.answer(found, [f"Removed {printable(title(found))}."])


async def download(desk: Desk, item: InboxItem, path: Path) -> None:
    """Write the content to `path`: whole and of the right size, or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".island-")
    try:
        size = 0
        async with await trio.open_file(handle, "wb") as file, desk.content(item.id) as chunks:
            async for chunk in chunks:
                await file.write(chunk)
                size += len(chunk)
        if size != item.size:
            raise Failure("The box sent less than the whole item; try again.")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


async def find(desk: Desk, word: str) -> InboxItem:
    """The item whose id begins so."""
    found: InboxItem = pick((await desk.inbox()).items, word, lambda i: (i.id,), "item")
    return found


def title(item: InboxItem) -> str:
    """A file's name, or a note's beginning."""
    if item.kind == "note":
        return (item.text or "note").strip().partition("\n")[0][:60]
    return item.name or "file"


def arrived(item: InboxItem) -> str:
    """When it came, or how much of it is here."""
    if not item.complete:
        return f"{item.parts_here} of {item.parts} parts"
    return f"{duration(time.time() - item.received)} ago"


def file_name(item: InboxItem) -> str:
    """A name that is safe on this disk: the last part, printable, not hidden."""
    last = item.name.replace("\\", "/").rpartition("/")[2]
    safe = printable(last, LONGEST_NAME).strip(" .")
    return safe or f"{item.kind}-{item.id[:8]}" + (".txt" if item.kind == "note" else "")
