"""What a mirror makes of its home's pages: the same board, nothing forged, nothing lost with the power."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol.board_reading import identities, verified
from appliance.protocol.keys import SigningKey
from appliance.protocol.room import RoomEntry, RoomPage
from appliance.service import mirroring
from appliance.store import board_authors, boards, logs
from appliance.store.boards import BoardRow
from tests.boards import BOARD, BoardHouse
from tests.service.test_rooms import Home, home  # noqa: F401 (a fixture)
from tests.services import opened, refused


@dataclass
class Copy:
    """A mirror of the board of `home`, in a box of its own."""

    box: BoardHouse
    home: Home

    @property
    def onion(self) -> bytes:
        return self.home.box.house.ring.identity.public

    @property
    def row(self) -> BoardRow:
        sealer = self.box.house.ring.require()
        found = self.box.house.store.read(lambda txn: boards.find(txn, sealer, BOARD))
        assert found is not None
        return found

    async def take(self, page: RoomPage, after: int) -> None:
        checked = mirroring.check(page, self.onion, BOARD, after)
        house = self.box.house
        sealer = house.ring.require()

        def job(txn: Any) -> None:
            row = boards.find(txn, sealer, BOARD)
            assert row is not None
            mirroring.take(txn, sealer, row, checked, house.clock.hour)

        await house.store.write(job)

    async def pull(self, limit: int = 2) -> None:
        """Everything that is new at the home."""
        more = True
        while more:
            after = self.row.cursor
            page = await self.home.fetch(after=after, limit=limit)
            await self.take(page, after)
            more = page.more


@pytest.fixture
async def mirror(home: Home, tmp_path: Path) -> AsyncIterator[Copy]:  # noqa: F811
    async with opened(tmp_path / "mirror", home.box.house.clock) as house:
        box = BoardHouse(house)
        ben = await box.author("ben", "owner")
        onion = home.box.house.ring.identity.public
        await box.boards.make(ben.caller, wire.NewBoard(BOARD, "Garden"), onion)
        yield Copy(box, home)


async def shown(box: BoardHouse, onion: bytes) -> list[tuple[Any, ...]]:
    """A board as its readers see it: threads in order with their posts, verified, without numbers."""
    reader = (await box.author(os.urandom(4).hex())).caller
    found: list[tuple[Any, ...]] = []
    page = await box.pages.threads(BOARD, limit=100)
    for thread in (*page.pinned, *page.threads):
        posts = await box.pages.posts(reader, BOARD, thread.thread, limit=100)
        known = identities(posts.authors, onion)
        words = [
            (one.name, one.body, one.subject, one.reply, one.edits, one.removed, one.proof)
            for one in (verified(view, onion, BOARD, thread.thread, known) for view in posts.posts)
        ]
        found.append((thread.thread, thread.subject, thread.name, thread.pinned, thread.locked, words))
    return found


@contextmanager
def unchanged(mirror: Copy) -> Iterator[None]:
    before = mirror.row
    yield
    assert mirror.row == before


async def test_a_mirror_shows_what_the_home_shows(mirror: Copy) -> None:
    home, box = mirror.home, mirror.home.box  # noqa: F811
    first = await box.post(home.ada, "one", subject="First")
    await box.post(home.owner, "an answer", first)
    second = await box.post(home.ada, "two", subject="Second")
    await mirror.pull()
    assert await shown(mirror.box, mirror.onion) == await shown(box, mirror.onion)
    await box.edit(home.ada, first, "better", subject="Best")
    await box.moderate(home.owner, first, "pin")
    await box.moderate(home.owner, first, "lock")
    spam = await box.post(home.ada, "spam", second)
    await mirror.pull()
    await box.moderate(home.owner, spam, "remove")
    await mirror.pull()
    after = await shown(mirror.box, mirror.onion)
    assert after == await shown(box, mirror.onion)
    assert after[0][1:5] == ("Best", "ada", True, True) and after[1][5][1][5] == "moderator"
    await box.moderate(home.owner, first, "remove_thread")
    await box.delete(home.ada, second)
    await box.sweep()
    await mirror.pull()
    assert await shown(mirror.box, mirror.onion) == await shown(box, mirror.onion)
    assert mirror.row.skipped == 0


async def test_words_that_were_removed_are_gone_from_the_mirror_too(mirror: Copy) -> None:
    home, box = mirror.home, mirror.home.box  # noqa: F811
    thread = await box.post(home.ada, "first")
    post = await box.post(home.ada, "a secret", thread)
    await box.edit(home.ada, post, "another secret")
    await mirror.pull()
    await box.delete(home.ada, post)
    await mirror.pull()
    house = mirror.box.house
    sealer = house.ring.require()
    bodies = house.store.read(lambda txn: logs.read(txn, sealer, BOARD, limit=99, octets=1 << 20)).entries
    assert not [one for one in bodies if one.body is not None and b"secret" in one.body]


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_was_done_and_whenever_it_was_read(mirror: Copy, seed: int) -> None:
    """Random acts at the home, read at random moments in pages of random size."""
    chance = random.Random(seed)
    home, box = mirror.home, mirror.home.box  # noqa: F811
    threads: list[bytes] = []
    posts: list[bytes] = []
    acts: list[Callable[[], Any]] = [
        lambda: box.post(home.ada, f"word{chance.random()}", chance.choice(threads)),
        lambda: box.edit(home.ada, chance.choice(posts), f"edit{chance.random()}"),
        lambda: box.delete(home.ada, chance.choice(posts)),
        lambda: box.moderate(home.owner, chance.choice(posts), "remove"),
        lambda: box.moderate(
            home.owner,
            chance.choice(threads),
            chance.choice(["pin", "unpin", "lock", "unlock", "remove_thread"]),  # type: ignore[arg-type]
        ),
    ]
    for _ in range(60):
        home.box.house.clock.now += 600
        if len(threads) < 2 or chance.random() < 0.1:
            threads.append(await box.post(home.ada, "begin", subject=f"Subject {chance.random()}"))
            posts.append(threads[-1])
        try:
            done = await chance.choice(acts)()
            posts += [done] if done else []
        except Refusal:
            pass
        if chance.random() < 0.2:
            await box.sweep()
        if chance.random() < 0.3:
            await mirror.pull(chance.randrange(1, 9))
    await mirror.pull(chance.randrange(1, 9))
    assert mirror.row.skipped == 0
    theirs, ours = await shown(box, mirror.onion), await shown(mirror.box, mirror.onion)
    assert readable(ours) == readable(theirs) and readable(theirs)


def readable(threads: list[tuple[Any, ...]]) -> dict[bytes, tuple[Any, ...]]:
    """What can be read of a board: what was removed before a mirror read it leaves no gap there, and a thread
    that lost its first post so is known by its id alone."""
    found = {}
    for id, subject, name, pinned, locked, posts in threads:
        words = [one for one in posts if not one[5]]
        if words:
            found[id] = (words, (subject, name, pinned, locked) if subject else None)
    return found


async def test_the_cursor_and_what_was_read_are_one_commit(mirror: Copy) -> None:
    home, box = mirror.home, mirror.home.box  # noqa: F811
    thread = await box.post(home.ada, "one")
    await box.post(home.ada, "two", thread)
    page = await home.fetch(limit=1)
    checked = mirroring.check(page, mirror.onion, BOARD, 0)
    house = mirror.box.house
    sealer = house.ring.require()

    def job(txn: Any) -> None:
        mirroring.take(txn, sealer, mirror.row, checked, 1)
        raise RuntimeError("the power goes")

    with unchanged(mirror):
        with pytest.raises(RuntimeError):
            await house.store.write(job)
        assert (await mirror.box.pages.threads(BOARD)).threads == []
    # A page that was written, and asked for again, changes nothing but the cursor.
    await mirror.take(page, 0)
    before = mirror.row
    await mirror.take(page, 0)
    assert mirror.row == before
    await mirror.pull()
    assert await shown(mirror.box, mirror.onion) == await shown(box, mirror.onion)


async def test_what_is_forged_is_passed_over_and_counted(mirror: Copy) -> None:
    home, box = mirror.home, mirror.home.box  # noqa: F811
    thread = await box.post(home.ada, "one")
    page = await home.fetch()
    (good,) = page.entries
    assert good.signed is not None
    eve = SigningKey(b"e" * 32)
    common = {"v": 1, "board": BOARD, "sent": 1, "name": "ada", "onion": mirror.onion, "identity": eve.public}

    def entry(number: int, key: SigningKey = eve, id: bytes = b"", **fields: Any) -> RoomEntry:
        id = id or os.urandom(16)
        value = wire.Post(**{**common, "id": id, "body": "b", "subject": "s", **fields})
        return RoomEntry(number, id, 1, wire.write(key, value), None)

    ada = {"identity": home.ada.key.public}
    forged = [
        entry(2),  # another identity than the directory's
        entry(3, home.ada.key, board=b"Z" * 16, **ada),  # of another board
        entry(4, home.ada.key, onion=eve.public, **ada),  # of another box
        entry(5, eve, identity=None, onion=eve.public),  # vouched by another box
        replace(entry(6, home.ada.key, **ada), id=os.urandom(16)),  # under another id
        RoomEntry(7, good.id, 1, good.signed[:-1] + b"!", None),  # broken
        RoomEntry(8, os.urandom(16), 1, b"x", None),
    ]
    await mirror.take(replace(page, entries=[good, *forged], next=8, last=8), 0)
    assert (mirror.row.skipped, mirror.row.cursor, mirror.row.posts) == (len(forged), 8, 1)
    (only,) = await shown(mirror.box, mirror.onion)
    assert only[0] == thread and only[5][0][6] == "signed"


async def test_another_hand_cannot_change_or_delete(mirror: Copy) -> None:
    home, box = mirror.home, mirror.home.box  # noqa: F811
    thread = await box.post(home.ada, "one")
    page = await home.fetch()
    signed = page.entries[0].signed or b""
    edit = home.owner.sign(wire.Edit, target=thread, previous=wire.digest(signed), body="mine now").signed
    gone = home.owner.sign(wire.Deletion, target=thread).signed
    more = [RoomEntry(2 + at, wire.value_of(one).id, 1, one, None) for at, one in enumerate((edit, gone))]
    await mirror.take(replace(page, entries=[*page.entries, *more], next=3, last=3), 0)
    assert mirror.row.skipped == 2
    assert await shown(mirror.box, mirror.onion) == await shown(box, mirror.onion)


@pytest.mark.parametrize(
    "change",
    [
        lambda page: replace(page, room=b"Z" * 16),
        lambda page: replace(page, entries=page.entries[::-1]),
        lambda page: replace(page, entries=[*page.entries, page.entries[-1]]),
        lambda page: replace(page, next=0),
        lambda page: replace(page, entries=[], next=0, more=True),
    ],
)
async def test_an_answer_to_another_question_is_none(mirror: Copy, change: Any) -> None:
    for body in ("one", "two"):
        await mirror.home.box.post(mirror.home.ada, body)
    page = await mirror.home.fetch()
    with refused("bad_answer"), unchanged(mirror):
        await mirror.take(change(page), 0)


async def test_a_home_that_was_set_back_is_read_from_the_beginning(mirror: Copy) -> None:
    await mirror.home.box.post(mirror.home.ada, "one")
    page = await mirror.home.fetch()
    await mirror.take(page, 0)
    await mirror.take(replace(page, entries=[], next=7, last=1), 7)
    assert mirror.row.cursor == 0
    before = await shown(mirror.box, mirror.onion)
    await mirror.pull()
    assert mirror.row.cursor == 1 and await shown(mirror.box, mirror.onion) == before


async def test_answers_go_on_where_the_first_post_is_gone(mirror: Copy) -> None:
    home, box = mirror.home, mirror.home.box  # noqa: F811
    thread = await box.post(home.ada, "one", subject="Lost")
    await box.post(home.owner, "an answer", thread)
    await box.delete(home.ada, thread)
    await mirror.pull()
    ((_, subject, _, _, _, posts),) = await shown(mirror.box, mirror.onion)
    assert (subject, [one[1] for one in posts]) == ("", ["an answer"])
    await box.moderate(home.owner, thread, "remove_thread")
    await mirror.pull()
    assert await shown(mirror.box, mirror.onion) == []
    assert (mirror.row.threads, mirror.row.posts) == (0, 0)


async def test_a_mirror_forgets_by_its_own_bounds(mirror: Copy) -> None:
    home, box = mirror.home, mirror.home.box  # noqa: F811
    ben = await mirror.box.author("keeper", "owner")
    await mirror.box.boards.change(ben.caller, BOARD, wire.ChangeBoard(days=2, most=1))
    await box.post(home.ada, "old")
    home.box.house.clock.pass_hours(24)
    await box.post(home.ada, "new")
    await mirror.pull()
    await mirror.box.sweep()
    assert [one[5][0][1] for one in await shown(mirror.box, mirror.onion)] == ["new"]
    home.box.house.clock.pass_hours(48)
    await mirror.box.sweep()
    assert await shown(mirror.box, mirror.onion) == []
    # It is not taken again: it was read.
    await mirror.pull()
    assert await shown(mirror.box, mirror.onion) == []


async def test_nobody_writes_on_a_mirror(mirror: Copy) -> None:
    box = mirror.box
    await mirror.home.box.post(mirror.home.ada, "one")
    await mirror.pull()
    ann = await box.author("ann", "owner")
    (thread,) = (await box.pages.threads(BOARD)).threads
    for kind, fields in (
        (wire.Post, {"body": "x", "subject": "s"}),
        (wire.Moderation, {"target": thread.thread, "act": "pin"}),
        (wire.Notice, {"subject": "a", "data": b""}),
    ):
        with refused("mirrored"):
            await box.posts.submit(ann.caller, BOARD, ann.sign(kind, **fields))
    for change in (wire.ChangeBoard(peers=[ann.key.public]), wire.ChangeBoard(closed=True)):
        with refused("mirrored"):
            await box.boards.change(ann.caller, BOARD, change)
    with refused("wrong_state"):
        await box.boards.make(ann.caller, wire.NewBoard(BOARD, "Garden"))


async def test_found_by_search_and_gone_with_all_that_belongs_to_it(mirror: Copy) -> None:
    box = mirror.box
    await mirror.home.box.post(mirror.home.ada, "tomatoes")
    await mirror.pull()
    await box.index()
    (hit,) = (await box.search.search("tomat")).hits
    assert hit.name == "ada"
    ann = await box.author("ann", "owner")
    await box.boards.remove(ann.caller, BOARD)
    await box.sweep()
    sealer = box.house.ring.require()
    kept = box.house.store.read(lambda txn: board_authors.find(txn, sealer, BOARD, "ada"))
    assert kept is None


ENTRIES = st.builds(
    RoomEntry,
    st.integers(0, 20),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**32 - 1),
    st.none() | st.binary(max_size=300),
    st.sampled_from([None, "author", "moderator", "expired"]),
)
PAGES = st.builds(
    RoomPage,
    room=st.sampled_from([BOARD, b"Z" * 16]),
    title=st.just("t"),
    about=st.just(""),
    days=st.just(1),
    threads=st.just(0),
    posts=st.just(0),
    last=st.integers(0, 20),
    entries=st.lists(ENTRIES, max_size=6),
    next=st.integers(0, 20),
    more=st.booleans(),
    authors=st.lists(st.binary(min_size=65, max_size=200), max_size=3),
    nonce=st.just(bytes(32)),
)


@given(PAGES, st.integers(0, 20))
def test_any_page_is_none_or_has_nothing_that_was_not_signed(page: RoomPage, after: int) -> None:
    try:
        checked = mirroring.check(page, SigningKey(b"h" * 32).public, BOARD, after)
    except Refusal as refusal:
        assert refusal.code == "bad_answer"
        return
    numbers = [one.entry.number for one in checked.found]
    assert page.room == BOARD and numbers == sorted(set(numbers)) and checked.authors == {}
    assert all(after < number <= page.next for number in numbers)
    assert [one.forged for one in checked.found] == [entry.signed is not None for entry in page.entries]
    assert all(one.value is None for one in checked.found)
