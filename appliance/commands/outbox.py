"""`island outbox`: what is on its way."""

from __future__ import annotations

import time

import click

from appliance.client.desk import Desk
from appliance.commands.shell import Listing, Shell, columns, duration, octets, pick, printable, with_desk
from appliance.protocol.desk import OutboxItem

# Ids are base64url and may begin with "-".
ANY_ID = {"ignore_unknown_options": True}


@click.group("outbox", cls=Listing)
def outbox() -> None:
    """What you sent and where it is."""


@outbox.command("list")
@with_desk
async def list_items(desk: Desk, shell: Shell) -> None:
    """List items on their way and lately delivered."""
    items = (await desk.outbox()).items
    rows = [[i.id[:8], i.contact_name, title(i), octets(i.size), when(i.created), i.words] for i in items]
    empty = "Nothing is on its way. Send something with: island send CONTACT TEXT"
    shell.answer(items, columns(["id", "to", "what", "size", "sent", "state"], rows, empty))


@outbox.command("retry", context_settings=ANY_ID)
@click.argument("item")
@with_desk
async def retry(desk: Desk, shell: Shell, item: str) -> None:
    """Try an item again now."""
    found = await find(desk, item)
    await desk.retry(found.id)
    shell.answer(found, [f"Trying again: {printable(title(found))}."])


@outbox.command("cancel", context_settings=ANY_ID)
@click.argument("item")
@with_desk
async def cancel(desk: Desk, shell: Shell, item: str) -> None:
    """Take an item out of the outbox; what relays already hold stays there until it expires."""
    found = await find(desk, item)
    await desk.cancel(found.id)
    shell.answer(found, [f"Cancelled: {printable(title(found))}."])


async def find(desk: Desk, word: str) -> OutboxItem:
    """The item whose id begins so."""
    found: OutboxItem = pick((await desk.outbox()).items, word, lambda i: (i.id,), "item")
    return found


def title(item: OutboxItem) -> str:
    """A file's name, or "note"."""
    return item.name or item.kind


def when(created: int) -> str:
    """How long ago."""
    return f"{duration(time.time() - created)} ago"
