"""Which posts of a board have all words of a query, and how good each is: BM25, and new ones preferred.

The rarest word leads: its postings are read from the newest on, and only where it occurs are those of the
others looked up. So a search costs about what its rarest word costs, and of frequent words no more than the
newest posts that have them all.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from appliance.service import words
from appliance.store import board_index
from appliance.store.board_postings import Budget, Column, Spent
from appliance.store.storekey import Sealer
from appliance.store.transaction import Transaction

MOST_COMPLETIONS: Final = 64
_TAIL: Final = 3
"""Letters from which on the last word of a query may be a beginning."""


class Query:
    """What is sought: words as the index knows them; the last one may be a beginning."""

    def __init__(self, text: str) -> None:
        self.words = list(dict.fromkeys(words.words_of(text)))[: words.QUERY_WORDS]
        last = self.words[-1] if self.words else ""
        is_long = len(last) >= _TAIL or board_index.is_paired(last)
        self.beginning = last if is_long and not text[-1].isspace() else ""

    def __repr__(self) -> str:
        return "<Query>"


class Ranked(NamedTuple):
    """Scores by the numbers of posts; `partial` when the search had to stop before it had read all."""

    scores: dict[int, float]
    partial: bool = False


class _Term:
    """One word of a query on a board, with the words that it may be the beginning of."""

    def __init__(self, columns: Sequence[Column], posts: int) -> None:
        self._columns = columns
        self.size = sum(column.size for column in columns)
        self.rarity = math.log(1 + max(posts, self.size) / (self.size + 0.5))

    def blocks(self) -> Iterator[dict[int, int]]:
        """Weights by number, block after block, those with the newest posts first."""
        if len(self._columns) == 1:
            return self._columns[0].blocks()
        return heapq.merge(*(column.blocks() for column in self._columns), key=_newest, reverse=True)

    def among(self, numbers: Sequence[int]) -> dict[int, int]:
        """Weights in those of these posts (numbers rising) that have it."""
        first, *others = self._columns
        found = first.among(numbers)
        for column in others:
            more = column.among(numbers)
            for number in more.keys() & found.keys():
                more[number] = max(more[number], found[number])
            found |= more
        return found


def rank(
    txn: Transaction,
    sealer: Sealer,
    board: bytes,
    query: Query,
    posts: int,
    last: int,
    most: int,
    budget: Budget,
) -> Ranked:
    """At least the newest `most` posts that have all words, of a board with `posts` and this last number."""
    found: dict[int, float] = {}
    terms = _terms(txn, sealer, board, query, posts, budget)
    if not terms:
        return Ranked(found)
    first, *others = sorted(terms, key=lambda term: term.size)
    try:
        for block in first.blocks():
            for number, score in _scores(block, first, others).items():
                newness = 0.75 + 0.25 * number / last
                found[number] = max(found.get(number, 0.0), score * newness)
            if len(found) >= most:
                break
    except Spent:
        return Ranked(found, True)
    return Ranked(found)


def _terms(
    txn: Transaction, sealer: Sealer, board: bytes, query: Query, posts: int, budget: Budget
) -> list[_Term]:
    """The words of a query; none where one of them is in no post."""
    terms: list[_Term] = []
    for word in query.words:
        names = [word]
        if word == query.beginning:
            longer = board_index.words_from(txn, sealer, board, word, MOST_COMPLETIONS)
            names += [name for name in longer if name != word]
        columns = [board_index.column(txn, sealer, board, name, budget) for name in names]
        columns = [column for column in columns if column.size]
        if not columns:
            return []
        terms.append(_Term(columns, posts))
    return terms


def _scores(block: dict[int, int], first: _Term, others: Sequence[_Term]) -> dict[int, float]:
    """Those of a block that have the other words too, with the sum of what each word says."""
    scores = {number: first.rarity * weight for number, weight in block.items()}
    for term in others:
        if not scores:
            break
        weights = term.among(sorted(scores))
        scores = {number: scores[number] + term.rarity * weight for number, weight in weights.items()}
    return scores


def _newest(block: dict[int, int]) -> int:
    return next(reversed(block))
