"""The rules of boards: what may be written there, and which rows go with it. Run in the committer.

`CHECKS` looks at a signed value before it is appended, `WRITES` changes the indexes after; both by its type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol.board import Deletion, Edit, Moderation, Notice, Post, Value
from appliance.service import rights
from appliance.service.caller import Caller
from appliance.store import boards, directory, logs
from appliance.store.boards import BoardRow, PostRow, ThreadRow
from appliance.store.logs import Draft, Entry
from appliance.store.storekey import Sealer
from appliance.store.transaction import Transaction

HELD: Final = 6
"""The kind of an entry that waits for a moderator; what it is stands in its body."""
MOST_POSTS: Final = 10_000
"""Posts of one thread."""
MOST_VERSIONS: Final = 100
"""Edits of one post."""

_POSTERS: Final = {"member": 1, "moderator": 2, "admin": 3}


@dataclass
class Work:
    """What a value's check found, for what is written with it; the check may run again and sets it anew."""

    sealer: Sealer
    caller: Caller
    author: bytes
    signed: bytes
    row: BoardRow | None = None
    found: ThreadRow | None = None
    post_row: PostRow | None = None
    held: Entry | None = None
    """The held entry that it is about."""

    @property
    def board(self) -> BoardRow:
        """The board it is for. Refusal no_board."""
        if self.row is None:
            raise Refusal("no_board")
        return self.row

    @property
    def thread(self) -> ThreadRow:
        """The thread it is about. Refusal no_thread."""
        if self.found is None:
            raise Refusal("no_thread")
        return self.found

    @property
    def post(self) -> PostRow:
        """The post it is about. Refusal no_entry."""
        if self.post_row is None:
            raise Refusal("no_entry")
        return self.post_row

    def __repr__(self) -> str:
        return "<Work>"


def may_post(caller: Caller, row: BoardRow | wire.Board) -> bool:
    """Whether an account may write on a board at all."""
    least = _POSTERS[row.posters]
    return rights.may(caller.role, "post") and rights.RANKS[caller.role] >= least


def check_identity(txn: Transaction, caller: Caller, value: Value) -> None:
    """A value is signed under the identity that the directory has for this account."""
    if value.identity is None:
        return
    row = directory.find(txn, caller.name)
    if row.account != caller.account or row.identity != value.identity:
        raise Refusal("bad_post", reason="not the identity that the directory shows")


def _check_open(row: BoardRow, work: Work) -> None:
    if row.closed:
        raise Refusal("board_closed")
    if not may_post(work.caller, row):
        raise Refusal("role")


def _thread(txn: Transaction, row: BoardRow, thread: bytes, work: Work) -> ThreadRow:
    found = boards.find_thread(txn, work.sealer, row.id, thread)
    if found is None:
        raise Refusal("no_thread")
    return found


def _target(txn: Transaction, row: BoardRow, target: bytes, work: Work) -> tuple[Entry, Post]:
    """A post that is there, its thread and its row in `work`. Refusals: no_entry, no_thread."""
    number = logs.number_of(txn, row.id, target)
    entry = None if number is None else logs.get(txn, work.sealer, row.id, number)
    if number is None or entry is None or entry.body is None:
        raise Refusal("no_entry")
    value = wire.value_of(entry.body)
    if not isinstance(value, Post) or entry.kind == HELD:
        raise Refusal("no_entry")
    work.found = _thread(txn, row, value.thread or value.id, work)
    work.post_row = boards.find_post(txn, row.id, work.thread, number)
    return entry, value


def _check_post(txn: Transaction, row: BoardRow, value: Post, work: Work) -> None:
    _check_open(row, work)
    if value.thread is None:
        work.found = None
        return
    work.found = _thread(txn, row, value.thread, work)
    if work.thread.locked:
        raise Refusal("thread_locked")
    if work.thread.posts >= MOST_POSTS:
        raise Refusal("thread_full")


def _check_edit(txn: Transaction, row: BoardRow, value: Edit, work: Work) -> None:
    _check_open(row, work)
    entry, post = _target(txn, row, value.target, work)
    if entry.author != work.author:
        raise Refusal("role")
    if value.identity != post.identity:
        # Readers would take it for a forgery: a post is changed by the hand that signed it, or the box's.
        raise Refusal("bad_post", reason="signed by another hand than the post")
    if work.thread.locked:
        raise Refusal("thread_locked")
    if value.subject is not None and post.thread is not None:
        raise Refusal("bad_post", reason="only a thread has a subject")
    if work.post.edits >= MOST_VERSIONS:
        raise Refusal("thread_full")
    newest = entry if not work.post.edit else logs.get(txn, work.sealer, row.id, work.post.edit)
    if newest is None or newest.body is None or wire.digest(newest.body) != value.previous:
        raise Refusal("old_post")


def _held(txn: Transaction, row: BoardRow, target: bytes, work: Work) -> Entry | None:
    """The held entry of this id, also in `work`; None when it is none."""
    number = logs.number_of(txn, row.id, target)
    entry = None if number is None else logs.get(txn, work.sealer, row.id, number)
    work.held = entry if entry is not None and entry.kind == HELD and entry.body is not None else None
    return work.held


def _check_deletion(txn: Transaction, row: BoardRow, value: Deletion, work: Work) -> None:
    entry = _held(txn, row, value.target, work)
    if entry is None:
        entry, _ = _target(txn, row, value.target, work)
    if entry.author != work.author:
        raise Refusal("role")


def _check_moderation(txn: Transaction, row: BoardRow, value: Moderation, work: Work) -> None:
    rights.check(work.caller, "moderate")
    if value.act in ("remove", "release") and _held(txn, row, value.target, work) is not None:
        return
    if value.act == "release":
        raise Refusal("no_entry")
    if value.act == "remove":
        _target(txn, row, value.target, work)
    else:
        work.found = _thread(txn, row, value.target, work)


def _check_notice(txn: Transaction, row: BoardRow, value: Notice, work: Work) -> None:
    _check_open(row, work)


def _write_post(txn: Transaction, row: BoardRow, value: Post, work: Work, entry: Entry) -> None:
    thread = value.thread or value.id
    old = work.found
    if old is None:
        thread_row = ThreadRow(
            thread=thread,
            number=entry.number,
            subject=value.subject or "",
            name=value.name,
            posts=1,
            last=entry.number,
            last_name=value.name,
            last_hour=entry.hour,
        )
    else:
        thread_row = replace(
            old, posts=old.posts + 1, last=entry.number, last_name=value.name, last_hour=entry.hour
        )
    boards.add_post(txn, work.sealer, row, thread_row, old)


def _write_edit(txn: Transaction, row: BoardRow, value: Edit, work: Work, entry: Entry) -> None:
    thread_row = boards.settle_posts(txn, row.id, work.thread)
    if value.subject is not None:
        thread_row = replace(thread_row, subject=value.subject)
    if thread_row != work.thread:
        boards.save_thread(txn, work.sealer, row.id, thread_row, work.thread)
    boards.add_version(txn, row.id, thread_row.thread, work.post, entry.number)


def _write_deletion(txn: Transaction, row: BoardRow, value: Deletion, work: Work, entry: Entry) -> None:
    if work.held is not None:
        _drop_held(txn, row.id, work.held, entry)
        return
    stays = _remove(txn, row.id, work, by_author=True)
    boards.add_other(txn, row.id, work.thread.thread if stays else boards.NO_THREAD, entry.number)


def _write_moderation(txn: Transaction, row: BoardRow, value: Moderation, work: Work, entry: Entry) -> None:
    if work.held is not None:
        _drop_held(txn, row.id, work.held, entry)
        if value.act == "release":
            _let_through(txn, row, work.held, work, entry)
        return
    thread, stays = work.thread, True
    match value.act:
        case "remove":
            stays = _remove(txn, row.id, work, by_author=False)
        case "remove_thread":
            boards.doom_thread(txn, work.sealer, row.id, thread)
            stays = False
        case "pin" | "unpin":
            pinned = replace(thread, pinned=value.act == "pin")
            boards.save_thread(txn, work.sealer, row.id, pinned, thread)
        case "lock" | "unlock":
            locked = replace(thread, locked=value.act == "lock")
            boards.save_thread(txn, work.sealer, row.id, locked, thread)
        case _:
            raise Refusal("no_entry")
    boards.add_other(txn, row.id, thread.thread if stays else boards.NO_THREAD, entry.number)


def _drop_held(txn: Transaction, board: bytes, held: Entry, entry: Entry) -> None:
    """A held entry waits no longer; what was done with it is kept as long as events are."""
    boards.drop_held(txn, board, held.number)
    boards.add_other(txn, board, boards.NO_THREAD, entry.number)


def _let_through(txn: Transaction, row: BoardRow, held: Entry, work: Work, entry: Entry) -> None:
    """Post it now as its author did: a new number, so nobody who reads on misses it."""
    signed = held.body or b""
    value = wire.value_of(signed)
    theirs = Work(work.sealer, work.caller, held.author, signed)
    CHECKS[type(value)](txn, row, value, theirs)
    draft = Draft(held.id, wire.entry_kind(value), signed, held.author)
    number = logs.append(txn, work.sealer, row.id, draft, entry.hour).number
    posted = Entry(number, held.id, draft.kind, entry.hour, held.author, 0, None, signed)
    WRITES[type(value)](txn, row, value, theirs, posted)


def _write_notice(txn: Transaction, row: BoardRow, value: Notice, work: Work, entry: Entry) -> None:
    boards.add_other(txn, row.id, boards.NO_THREAD, entry.number)


def _remove(txn: Transaction, board: bytes, work: Work, by_author: bool) -> bool:
    """Take a post's words from the disk, in all versions; a thread of which nothing else is left goes.

    Whether the thread stays: what took a thread away must be read by peers after its entries are gone, so it
    is kept as long as events are.
    """
    thread, post = work.thread, work.post
    for number in (post.number, *boards.versions(txn, board, post.number, MOST_VERSIONS)):
        logs.remove(txn, board, number, "author" if by_author else "moderator")
    if post.number != thread.number:
        return True
    if thread.posts == 1:
        boards.doom_thread(txn, work.sealer, board, thread)
        return False
    boards.save_thread(txn, work.sealer, board, replace(thread, subject="", name=""), thread)
    return True


CHECKS: Final[dict[type, Callable[..., None]]] = {
    Post: _check_post,
    Edit: _check_edit,
    Deletion: _check_deletion,
    Moderation: _check_moderation,
    Notice: _check_notice,
}
WRITES: Final[dict[type, Callable[..., None]]] = {
    Post: _write_post,
    Edit: _write_edit,
    Deletion: _write_deletion,
    Moderation: _write_moderation,
    Notice: _write_notice,
}
