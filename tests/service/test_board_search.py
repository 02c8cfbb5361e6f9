"""Search: all words, beginnings, ranking; and nothing that was edited away, removed or too old."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import trio

from appliance.protocol import board as wire
from appliance.protocol.search import Hit
from appliance.service import board_search
from appliance.service.board_search import excerpt
from appliance.store import board_index
from appliance.store.board_postings import BLOCK
from appliance.store.schema import BOARD_INDEXED, BOARD_POSTINGS, BOARD_WORDS
from appliance.store.transaction import Transaction
from tests.boards import BOARD, Author, BoardHouse, postings
from tests.services import House, Time, refused

OTHER = b"O" * 16


@pytest.fixture
async def box(house: House) -> BoardHouse:
    house.config = replace(house.config, posts_minute=100_000)
    return BoardHouse(house)


@pytest.fixture
async def ada(box: BoardHouse) -> Author:
    author = await box.author("ada", "owner")
    await box.boards.make(author.caller, wire.NewBoard(BOARD, "Garden"))
    return author


async def found(box: BoardHouse, query: str, board: bytes | None = None, **fields: int) -> list[Hit]:
    return (await box.search.search(query, board, **fields)).hits


async def ids(box: BoardHouse, query: str, board: bytes | None = None) -> set[bytes]:
    return {hit.id for hit in await found(box, query, board)}


async def test_posts_with_all_words_are_found_by_beginnings_too(box: BoardHouse, ada: Author) -> None:
    one = await box.post(ada, "The tomatoes are ripe", subject="Harvest")
    two = await box.post(ada, "A tomato grows in the greenhouse", one)
    three = await box.post(ada, "Größe der Straße in 東京都", subject="Reise")
    assert (await box.search.search("tomato")).behind == 3
    await box.index()
    assert (await box.search.search("tomato")).behind == 0
    assert await ids(box, "tomato") == {one, two}
    assert await ids(box, "tomato ") == {two}, "with a space after it the word is whole"
    assert await ids(box, "TOMATOES ripe") == {one}
    assert await ids(box, "harv") == {one}, "the subject is part of the first post"
    assert await ids(box, "ripe greenhouse") == set()
    assert await ids(box, "the to") == set(), "two letters are no beginning"
    for query in ("strasse", "STRASSE", "grosse", "東京", "京都", "東", "reise 東京都"):
        assert await ids(box, query) == {three}, query
    for query in ("", "  ", "…", "tokio"):
        assert await ids(box, query) == set()
    [hit] = await found(box, "greenhouse")
    assert (hit.board, hit.thread, hit.number, hit.subject, hit.name) == (BOARD, one, 2, "Harvest", "ada")
    assert hit.excerpt == "A tomato grows in the greenhouse"


async def test_one_board_or_all(box: BoardHouse, ada: Author) -> None:
    await box.boards.make(ada.caller, wire.NewBoard(OTHER, "News"))
    here = await box.post(ada, "word here")
    there = await box.post(ada, "word there", board=OTHER)
    await box.index()
    assert await ids(box, "word") == {here, there}
    assert await ids(box, "word", BOARD) == {here}
    assert await ids(box, "word", OTHER) == {there}
    with refused("no_board"):
        await found(box, "word", b"?" * 16)


async def test_what_says_more_and_is_newer_comes_first(box: BoardHouse, ada: Author) -> None:
    often = await box.post(ada, "relay relay relay on the roof")
    old = await box.post(ada, "a relay on the roof")
    await box.post(ada, "nothing of it " * 50)
    new = await box.post(ada, "a relay on the roof")
    long = await box.post(ada, "a relay " + "and much else " * 100)
    await box.index()
    assert [hit.id for hit in await found(box, "relay")] == [often, new, old, long]
    assert len(await found(box, "relay", limit=2)) == 2


async def test_edits_removals_and_retention_take_words_out(box: BoardHouse, clock: Time, ada: Author) -> None:
    edited = await box.post(ada, "apricots")
    deleted = await box.post(ada, "apricots", edited)
    removed = await box.post(ada, "apricots", edited)
    await box.index()
    assert await ids(box, "apricots") == {edited, deleted, removed}
    await box.edit(ada, edited, "plums")
    await box.delete(ada, deleted)
    await box.moderate(ada, removed, "remove")
    assert await ids(box, "apricots") <= {edited}, "what is gone is not shown before it is taken out either"
    await box.index()
    assert await ids(box, "apricots") == set() and await ids(box, "plums") == {edited}
    sealer = box.house.ring.require()
    listed = box.house.store.read(lambda txn: board_index.words_from(txn, sealer, BOARD, "apr", 9))
    assert listed == [], "nor does the list of words know it"
    assert box.house.store.read(lambda txn: board_index.mark(txn, BOARD).posts) == 1
    late = await box.post(ada, "pears")
    await box.moderate(ada, edited, "pin")
    await box.index()
    await box.moderate(ada, edited, "remove_thread")
    await box.moderate(ada, late, "remove_thread")
    assert await ids(box, "plums") == set()
    await box.sweep()
    await box.index()
    tables = (BOARD_INDEXED, BOARD_POSTINGS, BOARD_WORDS)
    assert box.house.store.read(lambda txn: [txn.count(table) for table in tables]) == [0, 0, 0]
    assert box.house.store.read(lambda txn: board_index.mark(txn, BOARD).posts) == 0


async def test_a_removal_before_the_index_came_by(box: BoardHouse, ada: Author) -> None:
    kept = await box.post(ada, "first")
    gone = await box.post(ada, "ephemeral", kept)
    await box.edit(ada, kept, "second")
    await box.delete(ada, gone)
    await box.index()
    assert await ids(box, "ephemeral") == set() and await ids(box, "first") == set()
    assert await ids(box, "second") == {kept}


async def test_the_index_agrees_with_a_plain_search(box: BoardHouse, ada: Author) -> None:
    chance = random.Random(5)
    vocabulary = [f"{a}{b}{c}" for a in "abc" for b in "xyz" for c in ("", "q", "ing")]
    said: dict[bytes, str] = {}
    thread = await box.post(ada, "begin", subject="Subject")
    for _ in range(300):
        body = " ".join(chance.choices(vocabulary, k=chance.randint(1, 12)))
        match chance.randint(0, 5):
            case 0 if said:
                target = chance.choice(list(said))
                await box.edit(ada, target, body)
                said[target] = body
            case 1 if said:
                target = chance.choice(list(said))
                await box.delete(ada, target)
                del said[target]
            case _:
                said[await box.post(ada, body, thread)] = body
        if chance.random() < 0.1:
            await box.search.step()
    await box.index()
    for _ in range(100):
        query = chance.choices(vocabulary, k=chance.randint(1, 2))
        wanted = set(query[:-1])
        right = {
            id
            for id, body in said.items()
            if wanted <= set(body.split())
            and any(
                word == query[-1] or (len(query[-1]) > 2 and word.startswith(query[-1]))
                for word in body.split()
            )
        }
        hits = await found(box, " ".join(query), limit=50)
        assert {hit.id for hit in hits} <= right and len(hits) == min(50, len(right)), query
    assert box.house.store.read(lambda txn: board_index.mark(txn, BOARD).posts) == len(said) + 1


async def test_blocks_split_and_shrink(box: BoardHouse) -> None:
    sealer = box.house.ring.require()
    count = 3 * BLOCK + 7
    numbers = list(range(1, 2 * count, 2))

    def fill(txn: Transaction) -> None:
        for at in range(0, count, 100):
            board_index.put(txn, sealer, BOARD, {n: {"word": n % 255 + 1} for n in numbers[at : at + 100]})
        board_index.put(txn, sealer, BOARD, {n: {"word": 9} for n in (600, 2, 1500)})  # into the middle
        for number in (1, 601, numbers[-1]):
            assert board_index.take_out(txn, sealer, BOARD, number)
        assert not board_index.take_out(txn, sealer, BOARD, 1)

    await box.house.store.write(fill)
    right = sorted({*numbers, 600, 2, 1500} - {1, 601, numbers[-1]})
    found = box.house.store.read(lambda txn: postings(txn, sealer, "word"))
    known = {600: 9, 2: 9, 1500: 9}
    assert list(found.items()) == [(n, known.get(n, n % 255 + 1)) for n in right]


async def test_bounds(box: BoardHouse, ada: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    await box.post(ada, " ".join(f"word{number}" for number in range(300)))
    await box.index()
    with refused("malformed"):
        await found(box, "x" * 201)
    for limit in (0, 51):
        with refused("malformed"):
            await found(box, "x", limit=limit)
    assert await found(box, "word"), "of very many completions some are taken"
    assert await found(box, " ".join(f"word{number}" for number in range(20))), "eight words count"
    await box.boards.make(ada.caller, wire.NewBoard(OTHER, "News"))
    await box.post(ada, "word1 too", board=OTHER)
    await box.index()
    assert len(await found(box, "word1")) == 2
    monkeypatch.setattr(board_search, "SEARCH_SECONDS", -1.0)
    assert (await box.search.search("word1")).partial


async def test_the_task_indexes_what_is_posted(box: BoardHouse, ada: Author) -> None:
    box.posts.on_posted = box.search.look
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.search.run)
        for word in ("one", "two"):
            await box.post(ada, word)
            with trio.fail_after(30):
                while not await ids(box, word):
                    await trio.sleep(0.02)
        nursery.cancel_scope.cancel()


def test_an_excerpt_is_about_what_was_sought() -> None:
    body = "begin " * 100 + "the needle lies here " + "end " * 100
    cut = excerpt(body, ["needle"])
    assert "needle" in cut and cut.startswith("… ") and cut.endswith(" …") and len(cut) < 180
    assert excerpt("# Short\n\ntext", ["nothing"]) == "# Short text"
    assert excerpt("", ["x"]) == ""
