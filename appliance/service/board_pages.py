"""Reading boards: pages of threads and posts, versions, events; with cursors both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol.board import Posts, PostView, Threads, Versions
from appliance.service import authors, rights
from appliance.service.board_rules import HELD
from appliance.service.boards import require
from appliance.service.caller import Caller
from appliance.service.logs import Logs
from appliance.store import boards, logs
from appliance.store.boards import PostRow, ThreadRow
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

MOST_THREADS: Final = 100
MOST_PINNED: Final = 50
MOST_POSTS: Final = 100
MOST_EVENTS: Final = 256
MOST_HELD: Final = 500
"""Waiting entries that are looked through for one answer."""
PAGE_OCTETS: Final = 1 << 20
"""Octets of signed posts in one answer; the first is there whatever its size."""


class BoardPages:
    """Reads only; every method refuses `locked`, `switched_off` and `no_board`."""

    def __init__(self, store: Store, ring: KeyRing, log: Logs, check_on: Callable[[], None]) -> None:
        self._check_on = check_on
        self._store = store
        self._ring = ring
        self._logs = log

    async def threads(self, board: bytes, before: int | None = None, limit: int = 50) -> Threads:
        """Threads by their newest post, those before the number of one; pinned ones beside the first page."""
        _check_limit(limit, MOST_THREADS)
        self._check_on()
        sealer = self._ring.require()

        def look(txn: Transaction) -> Threads:
            require(txn, sealer, board)
            rows = boards.list_threads(txn, sealer, board, before, limit + 1)
            pinned = [] if before is not None else boards.list_pinned(txn, sealer, board, MOST_PINNED)
            shown = [_thread(row) for row in rows[:limit]]
            last = logs.require(txn, board).last
            return Threads(board, [_thread(row) for row in pinned], shown, len(rows) > limit, last)

        return await self._store.read_cold(look)

    async def posts(
        self,
        caller: Caller,
        board: bytes,
        thread: bytes,
        after: int = 0,
        before: int | None = None,
        limit: int = 50,
    ) -> Posts:
        """Posts of a thread after a number, or the last ones before one. Refusal no_thread."""
        _check_limit(limit, MOST_POSTS)
        self._check_on()
        sealer, author = self._ring.require(), self._logs.author(board, caller.account)

        def look(txn: Transaction) -> Posts:
            row = require(txn, sealer, board)
            found = boards.find_thread(txn, sealer, board, thread)
            if found is None:
                raise Refusal("no_thread")
            rows = boards.list_posts(txn, board, found, after, before, limit + 1)
            more = len(rows) > limit
            kept = rows[:limit] if before is None else rows[-limit:]
            shown = _shown(txn, sealer, board, kept, author, before is not None)
            entries = authors.signed_entries(txn, sealer, row, shown.by_author.values())
            return Posts(board, _thread(found), shown.views, more or shown.cut, entries)

        return await self._store.read_cold(look)

    async def versions(self, board: bytes, post: bytes) -> Versions:
        """All that a post has said, in order. Refusal no_entry."""
        self._check_on()
        sealer = self._ring.require()

        def look(txn: Transaction) -> Versions:
            row = require(txn, sealer, board)
            number = logs.number_of(txn, board, post)
            first = logs.find_entry(txn, board, post)
            if number is None or first is None or first.kind == HELD:
                raise Refusal("no_entry")
            numbers = [number, *boards.versions(txn, board, number, MOST_POSTS)]
            entries = [logs.get(txn, sealer, board, one) for one in numbers]
            found = [entry.body for entry in entries if entry is not None and entry.body is not None]
            if not found:
                raise Refusal("no_entry")
            value = wire.value_of(found[0])
            thread = value.thread if isinstance(value, wire.Post) else None
            return Versions(thread or post, number, found, authors.signed_entries(txn, sealer, row, found))

        return await self._store.read_cold(look)

    async def held(self, caller: Caller, board: bytes, after: int = 0, limit: int = 50) -> wire.Held:
        """Entries that wait for a moderator: for moderators all, for others their own."""
        _check_limit(limit, MOST_POSTS)
        self._check_on()
        sealer, author = self._ring.require(), self._logs.author(board, caller.account)
        sees_all = rights.may(caller.role, "moderate")

        def look(txn: Transaction) -> wire.Held:
            row = require(txn, sealer, board)
            numbers = boards.list_held(txn, board, after, MOST_HELD)
            entries = [logs.get(txn, sealer, board, number) for number in numbers]
            found = [
                wire.HeldEntry(entry.number, entry.id, entry.hour, entry.body, entry.author == author)
                for entry in entries
                if entry is not None and entry.body is not None and (sees_all or entry.author == author)
            ]
            shown = found[:limit]
            return wire.Held(
                shown,
                len(found) > limit,
                authors.signed_entries(txn, sealer, row, [one.signed for one in shown]),
            )

        return await self._store.read_cold(look)

    async def events(self, board: bytes, after: int = 0, limit: int = 100) -> wire.Notices:
        """Events of a board after a number."""
        _check_limit(limit, MOST_EVENTS)
        self._check_on()
        sealer = self._ring.require()

        def look(txn: Transaction) -> wire.Notices:
            row = require(txn, sealer, board)
            numbers = boards.list_events(txn, board, after, limit + 1)
            entries = [logs.get(txn, sealer, board, number) for number in numbers[:limit]]
            found = [
                wire.NumberedNotice(entry.number, entry.body)
                for entry in entries
                if entry is not None and entry.body is not None
            ]
            last = logs.require(txn, board).last
            signed = [one.signed for one in found]
            return wire.Notices(
                found, last, len(numbers) > limit, authors.signed_entries(txn, sealer, row, signed)
            )

        return await self._store.read_cold(look)


def _check_limit(limit: int, most: int) -> None:
    if not 0 < limit <= most:
        raise Refusal("malformed", field="limit")


def _thread(row: ThreadRow) -> wire.Thread:
    return wire.Thread(
        thread=row.thread,
        number=row.number,
        subject=row.subject,
        name=row.name,
        posts=row.posts,
        last=row.last,
        last_name=row.last_name,
        last_hour=row.last_hour,
        pinned=row.pinned,
        locked=row.locked,
    )


class _Shown(NamedTuple):
    """Posts as they stand; one signed value of each who wrote; whether some were left out."""

    views: list[PostView]
    by_author: dict[bytes, bytes]
    cut: bool


def _shown(
    txn: Transaction, sealer: Sealer, board: bytes, rows: list[PostRow], author: bytes, backwards: bool
) -> _Shown:
    """Posts as far as they fit one answer. Edits are by those who wrote the post."""
    views: list[PostView] = []
    by_author: dict[bytes, bytes] = {}
    octets = PAGE_OCTETS
    cut = False
    for row in reversed(rows) if backwards else rows:
        entry = logs.get(txn, sealer, board, row.number)
        if entry is None:
            continue
        edit = logs.get(txn, sealer, board, row.edit) if row.edit else None
        view = PostView(
            number=row.number,
            id=entry.id,
            hour=entry.hour,
            post=entry.body,
            edit=None if edit is None or entry.body is None else edit.body,
            edits=row.edits,
            own=entry.author == author,
            removed=entry.removed,
        )
        octets -= len(view.post or b"") + len(view.edit or b"")
        if views and octets < 0:
            cut = True
            break
        views.append(view)
        if entry.body is not None:
            by_author.setdefault(entry.author, entry.body)
    return _Shown(views[::-1] if backwards else views, by_author, cut)
