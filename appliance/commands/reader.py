"""`island reader`: who may reach a closed onion, and our keys to the closed onions of others."""

from __future__ import annotations

import sys

import click

from appliance.client.desk import Desk
from appliance.commands.shell import Listing, Shell, columns, pick, printable, with_desk
from appliance.protocol.desk import Reader


@click.group("reader", cls=Listing)
def reader() -> None:
    """Close the onion to all but named readers."""


@reader.command("list")
@with_desk
async def list_readers(desk: Desk, shell: Shell) -> None:
    """List who may reach this box's onion."""
    readers = await desk.readers()
    empty = "The onion is open to everyone who knows its address."
    shell.answer(readers, columns(["name", "key"], [[r.name, r.key] for r in readers], empty))


@reader.command("add")
@click.argument("name")
@click.argument("key", required=False)
@with_desk
async def add(desk: Desk, shell: Shell, name: str, key: str | None) -> None:
    """Let NAME in with their public KEY (x25519, base32); without KEY a pair is made and shown once."""
    added = await desk.add_reader(name, key)
    lines = [f"{printable(added.name)} may reach this box. From now on only named readers can."]
    if added.private_key:
        lines += ["Give them this private key; it is not shown again:", added.private_key]
    shell.answer(added, lines)


@reader.command("remove")
@click.argument("name")
@with_desk
async def remove(desk: Desk, shell: Shell, name: str) -> None:
    """Shut NAME out."""
    found: Reader = pick(await desk.readers(), name, lambda r: (r.name,), "reader")
    await desk.remove_reader(found.name)
    shell.answer(found, [f"{printable(found.name)} may not reach this box any more."])


@reader.group("key", cls=Listing)
def key() -> None:
    """Our keys to the closed onions of others."""


@key.command("list")
@with_desk
async def list_keys(desk: Desk, shell: Shell) -> None:
    """List the closed onions we hold a key for."""
    addresses = await desk.reader_keys()
    shell.answer(addresses, addresses or ["No keys to closed onions."])


@key.command("add")
@click.argument("address")
@click.argument("private_key", required=False)
@with_desk
async def add_key(desk: Desk, shell: Shell, address: str, private_key: str | None) -> None:
    """Keep the PRIVATE_KEY that the owner of ADDRESS gave us; without it or with "-" it is read unseen."""
    if private_key == "-":
        private_key = sys.stdin.readline().strip()
    elif private_key is None:
        private_key = click.prompt("Private key", hide_input=True, err=True)
    await desk.add_reader_key(address, str(private_key))
    shell.answer({"address": address}, [f"The key to {printable(address)} is kept."])


@key.command("remove")
@click.argument("address")
@with_desk
async def remove_key(desk: Desk, shell: Shell, address: str) -> None:
    """Forget the key to ADDRESS."""
    found: str = pick(await desk.reader_keys(), address, lambda a: (a,), "key")
    await desk.remove_reader_key(found)
    shell.answer({"address": found}, [f"The key to {found} is forgotten."])
