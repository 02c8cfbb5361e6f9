"""Boards: who may do what, threads, posts and their versions, removal, retention, and cursors."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from appliance.protocol import board as wire
from appliance.protocol.log import WatchLogs
from appliance.service import board_rules
from appliance.service.audit import AUDIT_LOG
from appliance.store.logs import list_all, require
from appliance.store.schema import (
    BOARD_ACTIVITY,
    BOARD_DOOMED,
    BOARD_HELD,
    BOARD_INDEXED,
    BOARD_MARKS,
    BOARD_POSTINGS,
    BOARD_POSTS,
    BOARD_THREADS,
    BOARD_VERSIONS,
    BOARD_WORDS,
)
from tests.boards import BOARD, Author, BoardHouse
from tests.services import House, Time, refused

OTHER = b"O" * 16


@pytest.fixture
async def box(house: House) -> BoardHouse:
    house.config = replace(house.config, posts_minute=100_000)
    return BoardHouse(house)


@pytest.fixture
async def ada(box: BoardHouse) -> Author:
    author = await box.author("ada", "owner")
    await box.boards.make(author.caller, wire.NewBoard(BOARD, "Garden", "What grows"))
    return author


@pytest.fixture
async def bob(box: BoardHouse) -> Author:
    return await box.author("bob")


@pytest.fixture
async def eve(box: BoardHouse) -> Author:
    return await box.author("eve")


async def bodies(box: BoardHouse, who: Author, thread: bytes, **fields: int) -> list[str | None]:
    page = await box.pages.posts(who.caller, BOARD, thread, **fields)
    said = [view.edit or view.post for view in page.posts]
    return [None if one is None else wire.value_of(one).body for one in said]  # type: ignore[union-attr]


async def test_boards_are_made_changed_closed_and_ordered(box: BoardHouse, ada: Author, bob: Author) -> None:
    again = await box.boards.make(ada.caller, wire.NewBoard(BOARD, "Other words"))
    assert (again.title, again.days, again.realtime) == ("Garden", 90, True)
    await box.boards.make(ada.caller, wire.NewBoard(OTHER, "News", order=1))
    assert [row.title for row in (await box.boards.page()).boards] == ["Garden", "News"]
    changed = await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(order=2, closed=True, days=7))
    assert (changed.order, changed.closed, changed.days, changed.title) == (2, True, 7, "Garden")
    assert [row.title for row in (await box.boards.page()).boards] == ["News", "Garden"]
    with refused("board_closed"):
        await box.post(bob, "too late")
    for act in (
        box.boards.make(bob.caller, wire.NewBoard(os.urandom(16), "Mine")),
        box.boards.change(bob.caller, BOARD, wire.ChangeBoard(closed=False)),
        box.boards.remove(bob.caller, BOARD),
    ):
        with refused("role"):
            await act
    with refused("no_board"):
        await box.boards.change(ada.caller, b"x" * 16, wire.ChangeBoard())
    with refused("malformed"):
        await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(title="a\u202eb"))


async def test_threads_and_posts_are_read_on_from_a_place(box: BoardHouse, ada: Author, bob: Author) -> None:
    one = await box.post(ada, "first", subject="One")
    two = await box.post(bob, "second", subject="Two")
    for number in range(5):
        await box.post(bob, f"reply {number}", one, reply=one)
    page = await box.pages.threads(BOARD)
    assert [(row.subject, row.name, row.posts, row.last) for row in page.threads] == [
        ("One", "ada", 6, 7),
        ("Two", "bob", 1, 2),
    ]
    assert (page.threads[0].last_name, page.last, page.more) == ("bob", 7, False)
    first = await box.pages.threads(BOARD, limit=1)
    assert first.more and first.threads[0].thread == one
    rest = await box.pages.threads(BOARD, before=first.threads[0].last, limit=1)
    assert [row.thread for row in rest.threads] == [two] and not rest.more
    assert await bodies(box, bob, one) == ["first", *(f"reply {n}" for n in range(5))]
    assert await bodies(box, bob, one, after=3, limit=2) == ["reply 1", "reply 2"]
    assert await bodies(box, bob, one, before=7, limit=2) == ["reply 2", "reply 3"]
    page_of = await box.pages.posts(bob.caller, BOARD, one, after=3, limit=2)
    assert page_of.more and [view.own for view in page_of.posts] == [True, True]
    assert [wire.value_of(view.post).reply for view in page_of.posts] == [one, one]  # type: ignore[arg-type, union-attr]
    assert len(page_of.authors) == 1
    assert len((await box.pages.posts(bob.caller, BOARD, one)).authors) == 2
    row = (await box.boards.page()).boards[0]
    assert (row.threads, row.posts, row.last) == (2, 7, 7)
    with refused("no_thread"):
        await box.pages.posts(bob.caller, BOARD, b"?" * 16)
    for limit in (0, 101):
        with refused("malformed"):
            await box.pages.posts(bob.caller, BOARD, one, limit=limit)


async def test_what_is_not_signed_as_it_must_be_is_refused(box: BoardHouse, ada: Author, bob: Author) -> None:
    good = bob.sign(wire.Post, body="x", subject="s")
    with refused("bad_post"):  # in the name of somebody else
        await box.posts.submit(ada.caller, BOARD, good)
    with refused("bad_post"):  # for another board
        await box.posts.submit(bob.caller, BOARD, bob.sign(wire.Post, OTHER, body="x", subject="s"))
    with refused("bad_post"):  # under another identity
        forged = Author(bob.caller, ada.key, bob.onion)
        await box.posts.submit(bob.caller, BOARD, forged.sign(wire.Post, body="x", subject="s"))
    with refused("bad_post"):  # for another box
        moved = Author(bob.caller, bob.key, ada.key.public)
        await box.posts.submit(bob.caller, BOARD, moved.sign(wire.Post, body="x", subject="s"))
    with refused("bad_post"):  # what the box signed is nobody's to hand in
        box_key = Author(bob.caller, box.house.ring.identity, bob.onion)
        await box.posts.submit(
            bob.caller, BOARD, box_key.sign(wire.Post, body="x", subject="s", identity=None)
        )
    with refused("bad_post"):
        await box.posts.submit(bob.caller, BOARD, wire.Submit(good.signed[:-1] + b"!"))
    with refused("no_thread"):
        await box.post(bob, "x", b"?" * 16)
    with refused("no_board"):
        await box.posts.submit(bob.caller, OTHER, bob.sign(wire.Post, OTHER, body="x", subject="s"))
    assert (await box.pages.threads(BOARD)).last == 0


async def test_the_same_post_again_is_answered_alike(box: BoardHouse, ada: Author) -> None:
    signed = ada.sign(wire.Post, body="once", subject="Once")
    answers = [await box.posts.submit(ada.caller, BOARD, signed) for _ in range(3)]
    assert [answer.number for answer in answers] == [1, 1, 1]
    assert (await box.boards.page()).boards[0].posts == 1


async def test_edits_follow_each_other_and_every_version_can_be_read(
    box: BoardHouse, ada: Author, bob: Author
) -> None:
    thread = await box.post(bob, "helo", subject="Old")
    reply = await box.post(ada, "hi", thread)
    await box.edit(bob, thread, "hello", subject="New")
    await box.edit(bob, thread, "hello!")
    assert await bodies(box, ada, thread) == ["hello!", "hi"]
    view = (await box.pages.posts(ada.caller, BOARD, thread)).posts[0]
    assert view.edits == 2 and view.post is not None and view.edit is not None
    assert (await box.pages.threads(BOARD)).threads[0].subject == "New"
    found = await box.pages.versions(BOARD, thread)
    assert (found.thread, found.number) == (thread, view.number)
    versions = found.versions
    said = [wire.read(one).value for one in versions]
    assert [one.body for one in said] == ["helo", "hello", "hello!"]  # type: ignore[union-attr]
    assert [one.previous for one in said[1:]] == [wire.digest(one) for one in versions[:-1]]  # type: ignore[union-attr]
    stale = bob.sign(wire.Edit, target=thread, previous=wire.digest(versions[0]), body="late")
    with refused("old_post"):
        await box.posts.submit(bob.caller, BOARD, stale)
    with refused("role"):
        await box.edit(ada, thread, "not mine")
    with refused("bad_post"):
        await box.edit(ada, reply, "x", subject="a reply has none")
    with refused("no_entry"):
        lost = bob.sign(wire.Edit, target=b"?" * 16, previous=bytes(32), body="x")
        await box.posts.submit(bob.caller, BOARD, lost)


async def test_own_posts_are_deleted_with_all_versions(box: BoardHouse, ada: Author, bob: Author) -> None:
    thread = await box.post(bob, "secret one", subject="Secret")
    await box.post(ada, "answer", thread)
    await box.edit(bob, thread, "secret two")
    with refused("role"):
        await box.delete(ada, thread)
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(closed=True))
    await box.delete(bob, thread)  # what is one's own goes from a closed board, too
    page = await box.pages.posts(ada.caller, BOARD, thread)
    assert [(view.post, view.edit, view.removed) for view in page.posts[:1]] == [(None, None, "author")]
    assert (page.thread.subject, page.thread.posts) == ("", 2)
    with refused("no_entry"):
        await box.pages.versions(BOARD, thread)
    with refused("no_entry"):
        await box.delete(bob, thread)
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(closed=False))
    alone = await box.post(bob, "alone", subject="Alone")
    await box.delete(bob, alone)
    assert [row.thread for row in (await box.pages.threads(BOARD)).threads] == [thread]


async def test_moderators_pin_lock_and_remove(box: BoardHouse, ada: Author, bob: Author, eve: Author) -> None:
    moderator = await box.author("mod", "moderator")
    one = await box.post(bob, "one", subject="One")
    two = await box.post(bob, "two", subject="Two")
    with refused("role"):
        await box.moderate(bob, one, "pin")
    await box.moderate(moderator, one, "pin", reason="rules")
    await box.moderate(moderator, one, "lock")
    page = await box.pages.threads(BOARD)
    assert [row.thread for row in page.pinned] == [one] and [row.thread for row in page.threads] == [two]
    assert not (await box.pages.threads(BOARD, before=9)).pinned
    for act in (box.post(eve, "x", one), box.edit(bob, one, "x")):
        with refused("thread_locked"):
            await act
    await box.moderate(moderator, one, "unlock")
    spam = await box.post(eve, "spam", one)
    await box.moderate(moderator, spam, "remove")
    assert [view.removed for view in (await box.pages.posts(bob.caller, BOARD, one)).posts] == [
        None,
        "moderator",
    ]
    await box.moderate(ada, one, "remove_thread")
    with refused("no_thread"):
        await box.pages.posts(bob.caller, BOARD, one)
    await box.sweep()
    assert [row.thread for row in (await box.pages.threads(BOARD)).threads] == [two]
    head, posts = box.house.store.read(lambda txn: (require(txn, BOARD), txn.count(BOARD_POSTS)))
    assert (head.held, posts) == (2, 1), (
        "the other thread's only post, in the thread's row; what took this one away"
    )


async def test_who_may_post_is_the_boards_affair(box: BoardHouse, ada: Author, bob: Author) -> None:
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(posters="moderator"))
    with refused("role"):
        await box.post(bob, "x")
    moderator = await box.author("mod", "moderator")
    await box.post(moderator, "announcement")
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(posters="admin"))
    with refused("role"):
        await box.post(moderator, "x")
    await box.post(ada, "x")


async def test_a_thread_is_full_at_last(
    box: BoardHouse, ada: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_rules, "MOST_POSTS", 3)
    thread = await box.post(ada, "x")
    for _ in range(2):
        await box.post(ada, "x", thread)
    with refused("thread_full"):
        await box.post(ada, "x", thread)


async def test_without_keys_at_hand_the_box_vouches(box: BoardHouse, ada: Author, bob: Author) -> None:
    template = wire.value_of(bob.sign(wire.Post, body="typed in a form", subject="Form").signed)
    await box.posts.vouch(bob.caller, BOARD, template)
    [row] = (await box.pages.threads(BOARD)).threads
    page = await box.pages.posts(bob.caller, BOARD, row.thread)
    opened = wire.read(page.posts[0].post or b"")
    assert opened.vouched and opened.value.name == "bob" and page.posts[0].own


async def test_the_bus_carries_events_that_no_thread_shows(box: BoardHouse, ada: Author, bob: Author) -> None:
    feed = box.events.open(bob.caller)
    box.logs.watch(bob.caller, WatchLogs([BOARD]))
    for number in range(3):
        event = ada.sign(wire.Notice, subject="chess/move", data=bytes((number,)))
        await box.posts.submit(ada.caller, BOARD, event)
    heard = [one.event.log for one in feed.after(1)]
    assert [wire.read(one.entries[0].body).value.data for one in heard] == [b"\0", b"\1", b"\2"]
    page = await box.pages.events(BOARD, after=1, limit=1)
    assert ([one.number for one in page.notices], page.more, page.last) == ([2], True, 3)
    assert not (await box.pages.threads(BOARD)).threads


async def test_a_quiet_board_tells_nothing(box: BoardHouse, ada: Author, bob: Author) -> None:
    feed = box.events.open(bob.caller)
    box.logs.watch(bob.caller, WatchLogs([BOARD]))
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(realtime=False))
    await box.post(ada, "hush")
    assert not feed.after(1)
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(realtime=True))
    await box.post(ada, "loud")
    assert len(feed.after(1)) == 1


async def test_threads_are_kept_for_days_after_their_last_post(
    box: BoardHouse, clock: Time, ada: Author, bob: Author
) -> None:
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(days=2))
    pinned = await box.post(ada, "rules")
    await box.moderate(ada, pinned, "pin")
    alive = await box.post(bob, "old and lively")
    await box.post(bob, "quiet")
    await box.edit(bob, alive, "old and edited")
    await box.posts.submit(bob.caller, BOARD, bob.sign(wire.Notice, subject="e", data=b""))
    clock.pass_hours(24)
    await box.post(ada, "still here", alive)
    clock.pass_hours(23)
    await box.sweep()
    assert len((await box.pages.threads(BOARD)).threads) == 2
    clock.pass_hours(1)
    await box.sweep()
    page = await box.pages.threads(BOARD)
    assert [row.thread for row in page.threads] == [alive] and [row.thread for row in page.pinned] == [pinned]
    assert not (await box.pages.events(BOARD)).notices
    clock.pass_hours(24)
    await box.sweep()
    assert box.house.store.read(lambda txn: txn.count(BOARD_VERSIONS)) == 0
    row = (await box.boards.page()).boards[0]
    assert (row.threads, row.posts) == (1, 1)


async def test_beyond_so_many_posts_the_quietest_go(box: BoardHouse, ada: Author) -> None:
    threads = [await box.post(ada, f"post {number}") for number in range(6)]
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(most=3))
    await box.sweep()
    left = [row.thread for row in (await box.pages.threads(BOARD)).threads]
    assert left == threads[:2:-1]


async def test_a_deleted_board_leaves_nothing(box: BoardHouse, ada: Author, bob: Author) -> None:
    thread = await box.post(bob, "some words")
    await box.edit(bob, thread, "other words")
    await box.posts.submit(bob.caller, BOARD, bob.sign(wire.Notice, subject="e", data=b""))
    await box.index()
    await box.boards.remove(ada.caller, BOARD)
    with refused("no_board"):
        await box.pages.threads(BOARD)
    with refused("no_board"):
        await box.post(bob, "x")
    with refused("wrong_state"):
        await box.boards.make(ada.caller, wire.NewBoard(BOARD, "Again"))
    await box.sweep()
    tables = (BOARD_THREADS, BOARD_ACTIVITY, BOARD_POSTS, BOARD_VERSIONS)
    tables += (BOARD_DOOMED, BOARD_HELD, BOARD_WORDS, BOARD_POSTINGS, BOARD_INDEXED, BOARD_MARKS)
    assert [log for log, _ in box.house.store.read(list_all)] == [AUDIT_LOG]
    counts = box.house.store.read(lambda txn: {table: txn.count(table) for table in tables})
    assert not any(counts.values()), counts


async def test_a_locked_box_refuses(box: BoardHouse, ada: Author) -> None:
    thread = await box.post(ada, "x")
    ring = box.house.ring
    sealer, ring.sealer = ring.sealer, None
    for act in (
        box.boards.page(),
        box.pages.threads(BOARD),
        box.post(ada, "y", thread),
        box.search.search("x"),
    ):
        with refused("locked"):
            await act
    ring.sealer = sealer


async def test_the_disk_shows_no_word_or_name(box: BoardHouse, ada: Author) -> None:
    words = ("zanzibar", "quinquireme", "ophirwards")
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(title=words[0], about=words[1]))
    await box.post(ada, f"sandalwood {words[2]}", subject=words[1])
    await box.index()
    copy = box.house.config.data / "copy.mdb"
    await box.house.store.copy(copy)
    data = copy.read_bytes()
    assert not [word for word in (*words, "sandalwood") if word.encode() in data]


async def test_large_posts_come_in_pages_that_fit(box: BoardHouse, ada: Author) -> None:
    thread = await box.post(ada, "x" * 65_536)
    for _ in range(20):
        await box.post(ada, "y" * 65_536, thread)
    seen: list[int] = []
    more, after = True, 0
    while more:
        page = await box.pages.posts(ada.caller, BOARD, thread, after=after)
        assert page.posts
        seen += [view.number for view in page.posts]
        more, after = page.more, seen[-1]
    assert seen == list(range(1, 22))
    back = await box.pages.posts(ada.caller, BOARD, thread, before=22)
    assert back.more and back.posts[-1].number == 21
    with refused("bad_post"):
        await box.post(ada, "z" * 65_537, thread)
