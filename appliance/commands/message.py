"""`island message`: what a person writes and reads, sealed from device to device."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from appliance.client.person import Message, Person
from appliance.commands import exits
from appliance.commands.profiles import who, with_person
from appliance.commands.shell import Failure, Listing, Shell, columns, duration, octets, printable

SHOWN_ID: Final = 8
LONGEST_NAME: Final = 200

STATES: Final = {
    "": "",
    "waiting": "waiting",
    "relay": "at a relay",
    "box": "at their box",
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
}


@click.group("message", cls=Listing)
def message() -> None:
    """Write to people and read what they wrote."""


@message.command("list")
@with_person
async def list_conversations(me: Person, shell: Shell) -> None:
    """List conversations and requests, the latest first."""
    contacts = me.contacts()
    rows = [
        [
            one.address,
            "key changed" if one.key_changed else one.state,
            str(one.unread or ""),
            ago(one.at) if one.at else "",
            one.last,
        ]
        for one in contacts
    ]
    empty = "No conversations yet. Begin one with: island message send NAME@ONION TEXT"
    shell.answer(contacts, columns(["who", "state", "new", "last", "said"], rows, empty))


@message.command("send")
@click.argument("to", metavar="WHO")
@click.argument("text")
@click.option("--reply", help="The id of the message this answers.")
@with_person
async def send(me: Person, shell: Shell, to: str, text: str, reply: str | None) -> None:
    """Send TEXT, or with "-" what comes on standard input, to WHO: an address or its beginning."""
    words = sys.stdin.read().rstrip("\n") if text == "-" else text
    address = who(me, to)
    about = (await me.find(address, reply)).id if reply else None
    _told(shell, await me.send(address, words, about))


@message.command("file")
@click.argument("to", metavar="WHO")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--text", help="Words beside it.")
@with_person
async def file(me: Person, shell: Shell, to: str, path: Path, text: str | None) -> None:
    """Send a file of at most 32 MB."""
    _told(shell, await me.send_file(who(me, to), path, text))


@message.command("read")
@click.argument("of", metavar="WHO")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=30, show_default=True, help="So many messages at most."
)
@click.option("--unread", is_flag=True, help="Leave them unread; nothing is told to the other side.")
@with_person
async def read(me: Person, shell: Shell, of: str, limit: int, unread: bool) -> None:
    """Show the newest messages with WHO, and mark them as read."""
    address = who(me, of)
    found = await me.history(address, limit)
    shell.answer([form(one) for one in found], [line(one) for one in found] or ["Nothing here yet."])
    if not unread:
        await me.mark_read(address)


@message.command("watch")
@click.option("--strangers", is_flag=True, help="Also messages of people who were not accepted yet.")
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
@with_person
async def watch(me: Person, shell: Shell, strangers: bool, count: int | None) -> None:
    """Show unread messages and each that comes, until stopped; with --json one line of JSON each."""
    left = count
    async for one in me.messages(strangers=strangers):
        shell.answer(form(one), [line(one)])
        sys.stdout.flush()
        if left is not None:
            left -= 1
            if left == 0:
                await one.mark_read()
                return


@message.command("accept")
@click.argument("of", metavar="WHO")
@with_person
async def accept(me: Person, shell: Shell, of: str) -> None:
    """Answer the request of WHO: they become a contact."""
    address = who(me, of)
    await me.accept(address)
    shell.answer({"accepted": address}, [f"{address} is a contact now."])


@message.command("block")
@click.argument("of", metavar="WHO")
@with_person
async def block(me: Person, shell: Shell, of: str) -> None:
    """Hear no more of WHO; they are not told."""
    address = who(me, of)
    await me.block(address)
    shell.answer({"blocked": address}, [f"{address} is blocked."])


@message.command("react")
@click.argument("of", metavar="WHO")
@click.argument("id")
@click.argument("emoji")
@with_person
async def react(me: Person, shell: Shell, of: str, id: str, emoji: str) -> None:
    """Put EMOJI to the message ID; "" takes it back."""
    found = await me.find(who(me, of), id)
    await found.react(emoji)
    shell.answer({"id": found.id, "emoji": emoji}, ["Done."])


@message.command("edit")
@click.argument("of", metavar="WHO")
@click.argument("id")
@click.argument("text")
@with_person
async def edit(me: Person, shell: Shell, of: str, id: str, text: str) -> None:
    """Other words for ID, one of your messages."""
    found = await me.find(who(me, of), id)
    await found.edit(text)
    _told(shell, await me.find(found.address, found.id))


@message.command("delete")
@click.argument("of", metavar="WHO")
@click.argument("id")
@click.option("--here", is_flag=True, help="Only in your own account.")
@with_person
async def delete(me: Person, shell: Shell, of: str, id: str, here: bool) -> None:
    """Delete the message ID at both sides."""
    found = await me.find(who(me, of), id)
    await found.delete(everywhere=not here)
    shell.answer({"deleted": found.id}, ["Deleted."])


@message.command("save")
@click.argument("of", metavar="WHO")
@click.argument("id")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@with_person
async def save(me: Person, shell: Shell, of: str, id: str, path: Path | None) -> None:
    """Save the attachment of the message ID; no file that is there is written over."""
    found = await me.find(who(me, of), id)
    if found.attachment is None:
        raise Failure("This message has no attachment.")
    target = _target(path, printable(found.attachment.name, LONGEST_NAME).strip(" .") or "file")
    _save(shell, target, await found.content())


@message.command("picture")
@click.argument("of", metavar="WHO")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@with_person
async def picture(me: Person, shell: Shell, of: str, path: Path | None) -> None:
    """Save the picture that WHO shows, a JPEG; no file that is there is written over."""
    address = who(me, of)
    found = await me.appearance.picture_of(address)
    if found is None:
        raise Failure("They show no picture.")
    _save(shell, _target(path, f"{address.partition('@')[0]}.jpg"), found)


def _target(path: Path | None, name: str) -> Path:
    """Where a file of this name is to be saved; Failure when there is one."""
    target = path or Path(name)
    if target.is_dir():
        target /= name
    if target.exists():
        raise Failure(f"{printable(str(target))} is there already.", exits.USAGE)
    return target


def _save(shell: Shell, target: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".island-", delete=False) as part:
        part.write(data)
    Path(part.name).replace(target)
    shell.answer({"path": str(target), "size": len(data)}, [f"Saved {target} ({octets(len(data))})."])


@message.command("safety")
@click.argument("of", metavar="WHO")
@click.option("--verified/--not-verified", default=None, help="Note that the numbers were compared, or not.")
@with_person
async def safety(me: Person, shell: Shell, of: str, verified: bool | None) -> None:
    """Show the safety number shared with WHO: compare it by voice or face to face."""
    address = who(me, of)
    if verified is not None:
        await me.verify(address, verified)
    digits = me.safety(address)
    shell.answer({"address": address, "digits": digits}, [" ".join(digits[:6]), " ".join(digits[6:])])


@message.command("trust")
@click.argument("of", metavar="WHO")
@with_person
async def trust(me: Person, shell: Shell, of: str) -> None:
    """Go on with the new key under the name of WHO, after you have asked them about it."""
    address = who(me, of)
    await me.accept_key(address)
    shell.answer({"trusted": address}, ["Messages go to the new key. Compare the safety number."])


@message.command("trust-box")
@click.argument("box", metavar="ONION")
@with_person
async def trust_box(me: Person, shell: Shell, box: str) -> None:
    """Go on with the directory that a box shows now, after you have asked who runs it what happened.

    Its log contradicts what it showed before. Both checkpoints are kept: they prove it.
    """
    await me.trust_box(box)
    words = "What it shows now is taken from here on. Compare the safety numbers of its people."
    shell.answer({"trusted": box}, [words])


def form(one: Message) -> dict[str, Any]:
    """A message as JSON has it."""
    plain = {field: getattr(one, field) for field in one.__dataclass_fields__ if not field.startswith("_")}
    found: dict[str, Any] = msgspec.to_builtins(plain)
    return found


def line(one: Message) -> str:
    """A message as a person reads it."""
    name = "you" if one.mine else one.address.partition("@")[0]
    if one.kind == "notice":
        text = f"({one.text.replace('_', ' ')})"
    elif one.deleted:
        text = "(deleted)"
    elif one.unreadable:
        text = "(could not be read; it was asked for again)" if one.unreadable == "asked" else "(newer)"
    elif one.attachment:
        unsent = "; NOT ALL SENT, send the same file again" if one.attachment.unsent else ""
        text = f"[{one.attachment.name}, {octets(one.attachment.size)}{unsent}] {one.text}".rstrip()
    else:
        text = one.text + (" (edited)" if one.edited else "")
    signs = " ".join(f"{emoji}×{number}" for emoji, number in one.reactions.items())
    end = "  ".join(part for part in (signs, STATES[one.state]) if part)
    head = f"{one.id[:SHOWN_ID]}  {ago(one.sent):>14}  {printable(name)}: {_lines(text)}"
    return head + (f"  [{end}]" if end else "")


def _lines(text: str) -> str:
    return "\n    ".join(printable(part, 10_000) for part in text.split("\n"))


def ago(at: int) -> str:
    """How long ago, for a person."""
    return f"{duration(time.time() - at)} ago"


def _told(shell: Shell, one: Message) -> None:
    shell.answer(form(one), [f"{STATES[one.state].capitalize()}  ({one.id[:SHOWN_ID]})"])
