"""`island contact`: who may be written to."""

from __future__ import annotations

import click

from appliance.client.desk import Desk
from appliance.commands.identity import read_text
from appliance.commands.shell import Listing, Shell, columns, pick, printable, with_desk
from appliance.protocol.desk import Contact

CARD_START = "ISLAND:"


@click.group("contact", cls=Listing)
def contact() -> None:
    """People you write to."""


@contact.command("add")
@click.argument("card")
@click.option("--name", help="Call the contact so instead of by the card's name.")
@with_desk
async def add(desk: Desk, shell: Shell, card: str, name: str | None) -> None:
    """Add by CARD ("ISLAND:…"), by @FILE that holds one, or by an onion address that can be reached now."""
    text = read_text(card)
    if text.upper().startswith(CARD_START):
        added = await desk.add_contact(card=text, name=name)
    else:
        added = await desk.add_contact(address=text, name=name)
    shell.answer(added, [f"Added {printable(added.name)}.", *describe(added)])


@contact.command("list")
@with_desk
async def list_contacts(desk: Desk, shell: Shell) -> None:
    """List all contacts, those who asked to become one included."""
    contacts = await desk.contacts()
    rows = [[c.name, c.address, ways(c), "wants to write" if c.request else ""] for c in contacts]
    empty = "No contacts yet. Add one with: island contact add CARD"
    shell.answer(contacts, columns(["name", "address", "ways", ""], rows, empty))


@contact.command("show")
@click.argument("who")
@with_desk
async def show(desk: Desk, shell: Shell, who: str) -> None:
    """Show one contact: name, address, or the beginning of either."""
    found = await find(desk, who)
    shell.answer(found, describe(found))


@contact.command("accept")
@click.argument("who")
@with_desk
async def accept(desk: Desk, shell: Shell, who: str) -> None:
    """Accept somebody who wrote first."""
    found = await desk.accept_contact((await find(desk, who)).address)
    shell.answer(found, [f"{printable(found.name)} is a contact now."])


@contact.command("remove")
@click.argument("who")
@with_desk
async def remove(desk: Desk, shell: Shell, who: str) -> None:
    """Remove a contact."""
    found = await find(desk, who)
    await desk.remove_contact(found.address)
    shell.answer(found, [f"Removed {printable(found.name)}."])


async def find(desk: Desk, who: str) -> Contact:
    """The contact of this name or address, or the only one that begins so."""
    found: Contact = pick(await desk.contacts(), who, lambda c: (c.name, c.address), "contact")
    return found


def ways(contact: Contact) -> str:
    """How a contact can be reached, in words."""
    relays = f"{contact.relays} relay{'' if contact.relays == 1 else 's'}" if contact.relays else ""
    return (
        " and ".join(word for word in ("their box" if contact.direct else "", relays) if word) or "none known"
    )


def describe(contact: Contact) -> list[str]:
    """A contact as lines."""
    return [
        f"Name         {printable(contact.name)}",
        f"Address      {contact.address}",
        f"Safety words {printable(contact.fingerprint)}",
        f"Ways         {ways(contact)}",
    ]
