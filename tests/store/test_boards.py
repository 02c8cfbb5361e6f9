"""Posts of a thread: fresh ones in the thread's row and older ones in rows of their own read as one list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from appliance.protocol import codec
from appliance.store import boards
from appliance.store.boards import MOST_FRESH, BoardRow, PostRow, ThreadRow
from appliance.store.engine import Store
from appliance.store.schema import (
    BOARD_POSTS,
    BOARD_THREADS,
    BOARD_VERSIONS,
    BOARDS,
    META,
    VERSION,
    open_store,
)
from appliance.store.storekey import Sealer
from appliance.store.transaction import Transaction

BOARD, THREAD = b"B" * 16, b"T" * 16


class Thread:
    """One thread on one board, written as the rules of boards write it; `posts` is what must be there."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self.store = store
        self.sealer = sealer
        self.posts: dict[int, tuple[int, int]] = {}
        self.last = 0
        store.write_now(lambda txn: boards.save(txn, sealer, _board()))

    def row(self, txn: Transaction) -> ThreadRow:
        found = boards.find_thread(txn, self.sealer, BOARD, THREAD)
        assert found is not None
        return found

    def post(self) -> None:
        self.last += 1
        number, first = self.last, not self.posts

        def job(txn: Transaction) -> None:
            board = boards.find(txn, self.sealer, BOARD)
            assert board is not None
            old = None if first else self.row(txn)
            new = ThreadRow(THREAD, number, "s", "ada", 0, 0, "ada", 1) if old is None else old
            changes = {"posts": new.posts + 1, "last": number}
            boards.add_post(txn, self.sealer, board, replace(new, **changes), old)

        self.store.write_now(job)
        self.posts[number] = (0, 0)

    def edit(self, number: int) -> None:
        self.last += 1

        def job(txn: Transaction) -> None:
            old = self.row(txn)
            post = boards.find_post(txn, BOARD, old, number)
            assert post == PostRow(number, *self.posts[number])
            boards.save_thread(txn, self.sealer, BOARD, boards.settle_posts(txn, BOARD, old), old)
            boards.add_version(txn, BOARD, THREAD, post, self.last)

        self.store.write_now(job)
        self.posts[number] = (self.last, self.posts[number][1] + 1)

    def list(self, after: int, before: int | None, limit: int) -> list[PostRow]:
        return self.store.read(lambda txn: boards.list_posts(txn, BOARD, self.row(txn), after, before, limit))

    def right(self, after: int, before: int | None, limit: int) -> list[PostRow]:
        """What `list` must give."""
        numbers = [one for one in self.posts if one > after and (before is None or one < before)]
        numbers = numbers[:limit] if before is None else numbers[-limit:]
        return [PostRow(number, *self.posts[number]) for number in numbers]

    def check(self) -> None:
        """Every post is there, with its edits, and the counts are right."""
        assert self.list(0, None, 1000) == self.right(0, None, 1000)
        board = self.store.read(lambda txn: boards.find(txn, self.sealer, BOARD))
        assert board is not None and (board.threads, board.posts) == (1, len(self.posts))
        for number, (edit, _) in self.posts.items():
            assert self.store.read(lambda txn, n=number: boards.newest_edit(txn, BOARD, THREAD, n)) == edit


def _board() -> BoardRow:
    return BoardRow(BOARD, "t", "", 90, 1000, True, "member", 0, 0, 0, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "boards"


@pytest.fixture
def thread(folder: Path, sealer: Sealer) -> Iterator[Thread]:
    store = open_store(folder)
    yield Thread(store, sealer)
    store.close()


steps = st.lists(st.none() | st.integers(0, 60), min_size=1, max_size=60)
pages = st.tuples(st.integers(0, 80), st.none() | st.integers(0, 80), st.integers(1, 30))


@given(steps=steps, pages=st.lists(pages, min_size=1, max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_page_of_any_thread(
    thread: Thread, steps: list[int | None], pages: list[tuple[int, int | None, int]]
) -> None:
    """Posts (None) and edits of them in any order."""
    thread.store.write_now(_clear)
    thread = Thread(thread.store, thread.sealer)
    thread.post()
    for step in steps:
        if step is None:
            thread.post()
        else:
            thread.edit(list(thread.posts)[step % len(thread.posts)])
    thread.check()
    for page in pages:
        assert thread.list(*page) == thread.right(*page), page


def _clear(txn: Transaction) -> None:
    for table in (BOARD_POSTS, BOARD_THREADS, BOARD_VERSIONS):
        for key in list(txn.keys(table)):
            txn.delete(table, key)


def test_posts_become_rows_many_at_a_time(thread: Thread) -> None:
    counts = []
    for _ in range(2 * MOST_FRESH + 5):
        thread.post()
        counts.append(thread.store.read(lambda txn: txn.count(BOARD_POSTS)))
    assert set(counts) == {0, MOST_FRESH + 1, 2 * (MOST_FRESH + 1)}
    thread.check()


def test_a_deleted_thread_leaves_no_post(thread: Thread) -> None:
    for _ in range(MOST_FRESH + 7):
        thread.post()
    thread.edit(2)
    thread.post()

    def job(txn: Transaction) -> list[int]:
        boards.doom_thread(txn, thread.sealer, BOARD, thread.row(txn))
        return boards.sweep(txn, BOARD + THREAD, 1000)

    assert thread.store.write_now(job) == list(thread.posts)
    counts = [
        thread.store.read(lambda txn, t=t: txn.count(t)) for t in (BOARD_POSTS, BOARD_THREADS, BOARD_VERSIONS)
    ]
    assert counts == [0, 0, 0]


def test_threads_of_version_3_go_on(folder: Path, sealer: Sealer) -> None:
    """There every post had its row."""
    store = open_store(folder)
    thread = Thread(store, sealer)
    for _ in range(5):
        thread.post()
    thread.edit(3)  # gives all of them their rows

    def age(txn: Transaction) -> None:
        assert not thread.row(txn).fresh
        txn.put(META, b"schema", (3).to_bytes(4, "big"))

    store.write_now(age)
    store.close()
    thread.store = store = open_store(folder)
    assert (folder / "store.v3.mdb").exists()
    assert store.read(lambda txn: txn.get(META, b"schema")) == VERSION.to_bytes(4, "big")
    thread.check()
    for _ in range(MOST_FRESH + 3):
        thread.post()
    thread.edit(1)
    thread.post()
    thread.check()
    store.close()


def test_a_board_of_an_older_version_has_no_peers(tmp_path: Path) -> None:
    store, sealer = open_store(tmp_path), Sealer(bytes(32))
    fields = structs.asdict(_board()) | {"room": b"r" * 16}
    fields.pop("peers")

    def job(txn: Transaction) -> None:
        txn.put(BOARDS, BOARD, sealer.seal(BOARDS, BOARD, codec.encode(fields)))

    store.write_now(job)
    assert store.read(lambda txn: boards.find(txn, sealer, BOARD)) == _board()
    store.close()
