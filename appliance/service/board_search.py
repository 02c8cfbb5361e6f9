"""Search: indexes what was posted in the background, and finds it. Bounded in words, results and time.

The index follows the log: it is brought up to date in batches after posts are durable, when nobody posts or
two seconds after somebody did, so posting does not wait for it; a crash loses nothing but the batch it cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import trio

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol.board import Deletion, Edit, Moderation, Post
from appliance.protocol.search import Hit, Hits
from appliance.service import words
from appliance.service.board_ranking import Query, rank
from appliance.service.board_rules import HELD
from appliance.service.boards import require
from appliance.store import board_index, boards, logs
from appliance.store.board_postings import Budget
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

MAX_QUERY: Final = 200
MAX_HITS: Final = 50
BATCH: Final = 25
"""Entries indexed in one transaction."""
QUIET_SECONDS: Final = 0.2
LONGEST_WAIT: Final = 2.0
SEARCH_SECONDS: Final = 0.25
"""A search that takes longer gives what it has."""
MOST_BLOCKS: Final = 1024
"""Blocks of postings that one search opens; one that would need more gives what it has."""
MOST_RANKED: Final = 2000
"""Of more posts that have all words, the newest are ranked."""
EXCERPT: Final = 160


class _Place(NamedTuple):
    """A post that was found on a board."""

    score: float
    board: bytes
    number: int


class BoardSearch:
    """The index and its readers. Owner of the wake: the event loop."""

    def __init__(self, store: Store, ring: KeyRing, check_on: Callable[[], None]) -> None:
        self._check_on = check_on
        self._store = store
        self._ring = ring
        self._wake = trio.Event()
        self._posted = 0.0

    def look(self, board: bytes) -> None:
        """Something was posted."""
        self._posted = trio.current_time()
        self._wake.set()

    # Indexing

    async def run(self) -> None:
        """Keep the index up to date, for ever. The box must be unlocked."""
        while True:
            began = trio.current_time()
            while await self.step():
                # As long a pause as the work took leaves the committer and the processor to those who post.
                await trio.sleep(min(0.1, trio.current_time() - began))
                await self._settle()
                began = trio.current_time()
            await self._wake.wait()
            self._wake = trio.Event()
            await self._settle()

    async def _settle(self) -> None:
        """Wait until nobody posts, but not for ever."""
        until = trio.current_time() + LONGEST_WAIT
        while trio.current_time() < min(until, self._posted + QUIET_SECONDS):
            await trio.sleep(QUIET_SECONDS)

    async def step(self) -> int:
        """Index one batch of some board; how many entries were taken, 0 when all is indexed."""
        sealer = self._ring.require()

        def find(txn: Transaction) -> bytes | None:
            for row in boards.list_all(txn, sealer):
                head = logs.find(txn, row.id)
                if head is not None and board_index.mark(txn, row.id).last < head.last:
                    return row.id
            return None

        board = await self._store.read_cold(find)
        if board is None:
            return 0
        return await self._store.write(lambda txn: index(txn, sealer, board))

    # Searching

    async def search(self, query: str, board: bytes | None = None, limit: int = 20) -> Hits:
        """Posts that have all words of a query. Refusals: locked, malformed, no_board, switched_off."""
        if not 0 < limit <= MAX_HITS or len(query) > MAX_QUERY:
            raise Refusal("malformed", field="q")
        self._check_on()
        sealer = self._ring.require()
        wanted = Query(query)

        def look(txn: Transaction) -> Hits:
            rows = boards.list_all(txn, sealer) if board is None else [require(txn, sealer, board)]
            budget = Budget(MOST_BLOCKS, time.monotonic() + SEARCH_SECONDS)
            most = max(MAX_HITS, MOST_RANKED // max(1, len(rows)))
            found: list[_Place] = []
            behind, partial = 0, False
            for row in rows:
                head = logs.find(txn, row.id)
                mark = board_index.mark(txn, row.id)
                behind += 0 if head is None else max(0, head.last - mark.last)
                if head is None or not mark.posts:
                    continue
                if budget.is_late():
                    partial = True
                    continue
                ranked = rank(txn, sealer, row.id, wanted, mark.posts, head.last, most, budget)
                found += [_Place(score, row.id, number) for number, score in ranked.scores.items()]
                partial = partial or ranked.partial
            found.sort(reverse=True)
            hits: list[Hit] = []
            for place in found:
                if len(hits) == limit:
                    break
                if budget.is_late():
                    partial = True
                    break
                hit = _hit(txn, sealer, place, wanted.words)
                if hit is not None:
                    hits.append(hit)
            return Hits(hits, behind, partial)

        return await self._store.read_cold(look)


def index(txn: Transaction, sealer: Sealer, board: bytes) -> int:
    """Take up to a batch of a log's entries into the index, in their order."""
    mark = board_index.mark(txn, board)
    span = logs.read(txn, sealer, board, after=mark.last, limit=BATCH, octets=1 << 20)
    if not span.entries:
        board_index.advance(txn, board, span.head.last)  # what was here is gone
        return 1
    fresh: dict[int, dict[str, int]] = {}
    grown = 0
    for entry in span.entries:
        waits = entry.body is None or entry.kind == HELD
        value = None if waits else wire.value_of(entry.body or b"")
        if isinstance(value, Post):
            fresh[entry.number] = words.weights(f"{value.subject or ''}\n{value.body}")
        elif isinstance(value, Edit | Deletion) or (isinstance(value, Moderation) and value.act == "remove"):
            number = logs.number_of(txn, board, value.target)
            if number is None:
                continue
            fresh.pop(number, None)
            grown -= board_index.take_out(txn, sealer, board, number)
            text = _newest(txn, sealer, board, number)
            if text is not None:
                fresh[number] = words.weights(text)
    board_index.put(txn, sealer, board, fresh)
    board_index.advance(txn, board, span.entries[-1].number, grown + len(fresh))
    return len(span.entries)


def _newest(txn: Transaction, sealer: Sealer, board: bytes, number: int) -> str | None:
    """What a post says now, its subject first; None when it was removed."""
    found = _said(txn, sealer, board, number)
    return None if found is None else f"{found[1]}\n{found[2]}"


def _said(txn: Transaction, sealer: Sealer, board: bytes, number: int) -> tuple[Post, str, str] | None:
    """The post as it was first, its subject and body as they are now; None when it is gone."""
    entry = logs.get(txn, sealer, board, number)
    if entry is None or entry.body is None:
        return None
    post = wire.value_of(entry.body)
    if not isinstance(post, Post):
        return None
    subject, body = post.subject or "", post.body
    newest = boards.newest_edit(txn, board, post.thread or post.id, number)
    if newest:
        edit = logs.get(txn, sealer, board, newest)
        value = None if edit is None or edit.body is None else wire.value_of(edit.body)
        if isinstance(value, Edit):
            subject, body = value.subject or subject, value.body
    return post, subject, body


def _hit(txn: Transaction, sealer: Sealer, place: _Place, wanted: list[str]) -> Hit | None:
    found = _said(txn, sealer, place.board, place.number)
    if found is None:
        return None
    post, _, body = found
    row = boards.find_thread(txn, sealer, place.board, post.thread or post.id)
    hour = logs.hour_of(txn, place.board, place.number)
    if row is None or hour is None:
        return None
    return Hit(
        board=place.board,
        thread=row.thread,
        id=post.id,
        number=place.number,
        subject=row.subject,
        name=post.name,
        hour=hour,
        excerpt=excerpt(body, wanted),
    )


def excerpt(body: str, wanted: list[str]) -> str:
    """Some words of a post around the first that was sought."""
    text = " ".join(body[:4096].split())
    plain = text.casefold()
    at = min((found for word in wanted if (found := plain.find(word)) >= 0), default=0)
    start = max(0, min(at, len(text)) - EXCERPT // 3)
    if start:
        start = text.find(" ", start) + 1 or start
    end = start + EXCERPT
    return ("… " if start else "") + text[start:end] + (" …" if end < len(text) else "")
