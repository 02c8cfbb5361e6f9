"""Ranking over the index alone: held against a search through everything, bounded in what it reads."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.service.board_ranking import Query, Ranked, rank
from appliance.store import board_index
from appliance.store.board_postings import BLOCK, Budget, Spent
from appliance.store.engine import Store
from appliance.store.schema import open_store
from appliance.store.storekey import Sealer, open_keys
from appliance.store.transaction import Transaction
from tests.boards import BOARD

WORDS = ["common", "commoner", "often", "sometimes", "seldom", "some", "日本", "本語"]
FREQUENCY = [0.9, 0.02, 0.6, 0.2, 0.01, 0.3, 0.05, 0.5]

Posts = dict[int, dict[str, int]]


class Shelf:
    """A store with an index on it and nothing else."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self.store = store
        self.sealer = sealer


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    store = open_store(tmp_path)
    yield Shelf(store, open_keys(tmp_path, store).require())
    store.close()


def fill(shelf: Shelf, posts: Posts, at_once: int = 100) -> None:
    sealer = shelf.sealer
    numbers = list(posts)

    def job(txn: Transaction) -> None:
        for at in range(0, len(numbers), at_once):
            some = {number: posts[number] for number in numbers[at : at + at_once]}
            board_index.put(txn, sealer, BOARD, some)
        board_index.advance(txn, BOARD, max(posts), len(posts))

    shelf.store.write_now(job)


def search(shelf: Shelf, text: str, most: int = 1 << 30, budget: Budget | None = None) -> Ranked:
    sealer = shelf.sealer
    allowed = budget or Budget(1 << 20, math.inf)

    def job(txn: Transaction) -> Ranked:
        mark = board_index.mark(txn, BOARD)
        return rank(txn, sealer, BOARD, Query(text), mark.posts, mark.last, most, allowed)

    return shelf.store.read(job)


def naive(posts: Posts, text: str) -> set[int]:
    """A search through everything that was posted."""
    query = Query(text)

    def has(said: dict[str, int], word: str) -> bool:
        whole = word != query.beginning
        return any(one == word or (not whole and one.startswith(word)) for one in said)

    return {number for number, said in posts.items() if all(has(said, word) for word in query.words)}


def many(count: int, seed: int) -> Posts:
    """Posts of words that are frequent and rare, numbered with gaps."""
    chance = random.Random(seed)
    posts: Posts = {}
    for number in range(1, count):
        said = {
            word: chance.randint(1, 255)
            for word, share in zip(WORDS, FREQUENCY, strict=True)
            if chance.random() < share
        }
        if said:
            posts[2 * number + chance.randint(0, 1)] = said
    return posts


@pytest.fixture
def posts(shelf: Shelf) -> Posts:
    found = many(4000, 11)
    fill(shelf, found)
    return found


QUERIES = [
    "common", "common ", "com", "often common", "seldom", "seldom often", "often seldom common ",
    "sometimes seldom some", "日本語", "日本", "日", "commoner often", "nothing", "common nothing", "",
]  # fmt: skip


def test_it_finds_what_a_search_through_everything_finds(shelf: Shelf, posts: Posts) -> None:
    for text in QUERIES:
        found = search(shelf, text)
        assert set(found.scores) == (naive(posts, text) if Query(text).words else set()), text
        assert not found.partial


def test_of_very_many_the_newest_are_ranked(shelf: Shelf, posts: Posts) -> None:
    for text in ("common ", "often common ", "sometimes often ", "com"):
        right = sorted(naive(posts, text), reverse=True)
        for most in (1, 50, 700):
            found = search(shelf, text, most)
            assert set(right[:most]) <= set(found.scores) <= set(right), text
            assert len(found.scores) < most + 4 * BLOCK


def test_a_rare_word_costs_little_beside_frequent_ones(shelf: Shelf, posts: Posts) -> None:
    """As many blocks as the rare word has posts, and not all of those of the frequent ones."""
    rare = naive(posts, "seldom ")
    allowed = Budget(1 + 2 * len(rare), math.inf)
    assert not search(shelf, "common often seldom ", budget=allowed).partial
    frequent = Budget(8, math.inf)
    found = search(shelf, "common often ", 100, budget=frequent)
    assert not found.partial and len(found.scores) >= 100


def test_a_spent_budget_ends_the_search_with_what_it_has(shelf: Shelf, posts: Posts) -> None:
    found = search(shelf, "common ", budget=Budget(3, math.inf))
    right = sorted(naive(posts, "common "), reverse=True)
    assert (
        found.partial and set(found.scores) == set(right[: len(found.scores)]) and len(found.scores) > BLOCK
    )
    late = search(shelf, "common ", budget=Budget(1000, time.monotonic() - 1))
    assert late == Ranked({}, True)
    with pytest.raises(Spent):
        Budget(0, math.inf).spend()


def test_scores_say_what_bm25_says(shelf: Shelf) -> None:
    posts = {1: {"tea": 100}, 5: {"tea": 200}, 9: {"tea": 100, "cup": 50}, 10: {"cup": 60}}
    fill(shelf, posts)
    rarity = math.log(1 + 4 / 3.5)
    right = {
        number: rarity * said["tea"] * (0.75 + 0.025 * number)
        for number, said in posts.items()
        if "tea" in said
    }
    assert search(shelf, "tea ").scores == pytest.approx(right)
    both = (rarity * 100 + math.log(1 + 4 / 2.5) * 50) * (0.75 + 0.025 * 9)
    assert search(shelf, "cup tea ").scores == pytest.approx({9: both})


def test_words_with_the_same_beginning_are_bounded(shelf: Shelf) -> None:
    """A post of thousands of made-up words costs those who post after it no more than a list of so many."""
    most = board_index.MOST_LISTED
    for at in range(0, most + 500, 500):
        fill(shelf, {at + 1: {f"zzz{number:06}{'x' * (number % 7)}": 9 for number in range(at, at + 500)}})
    fill(shelf, {most + 1000: {"zzzebra": 9}})
    sealer = shelf.sealer
    listed = shelf.store.read(lambda txn: board_index.words_from(txn, sealer, BOARD, "zzz", 1 << 20))
    assert len(listed) == most and listed[0] == "zzzebra", "the shortest ones are kept"
    assert set(search(shelf, "zzze").scores) == {most + 1000}
    unlisted = "zzz004402" + "x" * (4402 % 7)
    assert unlisted not in listed and set(search(shelf, unlisted).scores) == {4001}


changes = st.lists(
    st.tuples(st.integers(1, 60), st.sets(st.sampled_from(WORDS), max_size=4)), min_size=1, max_size=60
)


@given(changes=changes, queries=st.lists(st.sampled_from(QUERIES), min_size=3, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_posting_changing_and_removing_keep_it_right(
    shelf: Shelf, changes: list[tuple[int, set[str]]], queries: list[str]
) -> None:
    """Any order of posts, edits (other words under the same number) and removals (no words)."""
    sealer = shelf.sealer
    posts: Posts = {}

    def job(txn: Transaction) -> None:
        for number in range(1, 61):
            board_index.take_out(txn, sealer, BOARD, number)
        for number, said in changes:
            board_index.take_out(txn, sealer, BOARD, number)
            posts.pop(number, None)
            if said:
                posts[number] = {word: 1 + len(word) for word in said}
                board_index.put(txn, sealer, BOARD, {number: posts[number]})
        board_index.advance(txn, BOARD, 60, len(posts) - board_index.mark(txn, BOARD).posts)

    shelf.store.write_now(job)
    for text in queries:
        right = naive(posts, text) if Query(text).words else set()
        assert set(search(shelf, text).scores) == right, text
