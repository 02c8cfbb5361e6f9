"""`island board`: what stands on the boards of one's box, and what one puts there, signed."""

from __future__ import annotations

import sys
from typing import Any, Final

import click
import msgspec

from appliance.client.person import BoardPost, Person
from appliance.commands import exits
from appliance.commands.message import ago
from appliance.commands.profiles import with_person
from appliance.commands.shell import Failure, Listing, Shell, columns, pick, printable
from appliance.protocol import onion
from appliance.protocol.board import Board, Thread
from appliance.protocol.room import RoomAddress, write_address
from appliance.protocol.search import Hit

PROOFS: Final = {
    "signed": "",
    "vouched": "vouched for by the box",
    "former": "signed by an account that is gone",
    "false": "NOT GENUINE: not signed by whom it says",
    "": "",
}


@click.group("board", cls=Listing)
def board() -> None:
    """Read and write on the boards of your box."""


@board.command("list")
@with_person
async def list_boards(me: Person, shell: Shell) -> None:
    """List the boards."""
    found = await me.boards.all()
    rows = [
        [
            one.title,
            str(one.threads),
            str(one.posts),
            "mirror" if one.home is not None else "closed" if one.closed else "",
            one.about.split("\n")[0],
        ]
        for one in found
    ]
    empty = "No boards yet. An owner or admin makes one with: island board make TITLE"
    shell.answer(
        [_plain(one) for one in found], columns(["board", "threads", "posts", "state", "about"], rows, empty)
    )


@board.command("make")
@click.argument("title")
@click.option("--about", default="", help="What it is for.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long it keeps threads."
)
@with_person
async def make(me: Person, shell: Shell, title: str, about: str, days: int) -> None:
    """Make a board called TITLE; for owners and admins."""
    made = await me.boards.make(title, about, days=days)
    shell.answer(_plain(made), [f"{printable(made.title)} is there now."])


@board.command("mirror")
@click.argument("address")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long it keeps threads."
)
@with_person
async def mirror(me: Person, shell: Shell, address: str, days: int) -> None:
    """Mirror the board at ADDRESS, as `island board peers` shows it there; for owners and admins."""
    made = await me.boards.mirror(address, days)
    shell.answer(_plain(made), [f"{printable(made.title)} can be read here soon."])


@board.command("peers")
@click.argument("name", metavar="BOARD")
@click.option("--add", multiple=True, metavar="ADDRESS", help="Let the box at this address read the board.")
@click.option("--remove", multiple=True, metavar="ADDRESS", help="Let it read no more of it.")
@with_person
async def peers(me: Person, shell: Shell, name: str, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """List, and for owners and admins change, which other boxes may read BOARD."""
    of = await _board(me, name)
    added = [onion.public_key(one) for one in add]
    removed = {onion.public_key(_peer(of, one)) for one in remove}
    if add or remove:
        kept = [one for one in of.peers if one not in removed]
        of = await me.boards.change(of.id, peers=list(dict.fromkeys([*kept, *added])))
    addresses = [onion.address(one) for one in of.peers]
    room = write_address(RoomAddress(of.home or me.boards.onion, of.id))
    lines = addresses or ["No other box may read this board."]
    shell.answer({"room": room, "peers": addresses}, [*lines, f"Its address for other boxes: {room}"])


@board.command("threads")
@click.argument("name", metavar="BOARD")
@click.option(
    "--limit", type=click.IntRange(1, 100), default=30, show_default=True, help="So many threads at most."
)
@with_person
async def threads(me: Person, shell: Shell, name: str, limit: int) -> None:
    """List the threads of BOARD, the latest first."""
    of = await _board(me, name)
    page = await me.boards.threads(of.id, limit=limit)
    found = [*page.pinned, *page.threads]
    rows = [
        [one.thread.hex()[:12], one.subject or "(removed)", one.name, str(one.posts), _when(one), _state(one)]
        for one in found
    ]
    empty = (
        f'No threads yet. Begin one with: island board post "{printable(of.title)}" TEXT --subject SUBJECT'
    )
    shell.answer(
        [_plain(one) for one in found],
        columns(["thread", "subject", "by", "posts", "last", "state"], rows, empty),
    )


@board.command("read")
@click.argument("name", metavar="BOARD")
@click.argument("thread")
@click.option("--after", type=click.IntRange(0), default=0, help="Only posts after this number.")
@with_person
async def read(me: Person, shell: Shell, name: str, thread: str, after: int) -> None:
    """Show the posts of THREAD, named by its id or subject or their beginnings; each is verified."""
    of = await _board(me, name)
    found = await me.boards.posts(of.id, (await _thread(me, of, thread)).thread, after, of.home)
    at = "" if of.home is None else f"@{onion.address(of.home)}"
    shell.answer([form(one) for one in found], [line(one, at) for one in found] or ["Nothing new here."])


@board.command("post")
@click.argument("name", metavar="BOARD")
@click.argument("text")
@click.option("--subject", help="Begins a new thread.")
@click.option("--thread", help="The thread to post in.")
@click.option("--reply", help="The id of the post this answers.")
@with_person
async def post(
    me: Person, shell: Shell, name: str, text: str, subject: str | None, thread: str | None, reply: str | None
) -> None:
    """Post TEXT (Markdown), or with "-" what comes on standard input, on BOARD."""
    if (subject is None) == (thread is None):
        raise Failure("Say either --subject, for a new thread, or --thread.", exits.USAGE)
    of = await _board(me, name)
    inside = None if thread is None else (await _thread(me, of, thread)).thread
    answered = None if reply is None else _id(reply)
    id = await me.boards.post(of.id, _words(text), subject=subject, thread=inside, reply=answered)
    shell.answer({"id": id}, [f"Posted  ({id})"])


@board.command("edit")
@click.argument("name", metavar="BOARD")
@click.argument("id")
@click.argument("text")
@click.option("--subject", help="Another subject; of a thread's first post.")
@with_person
async def edit(me: Person, shell: Shell, name: str, id: str, text: str, subject: str | None) -> None:
    """Other words for ID, one of your posts; what it said before can still be looked at."""
    of = await _board(me, name)
    await me.boards.edit(of.id, _id(id), _words(text), subject)
    shell.answer({"edited": id}, ["Edited."])


@board.command("delete")
@click.argument("name", metavar="BOARD")
@click.argument("id")
@with_person
async def delete(me: Person, shell: Shell, name: str, id: str) -> None:
    """Take ID, one of your posts, back in all its versions."""
    of = await _board(me, name)
    await me.boards.delete(of.id, _id(id))
    shell.answer({"deleted": id}, ["Deleted."])


@board.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--board", "name", help="Only on this board.")
@click.option(
    "--limit", type=click.IntRange(1, 50), default=20, show_default=True, help="So many posts at most."
)
@with_person
async def search(me: Person, shell: Shell, words: tuple[str, ...], name: str | None, limit: int) -> None:
    """Find posts that have all WORDS; the last one may be a beginning."""
    of = None if name is None else (await _board(me, name)).id
    found = await me.boards.search(" ".join(words), of, limit)
    lines = [_hit(one) for one in found.hits] or ["Nothing found."]
    if found.behind:
        lines.append(f"({found.behind} new entries are not searched yet)")
    shell.answer([_plain(one) for one in found.hits], lines)


def form(one: BoardPost) -> dict[str, Any]:
    """A post as JSON has it."""
    plain = {name: getattr(one, name) for name in one.__dataclass_fields__}
    found: dict[str, Any] = msgspec.to_builtins(plain)
    return found


def line(one: BoardPost, at: str = "") -> str:
    """A post as a person reads it; `at` is where its author is, if that is another box."""
    remarks = [PROOFS[one.proof], "edited" if one.edits else ""]
    end = "".join(f"  [{remark}]" for remark in remarks if remark)
    head = f"{one.id}  {ago(one.sent)}  {printable(one.name or '?')}{at}:{end}"
    if one.removed:
        return f"{head}\n    (removed by its {'author' if one.removed == 'author' else 'moderator'})"
    subject = [f"# {printable(one.subject, 200)}"] if one.subject else []
    body = [printable(part, 10_000) for part in one.body.split("\n")] if one.body else []
    return "\n    ".join([head, *subject, *body])


def _hit(one: Hit) -> str:
    subject = printable(one.subject, 200)
    return f"{one.thread.hex()[:12]}  {subject}  {printable(one.name)}: {printable(one.excerpt, 400)}"


def _plain(one: Board | Thread | Hit) -> dict[str, Any]:
    """What the box said, its ids written as commands take them."""
    fields = msgspec.structs.asdict(one)
    return {name: _hex(value) for name, value in fields.items()}


def _hex(value: Any) -> Any:
    if isinstance(value, list):
        return [_hex(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value


def _when(one: Thread) -> str:
    return ago(one.last_hour * 3600)


def _state(one: Thread) -> str:
    return ", ".join(word for word, holds in (("pinned", one.pinned), ("locked", one.locked)) if holds)


def _words(text: str) -> str:
    return sys.stdin.read().rstrip("\n") if text == "-" else text


def _id(word: str) -> bytes:
    try:
        found = bytes.fromhex(word)
    except ValueError:
        found = b""
    if len(found) != 16:
        raise Failure(
            "The id of a post has 32 letters and digits, as `island board read` shows it.", exits.USAGE
        )
    return found


async def _board(me: Person, word: str) -> Board:
    found: Board = pick(await me.boards.all(), word, lambda one: (one.title, one.id.hex()), "board")
    return found


def _peer(of: Board, word: str) -> str:
    """The address of a peer by its beginning."""
    found: str = pick([onion.address(one) for one in of.peers], word, lambda one: (one,), "peer")
    return found


async def _thread(me: Person, of: Board, word: str) -> Thread:
    """A thread by the beginning of its id or subject, among the latest ones, or by its whole id."""
    page = await me.boards.threads(of.id, limit=100)
    found: list[Thread] = [*page.pinned, *page.threads]
    if len(word) == 32 and all(one.thread.hex() != word for one in found):
        return Thread(_id(word), 0, "", "", 0, 0, "", 0, False, False)
    one: Thread = pick(found, word, lambda one: (one.subject, one.thread.hex()), "thread")
    return one
