"""Boards: what each is like, its threads by last post, the posts of each, and the versions of every post.

All of these are indexes over the board's log, which has the same id; they change in the transaction that
appends to it. What tells words or names (boards, threads) is sealed; numbers and ids are not.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from msgspec.structs import replace

from appliance.store import logs, thanks
from appliance.store.engine import Transaction
from appliance.store.schema import (
    BOARD_ACTIVITY,
    BOARD_AUTHORS,
    BOARD_DOOMED,
    BOARD_HELD,
    BOARD_INDEXED,
    BOARD_MARKS,
    BOARD_POSTINGS,
    BOARD_POSTS,
    BOARD_THREADS,
    BOARD_VERSIONS,
    BOARD_WORDS,
    BOARDS,
    prefix_end,
)
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

MOST_FRESH: Final = 16
"""Posts of a thread that wait to become rows."""
POST: Final = struct.Struct(">QH")
"""Number of the newest edit (0: none), how many there were."""

_U64: Final = struct.Struct(">Q")
_POSTS: Final = b"\0"
_OTHERS: Final = b"\1"
"""Entries of a thread that are no posts: edits, deletions, moderation."""
_PINNED: Final = b"\0"
_COMMON: Final = b"\1"
_OF_BOARD: Final = (
    BOARD_ACTIVITY,
    BOARD_THREADS,
    BOARD_VERSIONS,
    BOARD_POSTINGS,
    BOARD_WORDS,
    BOARD_INDEXED,
    BOARD_MARKS,
    BOARD_HELD,
    BOARD_AUTHORS,
)
NO_THREAD: Final = bytes(16)
"""Stands for a thread where events are counted."""


class BoardRow(Record, frozen=True):
    """A board; `most` posts, `threads` and `posts` it has now; `peers` (onion keys) may read it.

    A mirror has a `home` (onion key), was read there up to `cursor`, and counts what was `skipped` and its
    `authors`.
    """

    id: bytes
    title: str
    about: str
    days: int
    most: int
    realtime: bool
    posters: str
    karma: int
    slow: int
    order: int
    made_hour: int
    closed: bool = False
    threads: int = 0
    posts: int = 0
    peers: tuple[bytes, ...] = ()
    home: bytes | None = None
    cursor: int = 0
    skipped: int = 0
    authors: int = 0


class ThreadRow(Record, frozen=True):
    """A thread; `last` is the number of its newest post.

    Its newest posts, as long as nobody has edited them, are numbers in `fresh` and become rows together: the
    thread is written with every post anyway, and a row of its own would be another page to write.
    """

    thread: bytes
    number: int
    subject: str
    name: str
    posts: int
    last: int
    last_name: str
    last_hour: int
    pinned: bool = False
    locked: bool = False
    fresh: tuple[int, ...] = ()


class PostRow(NamedTuple):
    """A post of a thread: its number, that of its newest edit (0: none), how many edits there were."""

    number: int
    edit: int
    edits: int


_BOARDS: Final = SealedTable(BOARDS, BoardRow)
_THREADS: Final = SealedTable(BOARD_THREADS, ThreadRow)


# Boards


def save(txn: Transaction, sealer: Sealer, row: BoardRow) -> None:
    """Write a board down, new or changed."""
    _BOARDS.put(txn, sealer, row.id, row)


def find(txn: Transaction, sealer: Sealer, board: bytes) -> BoardRow | None:
    """A board, or None."""
    return _BOARDS.get(txn, sealer, board)


def list_all(txn: Transaction, sealer: Sealer) -> list[BoardRow]:
    """Every board."""
    return _BOARDS.list_all(txn, sealer)


def doom(txn: Transaction, sealer: Sealer, board: bytes) -> bool:
    """Delete a board: it is not found any more, and `sweep` takes its rows away. False when not there."""
    if not _BOARDS.delete(txn, sealer, board):
        return False
    logs.doom(txn, board)
    txn.put(BOARD_DOOMED, board, b"")
    return True


# Threads


def find_thread(txn: Transaction, sealer: Sealer, board: bytes, thread: bytes) -> ThreadRow | None:
    """A thread, or None; one that is being deleted is not there any more."""
    return _THREADS.get(txn, sealer, board + thread)


def list_threads(
    txn: Transaction, sealer: Sealer, board: bytes, before: int | None, limit: int
) -> list[ThreadRow]:
    """Threads that are not pinned, by last post, the newest first; those before a number of a last post."""
    start = board + _COMMON
    stop = prefix_end(start) if before is None else start + _U64.pack(before)
    rows = txn.range(BOARD_ACTIVITY, start, stop, True, limit)
    return _read_threads(txn, sealer, board, [thread for _, thread in rows])


def list_pinned(txn: Transaction, sealer: Sealer, board: bytes, limit: int) -> list[ThreadRow]:
    """Pinned threads by last post, the newest first."""
    start = board + _PINNED
    rows = txn.range(BOARD_ACTIVITY, start, prefix_end(start), True, limit)
    return _read_threads(txn, sealer, board, [thread for _, thread in rows])


def quietest(txn: Transaction, sealer: Sealer, board: bytes) -> ThreadRow | None:
    """The thread, not pinned, whose last post is the oldest."""
    start = board + _COMMON
    rows = list(txn.range(BOARD_ACTIVITY, start, prefix_end(start), limit=1))
    return next(iter(_read_threads(txn, sealer, board, [thread for _, thread in rows])), None)


def save_thread(
    txn: Transaction, sealer: Sealer, board: bytes, row: ThreadRow, old: ThreadRow | None
) -> None:
    """Write a thread and its place in the order; `old` is the row before. `add_post` counts a new one."""
    if old is not None:
        txn.delete(BOARD_ACTIVITY, _place(board, old))
    txn.put(BOARD_ACTIVITY, _place(board, row), row.thread)
    _THREADS.put(txn, sealer, board + row.thread, row)


def doom_thread(txn: Transaction, sealer: Sealer, board: bytes, row: ThreadRow) -> None:
    """Take a thread out of the list; `sweep` takes its entries away."""
    settle_posts(txn, board, row)
    txn.delete(BOARD_ACTIVITY, _place(board, row))
    _THREADS.delete(txn, sealer, board + row.thread)
    txn.put(BOARD_DOOMED, board + row.thread, b"")
    found = find(txn, sealer, board)
    if found is not None:
        save(txn, sealer, replace(found, threads=found.threads - 1, posts=found.posts - row.posts))


def _place(board: bytes, row: ThreadRow) -> bytes:
    return board + (_PINNED if row.pinned else _COMMON) + _U64.pack(row.last)


def _read_threads(txn: Transaction, sealer: Sealer, board: bytes, threads: list[bytes]) -> list[ThreadRow]:
    found = [find_thread(txn, sealer, board, thread) for thread in threads]
    return [row for row in found if row is not None]


# Posts


def add_post(
    txn: Transaction, sealer: Sealer, board: BoardRow, row: ThreadRow, old: ThreadRow | None
) -> None:
    """A thread has a new post, its `last`; `old` is the thread before (None: it is new), `board` as it is."""
    row = replace(row, fresh=(*row.fresh, row.last))
    if len(row.fresh) > MOST_FRESH:
        row = settle_posts(txn, board.id, row)
    save_thread(txn, sealer, board.id, row, old)
    save(txn, sealer, replace(board, threads=board.threads + (old is None), posts=board.posts + 1))


def settle_posts(txn: Transaction, board: bytes, row: ThreadRow) -> ThreadRow:
    """Give a thread's fresh posts their rows; the thread without them, to be saved."""
    for number in row.fresh:
        txn.put(BOARD_POSTS, board + row.thread + _POSTS + _U64.pack(number), POST.pack(0, 0))
    return replace(row, fresh=()) if row.fresh else row


def add_other(txn: Transaction, board: bytes, thread: bytes, number: int) -> None:
    """Note that another entry belongs to a thread and goes with it; NO_THREAD for events."""
    txn.put(BOARD_POSTS, board + thread + _OTHERS + _U64.pack(number), b"")


def find_post(txn: Transaction, board: bytes, row: ThreadRow, number: int) -> PostRow | None:
    """A post of a thread, or None."""
    if number in row.fresh:
        return PostRow(number, 0, 0)
    value = txn.get(BOARD_POSTS, board + row.thread + _POSTS + _U64.pack(number))
    return None if value is None else PostRow(number, *POST.unpack(value))


def newest_edit(txn: Transaction, board: bytes, thread: bytes, number: int) -> int:
    """The number of the newest edit of a post; 0 where there is none."""
    value = txn.get(BOARD_POSTS, board + thread + _POSTS + _U64.pack(number))
    return 0 if value is None else int(POST.unpack(value)[0])


def add_version(txn: Transaction, board: bytes, thread: bytes, post: PostRow, number: int) -> None:
    """A post that is no fresh one (`settle_posts`) has a newer version: entry `number`."""
    key = board + thread + _POSTS + _U64.pack(post.number)
    txn.put(BOARD_POSTS, key, POST.pack(number, min(post.edits + 1, 0xFFFF)))
    txn.put(BOARD_VERSIONS, board + _U64.pack(post.number) + _U64.pack(number), b"")
    add_other(txn, board, thread, number)


def versions(txn: Transaction, board: bytes, post: int, limit: int) -> list[int]:
    """Numbers of a post's edits, in order."""
    start = board + _U64.pack(post)
    return [_number(key) for key in txn.keys(BOARD_VERSIONS, start, prefix_end(start), limit)]


def list_posts(
    txn: Transaction, board: bytes, row: ThreadRow, after: int, before: int | None, limit: int
) -> list[PostRow]:
    """Posts of a thread by rising number: those after one, or the last ones before one."""
    start = board + row.thread + _POSTS
    backwards = before is not None
    stop = prefix_end(start) if before is None else start + _U64.pack(before)
    # The fresh ones are newer than all that have rows.
    fresh = [PostRow(one, 0, 0) for one in row.fresh if one > after and (before is None or one < before)]
    found = fresh[::-1][:limit] if backwards else []
    rows = txn.range(BOARD_POSTS, start + _U64.pack(after + 1), stop, backwards, limit - len(found))
    found += [PostRow(_number(key), *POST.unpack(value)) for key, value in rows]
    return found[::-1] if backwards else (found + fresh)[:limit]


def list_events(txn: Transaction, board: bytes, after: int, limit: int) -> list[int]:
    """Numbers of a board's events after one."""
    start = board + NO_THREAD + _OTHERS
    rows = txn.keys(BOARD_POSTS, start + _U64.pack(after + 1), prefix_end(start), limit)
    return [_number(key) for key in rows]


def add_held(txn: Transaction, board: bytes, number: int) -> None:
    """Note that an entry waits for a moderator."""
    txn.put(BOARD_HELD, board + _U64.pack(number), b"")


def drop_held(txn: Transaction, board: bytes, number: int) -> None:
    """Forget an entry that waited."""
    txn.delete(BOARD_HELD, board + _U64.pack(number))
    logs.drop(txn, board, number)


def list_held(txn: Transaction, board: bytes, after: int, limit: int) -> list[int]:
    """Numbers of entries that wait for a moderator, after one."""
    rows = txn.keys(BOARD_HELD, board + _U64.pack(after + 1), prefix_end(board), limit)
    return [_number(key) for key in rows]


def drop_event(txn: Transaction, board: bytes, number: int) -> None:
    """Forget an event and its entry."""
    txn.delete(BOARD_POSTS, board + NO_THREAD + _OTHERS + _U64.pack(number))
    logs.drop(txn, board, number)


def newest_posts(txn: Transaction, sealer: Sealer, board: bytes, limit: int) -> list[tuple[bytes, int]]:
    """Thread and number of the newest posts of a board, the newest first."""
    threads = list_threads(txn, sealer, board, None, limit) + list_pinned(txn, sealer, board, limit)
    found = [
        (row.thread, post.number)
        for row in threads
        for post in list_posts(txn, board, row, 0, 1 << 53, limit)
    ]
    return sorted(found, key=lambda entry: -entry[1])[:limit]


# What is being deleted


def doomed(txn: Transaction, limit: int = 16) -> list[bytes]:
    """Boards (16 octets) and threads (32) that are being deleted."""
    return list(txn.keys(BOARD_DOOMED, limit=limit))


def is_doomed(txn: Transaction, board: bytes, thread: bytes) -> bool:
    """Whether a thread is being deleted."""
    return txn.get(BOARD_DOOMED, board + thread) is not None


def sweep(txn: Transaction, whom: bytes, limit: int) -> list[int]:
    """Remove about `limit` rows of a deleted board or thread; numbers of the posts that went."""
    posts: list[int] = []
    keys = list(txn.keys(BOARD_POSTS, whom, prefix_end(whom), limit))
    board = whom[:16]
    for key in keys:
        number = _number(key)
        if key[32:33] == _POSTS:
            posts.append(number)
            for edit in versions(txn, board, number, limit):
                txn.delete(BOARD_VERSIONS, board + _U64.pack(number) + _U64.pack(edit))
        txn.delete(BOARD_POSTS, key)
        if len(whom) == 32:  # of a whole board the log goes by itself
            gone = logs.drop(txn, board, number)
            if gone is not None:
                thanks.forget(txn, board, gone.id)
    left = limit - len(keys)
    if len(whom) == 16:
        for table in _OF_BOARD:
            rows = list(txn.keys(table, whom, prefix_end(whom), max(left, 0)))
            for key in rows:
                txn.delete(table, key)
            left -= len(rows)
    if left > 0:
        txn.delete(BOARD_DOOMED, whom)
    return posts


def _number(key: bytes) -> int:
    return int(_U64.unpack(key[-8:])[0])
