"""Boards and those who look after them: what is held, what is noted, and the second pair of eyes."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from appliance.protocol import board as wire
from appliance.protocol.log import WatchLogs
from appliance.service.board_rules import HELD
from appliance.store import accounts, thanks
from appliance.store.transaction import Transaction
from tests.boards import BOARD, Author, BoardHouse
from tests.services import House, Time, refused


@pytest.fixture
async def box(house: House) -> BoardHouse:
    house.config = replace(house.config, posts_minute=1000, filter_words=("casino",), filter_action="hold")
    return BoardHouse(house)


@pytest.fixture
async def ada(box: BoardHouse) -> Author:
    author = await box.author("ada", "owner")
    await box.boards.make(author.caller, wire.NewBoard(BOARD, "Garden"))
    return author


@pytest.fixture
async def bob(box: BoardHouse) -> Author:
    return await box.author("bob")


async def hold(box: BoardHouse, who: Author, body: str = "Casino!", thread: bytes | None = None) -> bytes:
    """Post what the word filter holds; its id."""
    subject = None if thread else "Win"
    signed = who.sign(wire.Post, body=body, subject=subject, thread=thread)
    for _ in range(2):
        assert (await box.posts.submit(who.caller, BOARD, signed)).held
    return wire.value_of(signed.signed).id


async def test_what_is_held_is_seen_by_moderators_and_its_author_only(
    box: BoardHouse, ada: Author, bob: Author
) -> None:
    eve = await box.author("eve")
    feed = box.events.open(eve.caller)
    box.logs.watch(eve.caller, WatchLogs([BOARD]))
    id = await hold(box, bob)
    await box.index()
    assert not (await box.pages.threads(BOARD)).threads
    assert not (await box.search.search("casino")).hits
    [told] = [one.event.log.entries for one in feed.after(1)]
    assert [(entry.kind, entry.body) for entry in told] == [(HELD, None)]
    with refused("no_entry"):
        await box.pages.versions(BOARD, id)
    for who, count, own in ((ada, 1, False), (bob, 1, True), (eve, 0, False)):
        waiting = (await box.pages.held(who.caller, BOARD)).entries
        assert len(waiting) == count and all(entry.own == own for entry in waiting)
    with refused("role"):
        await box.moderate(eve, id, "release")
    with refused("role"):
        await box.delete(eve, id)


async def test_a_moderator_lets_it_through_as_if_it_was_posted_now(
    box: BoardHouse, ada: Author, bob: Author
) -> None:
    thread = await box.post(ada, "begin")
    held = await hold(box, bob, "the casino is closed", thread)
    await box.post(ada, "later", thread)
    await box.moderate(ada, held, "release")
    page = await box.pages.posts(bob.caller, BOARD, thread)
    assert [view.number for view in page.posts] == [1, 3, 5], "whoever reads on from 3 finds it"
    assert (page.thread.last, page.thread.last_name, page.posts[2].own) == (5, "bob", True)
    assert not (await box.pages.held(ada.caller, BOARD)).entries
    await box.index()
    assert [hit.id for hit in (await box.search.search("casino")).hits] == [held]
    with refused("no_entry"):
        await box.moderate(ada, held, "release")
    await box.delete(bob, held)


async def test_it_is_refused_taken_back_or_too_old(
    box: BoardHouse, clock: Time, ada: Author, bob: Author
) -> None:
    one, two = await hold(box, bob), await hold(box, bob)
    await box.moderate(ada, one, "remove")
    await box.delete(bob, two)
    assert not (await box.pages.held(ada.caller, BOARD)).entries
    await hold(box, bob)
    clock.pass_hours(91 * 24)
    await box.sweep()
    assert not (await box.pages.held(ada.caller, BOARD)).entries
    gone = await box.post(ada, "begin")
    held = await hold(box, bob, "casino", gone)
    await box.moderate(ada, gone, "remove_thread")
    with refused("no_thread"):
        await box.moderate(ada, held, "release")
    assert len((await box.pages.held(ada.caller, BOARD)).entries) == 1


async def test_moderators_pass_the_filter(box: BoardHouse, ada: Author) -> None:
    await box.post(ada, "no casino here")
    assert len((await box.pages.threads(BOARD)).threads) == 1


async def test_acts_are_noted(box: BoardHouse, ada: Author, bob: Author) -> None:
    thread = await box.post(bob, "x")
    for act in ("pin", "lock", "unlock", "unpin", "remove_thread"):
        await box.moderate(ada, thread, act)
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(order=3))
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(about="Now"))
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(closed=True))
    await box.boards.remove(ada.caller, BOARD)
    acts = (await box.audit.page(ada.caller, None, 100)).acts
    assert [(act.action, act.target, act.name) for act in reversed(acts)] == [
        (action, "Garden", "ada")
        for action in (
            "board.make",
            "post.pin",
            "post.lock",
            "post.unlock",
            "post.unpin",
            "post.remove",
            "board.order",
            "board.change",
            "board.close",
            "board.delete",
        )
    ]


async def test_deleting_a_board_waits_for_a_second_pair_of_eyes(box: BoardHouse, ada: Author) -> None:
    box.four_eyes.configure(replace(box.house.config, four_eyes=True))
    other = await box.author("cem", "admin")
    with refused("second_eyes"):
        await box.boards.remove(ada.caller, BOARD)
    assert len((await box.boards.page()).boards) == 1
    await box.boards.remove(other.caller, BOARD)
    assert not (await box.boards.page()).boards


async def test_thanks_go_with_what_was_thanked_for(box: BoardHouse, ada: Author, bob: Author) -> None:
    sealer, store = box.house.ring.require(), box.house.store
    thread = await box.post(bob, "x")
    await store.write(
        lambda txn: thanks.give(txn, sealer, BOARD, thread, ada.caller.account, bob.caller.account)
    )
    assert store.read(lambda txn: thanks.count(txn, BOARD, thread)) == 1
    await box.moderate(ada, thread, "remove_thread")
    await box.sweep()
    assert store.read(lambda txn: thanks.count(txn, BOARD, thread)) == 0


async def test_conduct_is_asked_before_anything_is_written(box: BoardHouse, ada: Author, bob: Author) -> None:
    box.conduct.configure(replace(box.house.config, posts_minute=2))
    signed = bob.sign(wire.Post, body="x", subject="s")
    for _ in range(5):  # the same again costs nothing
        await box.posts.submit(bob.caller, BOARD, signed)
    await box.post(bob, "two")
    with refused("too_fast"):
        await box.post(bob, "three")
    await box.post(ada, "others may")
    await box.boards.change(ada.caller, BOARD, wire.ChangeBoard(karma=1))
    eve = await box.author("eve")
    with refused("karma"):
        await box.post(eve, "who am I?")
    ring = box.house.ring

    def suspend(txn: Transaction) -> None:
        row = accounts.require(txn, ring.machine, eve.caller.account)
        accounts.save(txn, ring.machine, msgspec.structs.replace(row, suspended=True))

    await box.house.store.write(suspend)
    with refused("suspended"):
        await box.post(eve, "still here?")


async def test_switched_off_boards_keep_what_they_have(box: BoardHouse, ada: Author, bob: Author) -> None:
    thread = await box.post(bob, "x")
    box.boards.configure(replace(box.house.config, boards=False))
    assert (await box.boards.page()).boards == []
    for act in (
        box.boards.make(ada.caller, wire.NewBoard(b"N" * 16, "New")),
        box.post(bob, "y", thread),
        box.pages.threads(BOARD),
        box.pages.posts(bob.caller, BOARD, thread),
        box.search.search("x"),
    ):
        with refused("switched_off"):
            await act
    await box.delete(bob, thread)  # what is one's own can always be taken back
    box.boards.configure(box.house.config)
    assert len((await box.boards.page()).boards) == 1
