"""`island channel`: channels of one's box, whose messages only their members can read."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any, get_args

import click

from appliance.client.person import Person
from appliance.client.person.channel_timeline import ChannelMessage
from appliance.client.person.channels import ChannelRow
from appliance.commands import exits
from appliance.commands.message import ago
from appliance.commands.profiles import with_person
from appliance.commands.shell import Failure, Listing, Shell, columns, pick, printable
from appliance.protocol.roster import Role


@click.group("channel", cls=Listing)
def channel() -> None:
    """Talk in channels of your box; only their members can read what is said."""


@channel.command("list")
@with_person
async def list_channels(me: Person, shell: Shell) -> None:
    """List the channels you are in, then those you may join."""
    found = await me.channels.all()
    rows = [[_name(one), str(one.members), _state(one), one.topic] for one in found]
    empty = "No channels yet. Make one with: island channel create TITLE"
    shell.answer([vars(one) for one in found], columns(["channel", "members", "state", "topic"], rows, empty))


@channel.command("create")
@click.argument("title")
@click.option("--topic", default="", help="What it is about.")
@click.option("--private", is_flag=True, help="By invitation only; not even the box can read its title.")
@with_person
async def create(me: Person, shell: Shell, title: str, topic: str, private: bool) -> None:
    """Make a channel called TITLE; you own it."""
    id = await me.channels.create(title, topic, public=not private)
    how = "Invite people with: island channel invite" if private else "Everybody on your box may join it."
    shell.answer({"id": id.hex()}, [f"{printable(title)} is there now. {how}"])


@channel.command("join")
@click.argument("name", metavar="CHANNEL")
@with_person
async def join(me: Person, shell: Shell, name: str) -> None:
    """Come into CHANNEL, a public one; you read what is said from now on."""
    of = await _channel(me, name)
    await me.channels.join(bytes.fromhex(of.id))
    shell.answer({"joined": of.id}, [f"You are in {_name(of)} now."])


@channel.command("leave")
@click.argument("name", metavar="CHANNEL")
@with_person
async def leave(me: Person, shell: Shell, name: str) -> None:
    """Leave CHANNEL."""
    of = await _channel(me, name)
    await me.channels.leave(bytes.fromhex(of.id))
    shell.answer({"left": of.id}, [f"You have left {_name(of)}."])


@channel.command("close")
@click.argument("name", metavar="CHANNEL")
@with_person
async def close(me: Person, shell: Shell, name: str) -> None:
    """End CHANNEL, as its owner; what was said stays to be read, nothing more is said."""
    of = await _channel(me, name)
    await me.channels.close(bytes.fromhex(of.id))
    shell.answer({"closed": of.id}, [f"{_name(of)} is closed."])


@channel.command("invite")
@click.argument("name", metavar="CHANNEL")
@click.argument("who")
@click.option(
    "--role", type=click.Choice(get_args(Role)), default="member", show_default=True, help="Their role."
)
@with_person
async def invite(me: Person, shell: Shell, name: str, who: str, role: Role) -> None:
    """Let WHO, somebody of your box, into CHANNEL."""
    of = await _channel(me, name)
    await me.channels.invite(bytes.fromhex(of.id), who, role)
    shell.answer({"invited": who}, [f"{printable(who)} is in {_name(of)} now."])


@channel.command("remove")
@click.argument("name", metavar="CHANNEL")
@click.argument("who")
@with_person
async def remove(me: Person, shell: Shell, name: str, who: str) -> None:
    """Put WHO out of CHANNEL; they cannot read what is said from now on."""
    of = await _channel(me, name)
    await me.channels.remove(bytes.fromhex(of.id), who)
    shell.answer({"removed": who}, [f"{printable(who)} is not in {_name(of)} any more."])


@channel.command("members")
@click.argument("name", metavar="CHANNEL")
@with_person
async def members(me: Person, shell: Shell, name: str) -> None:
    """List who is in CHANNEL, as its signed roster says."""
    of = await _channel(me, name)
    found = await me.channels.members(bytes.fromhex(of.id))
    plain = [{"name": who, "role": role} for who, role in found]
    shell.answer(plain, columns(["name", "role"], [[who, role] for who, role in found], ""))


@channel.command("send")
@click.argument("name", metavar="CHANNEL")
@click.argument("text")
@click.option("--reply", help="The id of the message this answers.")
@with_person
async def send(me: Person, shell: Shell, name: str, text: str, reply: str | None) -> None:
    """Say TEXT, or with "-" what comes on standard input, in CHANNEL."""
    of = await _channel(me, name)
    words = sys.stdin.read().rstrip("\n") if text == "-" else text

    def progress(done: int, all_of_them: int) -> None:
        if all_of_them > 1:
            click.echo(f"Keys given to {done} of {all_of_them} devices", err=True)

    about = None if reply is None else _id(reply)
    id = await me.channels.send(bytes.fromhex(of.id), words, about, progress)
    shell.answer({"id": id}, [f"Said  ({id})"])


@channel.command("read")
@click.argument("name", metavar="CHANNEL")
@click.option("--limit", type=click.IntRange(1, 256), default=50, show_default=True, help="So many at most.")
@click.option("--after", type=click.IntRange(0), help="Only messages after this number.")
@with_person
async def read(me: Person, shell: Shell, name: str, limit: int, after: int | None) -> None:
    """Show what was said in CHANNEL, the newest last."""
    of = await _channel(me, name)
    found = await me.channels.read(bytes.fromhex(of.id), limit, after)
    shell.answer([vars(one) for one in found], [_line(one) for one in found] or ["Nothing here yet."])


@channel.command("delete")
@click.argument("name", metavar="CHANNEL")
@click.argument("number", type=click.IntRange(1))
@with_person
async def delete(me: Person, shell: Shell, name: str, number: int) -> None:
    """Take message NUMBER out of CHANNEL: your own, or anybody's where you keep order."""
    of = await _channel(me, name)
    await me.channels.take_away(bytes.fromhex(of.id), number)
    shell.answer({"deleted": number}, ["It is gone for everybody."])


@channel.command("pin")
@click.argument("name", metavar="CHANNEL")
@click.argument("number", type=click.IntRange(1))
@click.option("--off", is_flag=True, help="Pin it no more.")
@with_person
async def pin(me: Person, shell: Shell, name: str, number: int, off: bool) -> None:
    """Pin message NUMBER of CHANNEL, so that everybody finds it easily."""
    of = await _channel(me, name)
    found = await me.channels.read(bytes.fromhex(of.id), 1, number - 1)
    message = next((one for one in found if one.number == number and one.id), None)
    if message is None:
        raise Failure("There is no such message that you can read.", exits.FAILED)
    await me.channels.pin(bytes.fromhex(of.id), message.id, not off)
    shell.answer({"pinned": not off}, ["Unpinned." if off else "Pinned."])


@channel.command("watch")
@click.argument("name", metavar="CHANNEL")
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
@click.option("--after", type=click.IntRange(0), help="Begin after this number instead of now.")
@with_person
async def watch(me: Person, shell: Shell, name: str, count: int | None, after: int | None) -> None:
    """Show each message of CHANNEL as it comes, until you end it."""
    of = await _channel(me, name)
    left = count
    async for one in me.channels.watch(bytes.fromhex(of.id), after):
        shell.answer(vars(one), [_line(one)])
        left = None if left is None else left - 1
        if left == 0:
            return


async def _channel(me: Person, word: str) -> ChannelRow:
    found: ChannelRow = pick(await me.channels.all(), word, lambda one: (one.title, one.id), "channel")
    return found


def _name(one: ChannelRow) -> str:
    return printable(one.title) if one.title else f"(private, {one.id[:8]})"


def _state(one: ChannelRow) -> str:
    words = [
        ("MEMBERS' LISTS DIFFER", one.alarm),
        ("closed", one.closed),
        ("private", not one.public),
        ("you may join", not one.member),
    ]
    return ", ".join(word for word, holds in words if holds)


def _line(one: ChannelMessage) -> str:
    if one.trouble:
        return f"{one.number:>5}  ({one.trouble})"
    marks = [("edited", one.edited), ("pinned", one.pinned)]
    end = "".join(f"  [{word}]" for word, holds in marks if holds)
    counted = Counter(one.reactions.values())
    end += "".join(f"  {printable(emoji)} {count}" for emoji, count in counted.items())
    body = "\n    ".join(printable(part, 16_000) for part in one.text.split("\n"))
    return f"{one.number:>5}  {one.id[:8]}  {ago(one.sent)}  {printable(one.name)}: {body}{end}"


def _id(word: str) -> str:
    try:
        whole: Any = bytes.fromhex(word)
    except ValueError:
        whole = b""
    if len(whole) != 16:
        raise Failure("The id of a message has 32 letters and digits.", exits.USAGE)
    return word
