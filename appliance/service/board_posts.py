"""Writing on boards: posts, edits, deletions, moderation, events, each a signed value that is checked first.

What may be written is decided in the transaction that writes it; what was written before is answered alike.
Owner: the event loop.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol.board import Deletion, Edit, Moderation, Notice, Post, Submit, Submitted, Value
from appliance.service import rights
from appliance.service.boards import require
from appliance.service.caller import Caller
from appliance.service.logs import Logs
from appliance.service.ports import Clock
from appliance.store import boards, directory, logs
from appliance.store.boards import BoardRow, PostRow, ThreadRow
from appliance.store.engine import Store
from appliance.store.logs import Draft, Entry, Head
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

MOST_POSTS: Final = 10_000
"""Posts of one thread."""
MOST_VERSIONS: Final = 100
"""Edits of one post."""
MOST_COUNTED: Final = 4096
"""Accounts whose posts of the last minute are counted."""

_POSTERS: Final = {"member": 1, "moderator": 2, "admin": 3}


@dataclass
class _Work:
    """What a value's check found, for what is written with it; the check may run again and sets it anew."""

    sealer: Sealer
    caller: Caller
    author: bytes
    signed: bytes
    found: ThreadRow | None = None
    post_row: PostRow | None = None

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
        return "<_Work>"


class BoardPosts:
    """Checks and appends. Durable."""

    def __init__(self, store: Store, ring: KeyRing, config: Config, clock: Clock, log: Logs) -> None:
        self._store = store
        self._ring = ring
        self._config = config
        self._clock = clock
        self._logs = log
        self._rate = _Rate(clock)
        self.on_posted: Callable[[bytes], None] = _nothing
        """(board): its log has grown."""

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def submit(self, caller: Caller, board: bytes, body: Submit) -> Submitted:
        """Take a signed value into a board's log.

        Refusals: locked, bad_post, unknown_version, no_board, no_thread, no_entry, old_post, board_closed,
        thread_locked, thread_full, role, too_many.
        """
        opened = wire.read(body.signed)
        if opened.vouched:
            raise Refusal("bad_post", reason="the box did not sign this now")
        return await self._take(caller, board, opened.value, body.signed)

    async def vouch(self, caller: Caller, board: bytes, value: Value) -> Submitted:
        """The same for a person without keys at hand: the box signs, and readers are told so."""
        value = replace(value, name=caller.name, onion=self._ring.identity.public, identity=None)
        return await self._take(caller, board, value, wire.write(self._ring.identity, value))

    async def _take(self, caller: Caller, board: bytes, value: Value, signed: bytes) -> Submitted:
        work = _Work(self._ring.require(), caller, self._logs.author(board, caller.account), signed)
        if (value.board, value.onion, value.name) != (board, self._ring.identity.public, caller.name):
            raise Refusal("bad_post", reason="made for another board, box or account")
        if isinstance(value, Post | Notice | Edit) and not self._is_known(board, value.id):
            self._rate.spend(caller.account, self._config.board_posts_minute)

        def check(txn: Transaction, head: Head) -> None:
            row = require(txn, work.sealer, board)
            _check_identity(txn, caller, value)
            _CHECKS[type(value)](txn, row, value, work)

        def also(txn: Transaction, entry: Entry) -> None:
            _WRITES[type(value)](txn, board, value, work, entry)

        draft = Draft(value.id, wire.entry_kind(value), signed, work.author)
        try:
            done = await self._logs.append(board, draft, check, also)
        except Refusal as refusal:
            if refusal.code != "no_log":
                raise
            raise Refusal("no_board") from refusal
        if done.fresh:
            self.on_posted(board)
        return Submitted(done.number)

    def _is_known(self, board: bytes, id: bytes) -> bool:
        return self._store.read(lambda txn: logs.number_of(txn, board, id)) is not None


class _Rate:
    """How much each account wrote within a minute; in memory, like all limits on haste."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spent: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def spend(self, account: bytes, a_minute: int) -> None:
        """Count one; Refusal too_many."""
        now = self._clock()
        since, spent = self._spent.get(account, (now, 0.0))
        spent = max(0.0, spent - (now - since) * a_minute / 60)
        if spent + 1 > a_minute:
            raise Refusal("too_many", retry_after=1 + int((spent + 1 - a_minute) * 60 / a_minute))
        self._spent[account] = (now, spent + 1)
        self._spent.move_to_end(account)
        while len(self._spent) > MOST_COUNTED:
            self._spent.popitem(last=False)


def may_post(caller: Caller, row: BoardRow) -> bool:
    """Whether an account may write on a board at all."""
    least = _POSTERS[row.posters]
    return rights.may(caller.role, "post") and rights.RANKS[caller.role] >= least


def _check_identity(txn: Transaction, caller: Caller, value: Value) -> None:
    """A value is signed under the identity that the directory has for this account."""
    if value.identity is None:
        return
    row = directory.find(txn, caller.name)
    if row.account != caller.account or row.identity != value.identity:
        raise Refusal("bad_post", reason="not the identity that the directory shows")


def _check_open(row: BoardRow, work: _Work) -> None:
    if row.closed:
        raise Refusal("board_closed")
    if not may_post(work.caller, row):
        raise Refusal("role")


def _thread(txn: Transaction, row: BoardRow, thread: bytes, work: _Work) -> ThreadRow:
    found = boards.find_thread(txn, work.sealer, row.id, thread)
    if found is None:
        raise Refusal("no_thread")
    return found


def _target(txn: Transaction, row: BoardRow, target: bytes, work: _Work) -> tuple[Entry, Post]:
    """A post that is there, its thread and its row in `work`. Refusals: no_entry, no_thread."""
    number = logs.number_of(txn, row.id, target)
    entry = None if number is None else logs.get(txn, work.sealer, row.id, number)
    if number is None or entry is None or entry.body is None:
        raise Refusal("no_entry")
    value = wire.value_of(entry.body)
    if not isinstance(value, Post):
        raise Refusal("no_entry")
    work.found = _thread(txn, row, value.thread or value.id, work)
    work.post_row = boards.find_post(txn, row.id, work.thread.thread, number)
    return entry, value


def _check_post(txn: Transaction, row: BoardRow, value: Post, work: _Work) -> None:
    _check_open(row, work)
    if value.thread is None:
        work.found = None
        return
    work.found = _thread(txn, row, value.thread, work)
    if work.thread.locked:
        raise Refusal("thread_locked")
    if work.thread.posts >= MOST_POSTS:
        raise Refusal("thread_full")


def _check_edit(txn: Transaction, row: BoardRow, value: Edit, work: _Work) -> None:
    _check_open(row, work)
    entry, post = _target(txn, row, value.target, work)
    if entry.author != work.author:
        raise Refusal("role")
    if work.thread.locked:
        raise Refusal("thread_locked")
    if value.subject is not None and post.thread is not None:
        raise Refusal("bad_post", reason="only a thread has a subject")
    if work.post.edits >= MOST_VERSIONS:
        raise Refusal("thread_full")
    newest = entry if not work.post.edit else logs.get(txn, work.sealer, row.id, work.post.edit)
    if newest is None or newest.body is None or wire.digest(newest.body) != value.previous:
        raise Refusal("old_post")


def _check_deletion(txn: Transaction, row: BoardRow, value: Deletion, work: _Work) -> None:
    entry, _ = _target(txn, row, value.target, work)
    if entry.author != work.author:
        raise Refusal("role")


def _check_moderation(txn: Transaction, row: BoardRow, value: Moderation, work: _Work) -> None:
    rights.check(work.caller, "moderate")
    if value.act == "remove":
        _target(txn, row, value.target, work)
    else:
        work.found = _thread(txn, row, value.target, work)


def _check_notice(txn: Transaction, row: BoardRow, value: Notice, work: _Work) -> None:
    _check_open(row, work)


def _write_post(txn: Transaction, board: bytes, value: Post, work: _Work, entry: Entry) -> None:
    thread = value.thread or value.id
    old = work.found
    if old is None:
        row = ThreadRow(
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
        row = replace(old, posts=old.posts + 1, last=entry.number, last_name=value.name, last_hour=entry.hour)
    boards.save_thread(txn, work.sealer, board, row, old)
    boards.add_post(txn, work.sealer, board, thread, entry.number)


def _write_edit(txn: Transaction, board: bytes, value: Edit, work: _Work, entry: Entry) -> None:
    boards.add_version(txn, board, work.thread.thread, work.post, entry.number)
    if value.subject is not None:
        row = replace(work.thread, subject=value.subject)
        boards.save_thread(txn, work.sealer, board, row, work.thread)


def _write_deletion(txn: Transaction, board: bytes, value: Deletion, work: _Work, entry: Entry) -> None:
    boards.add_other(txn, board, work.thread.thread, entry.number)
    _remove(txn, board, work, by_author=True)


def _write_moderation(txn: Transaction, board: bytes, value: Moderation, work: _Work, entry: Entry) -> None:
    thread = work.thread
    boards.add_other(txn, board, thread.thread, entry.number)
    match value.act:
        case "remove":
            _remove(txn, board, work, by_author=False)
        case "remove_thread":
            boards.doom_thread(txn, work.sealer, board, thread)
        case "pin" | "unpin":
            row = replace(thread, pinned=value.act == "pin")
            boards.save_thread(txn, work.sealer, board, row, thread)
        case "lock" | "unlock":
            row = replace(thread, locked=value.act == "lock")
            boards.save_thread(txn, work.sealer, board, row, thread)


def _write_notice(txn: Transaction, board: bytes, value: Notice, work: _Work, entry: Entry) -> None:
    boards.add_other(txn, board, boards.NO_THREAD, entry.number)


def _remove(txn: Transaction, board: bytes, work: _Work, by_author: bool) -> None:
    """Take a post's words from the disk, in all versions; a thread of which nothing else is left goes."""
    thread, post = work.thread, work.post
    for number in (post.number, *boards.versions(txn, board, post.number, MOST_VERSIONS)):
        logs.remove(txn, board, number, "author" if by_author else "moderator")
    if post.number != thread.number:
        return
    if thread.posts == 1:
        boards.doom_thread(txn, work.sealer, board, thread)
    else:
        boards.save_thread(txn, work.sealer, board, replace(thread, subject="", name=""), thread)


def _nothing(board: bytes) -> None:
    return None


_CHECKS: Final[dict[type, Callable[..., None]]] = {
    Post: _check_post,
    Edit: _check_edit,
    Deletion: _check_deletion,
    Moderation: _check_moderation,
    Notice: _check_notice,
}
_WRITES: Final[dict[type, Callable[..., None]]] = {
    Post: _write_post,
    Edit: _write_edit,
    Deletion: _write_deletion,
    Moderation: _write_moderation,
    Notice: _write_notice,
}
