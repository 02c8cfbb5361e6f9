"""A board with a hundred thousand posts beside an empty one: posting, opening threads, searching, indexing.

Measured at the services, on the disk that is chosen, with real signatures and the index at work in the
background; HTTP comes on top and costs the same as for envelopes.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import time
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

import trio
from people import Tell, Times, times

from appliance import app
from appliance.api.plain import board_pages as plain
from appliance.config import Config
from appliance.protocol import board as wire
from appliance.protocol import codec
from appliance.protocol.directory import Entry
from appliance.protocol.keys import SigningKey
from appliance.service import boards as board_service
from appliance.service.audit import Audit
from appliance.service.board_pages import BoardPages
from appliance.service.board_posts import BoardPosts
from appliance.service.board_rules import CHECKS, MOST_POSTS, WRITES, Work
from appliance.service.board_search import BoardSearch, index
from appliance.service.boards import Boards
from appliance.service.caller import Caller
from appliance.service.conduct import Conduct
from appliance.service.events import EventBook
from appliance.service.four_eyes import FourEyes
from appliance.service.logs import Logs
from appliance.store import accounts, board_index, directory, logs
from appliance.store.engine import Store, Transaction
from appliance.store.schema import open_store
from appliance.store.storekey import KeyRing, open_keys

POSTS: Final = 100_000
A_THREAD: Final = 50
FILLED_AT_ONCE: Final = 500
INDEXED_AT_ONCE: Final = 8
VOCABULARY: Final = 30_000
POSTERS: Final = 32
ROUND_POSTS: Final = 3000
ROUNDS: Final = 3
OPENINGS: Final = 2000
SEARCHES: Final = 1500
PLAIN_PAGES: Final = 300
LONGEST: Final = MOST_POSTS
FULL, EMPTY, LONG = b"F" * 16, b"E" * 16, b"L" * 16


class BoardFigures(NamedTuple):
    """What was measured; rates in posts a second."""

    posts: int
    at_empty: list[float]
    at_full: list[float]
    work_at_empty: list[float]
    """Microseconds of processor time for a post, with what is indexed meanwhile."""
    work_at_full: list[float]
    opening: Times
    listing: Times
    search: Times
    paging: Times
    """Pages anywhere in the longest thread there can be."""
    jumping: Times
    """To one post of it, with what stands before and after."""
    drawing: Times
    """A page of it as HTML."""
    indexing: float
    stored_octets: int


class _Scene:
    """The services and one author."""

    def __init__(self, store: Store, ring: KeyRing) -> None:
        # No member posts so much: what bounds him is lifted.
        config = replace(Config(), posts_minute=1 << 40)
        self.store, self.sealer = store, ring.require()
        log = Logs(store, ring, config, time.time, EventBook(store, time.time))
        audit = Audit(store, ring, config, time.time)
        conduct = Conduct(ring, config, time.time)
        four_eyes = FourEyes(store, ring, config, time.time, audit, EventBook(store, time.time))
        self.boards = Boards(store, ring, config, time.time, log, audit, four_eyes)
        self.posts = BoardPosts(store, ring, log, conduct, audit, self.boards.check_on)
        self.pages = BoardPages(store, ring, log, self.boards.check_on)
        self.search = BoardSearch(store, ring, self.boards.check_on)
        self.posts.on_posted = self.search.look
        self.key, self.onion = SigningKey(os.urandom(32)), ring.identity.public
        self.caller = Caller(b"ada".ljust(16), "ada", "owner", os.urandom(16), bytes(16))
        self.words = _words()
        self.weights = list(accumulate(1 / (at + 10) for at in range(VOCABULARY)))
        store.write_now(lambda txn: self._settle(txn, ring))

    def _settle(self, txn: Transaction, ring: KeyRing) -> None:
        entry = Entry(1, "ada", self.onion, self.key.public, 1, 1, [])
        body = codec.encode(entry)
        verifier = accounts.Verifier(bytes(16), 8, 1, bytes(32))
        row = accounts.Account(self.caller.account, "ada", "owner", 1, bytes(16), 8, 1, verifier, bytes(72))
        accounts.create(txn, ring.machine, row, 1000)
        directory.publish(txn, self.caller.account, self.key.sign("entry", body) + body, 1)

    def text(self, count: int) -> str:
        """Words as people use them: few very often, most seldom."""
        return " ".join(random.choices(self.words, cum_weights=self.weights, k=count))

    def sign(self, board: bytes, thread: bytes | None) -> tuple[bytes, wire.Submit]:
        """A post of some 40 words; its id."""
        id = os.urandom(16)
        subject = None if thread else self.text(5)
        value = wire.Post(
            v=1, id=id, board=board, sent=1, name="ada", onion=self.onion, identity=self.key.public,
            body=self.text(random.randint(5, 80)), thread=thread, subject=subject,
        )  # fmt: skip
        return id, wire.Submit(wire.write(self.key, value))

    async def begin(self, board: bytes, count: int) -> list[bytes]:
        """Threads, posted one after another."""
        found = []
        for _ in range(count):
            id, signed = self.sign(board, None)
            await self.posts.submit(self.caller, board, signed)
            found.append(id)
        return found

    def fill(self, txn: Transaction, board: bytes, signed: list[wire.Submit]) -> None:
        """Posts as the box writes them, many to a commit, without looking at their signatures."""
        author = logs.author_of(self.sealer, board, self.caller.account)
        for one in signed:
            value = wire.value_of(one.signed)
            row = board_service.require(txn, self.sealer, board)
            work = Work(self.sealer, self.caller, author, one.signed)
            CHECKS[type(value)](txn, row, value, work)
            draft = logs.Draft(value.id, 1, one.signed, author)
            number = logs.append(txn, self.sealer, board, draft, 1).number
            entry = logs.Entry(number, value.id, 1, 1, author, 0, None, one.signed)
            WRITES[type(value)](txn, row, value, work, entry)

    def index(self, txn: Transaction, batches: int) -> int:
        """Some batches of the index in one commit; 0 when all is indexed."""
        done = 0
        for _ in range(batches):
            if board_index.mark(txn, FULL).last >= logs.require(txn, FULL).last:
                break
            done += index(txn, self.sealer, FULL)
        return done

    async def grow(self, board: bytes, threads: list[bytes], count: int) -> None:
        """Posts in these threads, at random."""
        for at in range(0, count, FILLED_AT_ONCE):
            some = min(FILLED_AT_ONCE, count - at)
            signed = [self.sign(board, random.choice(threads))[1] for _ in range(some)]
            await self.store.write(partial(self.fill, board=board, signed=signed))

    async def submit(self, board: bytes, signed: list[wire.Submit]) -> float:
        """Post all of these, several at once; the seconds it took."""
        left = iter(signed)

        async def work() -> None:
            for one in left:
                await self.posts.submit(self.caller, board, one)

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(POSTERS):
                nursery.start_soon(work)
        return time.perf_counter() - began


def boards(folder: Path, count: int, tell: Tell) -> BoardFigures:
    """Fill a board and measure it."""
    sys.setswitchinterval(app.SWITCH_SECONDS)
    gc.set_threshold(*app.GARBAGE_THRESHOLDS)
    store = open_store(folder / "boards")
    try:
        ring = open_keys(folder / "boards", store)
        return trio.run(_measure, store, ring, count, tell)
    finally:
        store.close()


async def _measure(store: Store, ring: KeyRing, count: int, tell: Tell) -> BoardFigures:
    scene = _Scene(store, ring)
    async with trio.open_nursery() as nursery:
        await nursery.start(scene.store.run)
        for board in (FULL, EMPTY, LONG):
            await scene.boards.make(scene.caller, wire.NewBoard(board, "Board"))
        tell(f"a board with {count:,} posts")
        threads = await scene.begin(FULL, count // A_THREAD)
        await scene.grow(FULL, threads, count - len(threads))
        tell("indexing")
        began = time.process_time()
        while await scene.store.write(partial(scene.index, batches=INDEXED_AT_ONCE)):
            pass
        indexing = count / (time.process_time() - began)
        stored = scene.store.used_bytes()
        tell("opening and searching")
        opening = await times(lambda: _open(scene, threads), OPENINGS, 1)
        listing = await times(lambda: _list(scene), OPENINGS, 1)
        search = await times(lambda: _search(scene), SEARCHES, 1)
        tell(f"a thread of {LONGEST:,} posts")
        [thread] = await scene.begin(LONG, 1)
        await scene.grow(LONG, [thread], LONGEST - 1)
        paging = await times(lambda: _page(scene, thread), OPENINGS, 1)
        jumping = await times(lambda: _jump(scene, thread), OPENINGS, 1)
        drawing = await times(lambda: _plain(scene, thread), PLAIN_PAGES, 1)
        nursery.start_soon(scene.search.run)
        tell("posting")
        rates: dict[bytes, list[float]] = {FULL: [], EMPTY: []}
        work: dict[bytes, list[float]] = {FULL: [], EMPTY: []}
        few = await scene.begin(EMPTY, 20)
        for _ in range(ROUNDS):
            for board, places in ((EMPTY, few), (FULL, threads)):
                signed = [scene.sign(board, random.choice(places))[1] for _ in range(ROUND_POSTS)]
                before = time.process_time()
                rates[board].append(ROUND_POSTS / await scene.submit(board, signed))
                work[board].append((time.process_time() - before) * 1e6 / ROUND_POSTS)
        nursery.cancel_scope.cancel()
    return BoardFigures(
        count, rates[EMPTY], rates[FULL], work[EMPTY], work[FULL], opening, listing, search, paging, jumping,
        drawing, indexing, stored,
    )  # fmt: skip


async def _open(scene: _Scene, threads: list[bytes]) -> None:
    codec.encode(await scene.pages.posts(scene.caller, FULL, random.choice(threads)))


async def _page(scene: _Scene, thread: bytes) -> None:
    """A page at any place, forwards or backwards."""
    number = random.randrange(LONGEST)
    where = {"after": number} if random.random() < 0.5 else {"before": number + 2}
    codec.encode(await scene.pages.posts(scene.caller, LONG, thread, **where))


async def _jump(scene: _Scene, thread: bytes) -> None:
    """What a client asks for that shows one post in its place."""
    number = random.randrange(1, LONGEST)
    codec.encode(await scene.pages.posts(scene.caller, LONG, thread, after=number - 1))
    codec.encode(await scene.pages.posts(scene.caller, LONG, thread, before=number))


async def _plain(scene: _Scene, thread: bytes) -> None:
    """A page for browsers without scripts: signatures checked and Markdown rendered by the box."""
    after = random.randrange(LONGEST)
    found = await scene.pages.posts(scene.caller, LONG, thread, after, limit=plain.POSTS)
    plain.draw_posts(scene.onion, LONG, thread, found)


async def _list(scene: _Scene) -> None:
    codec.encode(await scene.pages.threads(FULL))


async def _search(scene: _Scene) -> None:
    """One to three words of those that are used, the last one not always typed to its end."""
    query = scene.text(random.randint(1, 3))
    codec.encode(await scene.search.search(query[: len(query) - random.randint(0, 2)]))


def _words() -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(random.choices(letters, k=random.randint(3, 10))) for _ in range(VOCABULARY)]
