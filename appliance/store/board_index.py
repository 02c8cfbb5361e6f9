"""The index of a board's words: which posts have a word, how much, and how far the log is indexed.

Words are found by keyed hashes, under which their postings lie (`board_postings`); beside them a list of
words by their beginning serves prefixes. What a post was indexed under is kept, so that it can be taken out
when the post is gone. All of it is derived from the log: the mark says up to which entry, and moves in the
transaction that changes the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from appliance.protocol import codec
from appliance.store import board_postings
from appliance.store.board_postings import Budget, Column
from appliance.store.engine import Transaction
from appliance.store.schema import BOARD_INDEXED, BOARD_MARKS, BOARD_POSTINGS, BOARD_WORDS
from appliance.store.storekey import Sealer

MARK: Final = struct.Struct(">QQ")
"""Number of the last entry that is indexed; posts in the index."""
MOST_LISTED: Final = 4096
"""Words with the same beginning that are listed, the shortest ones; a query can name the others whole."""
HASH_SIZE: Final = 8

_U64: Final = struct.Struct(">Q")


class Mark(NamedTuple):
    """How far the index is, and how many posts are in it."""

    last: int
    posts: int


def mark(txn: Transaction, board: bytes) -> Mark:
    """How far a board is indexed."""
    value = txn.get(BOARD_MARKS, board)
    return Mark(0, 0) if value is None else Mark(*MARK.unpack(value))


def advance(txn: Transaction, board: bytes, last: int, grown: int = 0) -> None:
    """Entries up to `last` are indexed; the index has `grown` by so many posts."""
    old = mark(txn, board)
    txn.put(BOARD_MARKS, board, MARK.pack(max(old.last, last), max(0, old.posts + grown)))


def hash_of(sealer: Sealer, board: bytes, word: str) -> bytes:
    """What stands for a word in the file."""
    return sealer.blind(BOARD_POSTINGS, board + word.encode())[:HASH_SIZE]


def put(txn: Transaction, sealer: Sealer, board: bytes, posts: Mapping[int, Mapping[str, int]]) -> None:
    """Index posts by number, each with the weights of its words. What they had before must be taken out."""
    by_word: dict[str, list[tuple[int, int]]] = {}
    for number in sorted(posts):
        for word, weight in posts[number].items():
            by_word.setdefault(word, []).append((number, weight))
    hashes = {word: hash_of(sealer, board, word) for word in by_word}
    insert = board_postings.insert
    fresh = [word for word, entries in by_word.items() if insert(txn, sealer, board + hashes[word], entries)]
    _name(txn, sealer, board, fresh, add=True)
    for number, words in posts.items():
        key = board + _U64.pack(number)
        txn.put(BOARD_INDEXED, key, sealer.seal(BOARD_INDEXED, key, codec.encode(list(words))))


def take_out(txn: Transaction, sealer: Sealer, board: bytes, number: int) -> bool:
    """Remove a post from the index, and words that no other post has. False when it is not in it."""
    key = board + _U64.pack(number)
    value = txn.get(BOARD_INDEXED, key)
    if value is None:
        return False
    words = codec.read_own(sealer.open(BOARD_INDEXED, key, value), list[str])
    remove = board_postings.remove
    gone = [word for word in words if remove(txn, sealer, board + hash_of(sealer, board, word), number)]
    _name(txn, sealer, board, gone, add=False)
    txn.delete(BOARD_INDEXED, key)
    return True


def column(txn: Transaction, sealer: Sealer, board: bytes, word: str, budget: Budget) -> Column:
    """The posts that have a word, to be read as far as they are wanted."""
    return Column(txn, sealer, board + hash_of(sealer, board, word), budget)


def words_from(txn: Transaction, sealer: Sealer, board: bytes, beginning: str, limit: int) -> list[str]:
    """Words of the board that begin so (at least with what `family` takes), the shortest first."""
    key = board + _family(sealer, board, beginning)
    value = txn.get(BOARD_WORDS, key)
    if value is None:
        return []
    words = codec.read_own(sealer.open(BOARD_WORDS, key, value), list[str])
    return sorted((word for word in words if word.startswith(beginning)), key=_length_first)[:limit]


def family(word: str) -> str:
    """The beginning under which a word is listed: three letters, one of scripts that are taken in pairs."""
    return word[:1] if is_paired(word) else word[:3]


def is_paired(word: str) -> bool:
    """Whether a word is of a script without spaces, which is taken in pairs of letters."""
    return bool(word) and word[0] >= "\u0e00" and len(word) <= 2


def _family(sealer: Sealer, board: bytes, word: str) -> bytes:
    return sealer.blind(BOARD_WORDS, board + family(word).encode())[:HASH_SIZE]


def _name(txn: Transaction, sealer: Sealer, board: bytes, words: Iterable[str], add: bool) -> None:
    """Put words into the lists of words, or take them out."""
    by_family: dict[bytes, set[str]] = {}
    for word in words:
        by_family.setdefault(board + _family(sealer, board, word), set()).add(word)
    for key, changed in by_family.items():
        value = txn.get(BOARD_WORDS, key)
        known = (
            set() if value is None else set(codec.read_own(sealer.open(BOARD_WORDS, key, value), list[str]))
        )
        left = sorted(known | changed if add else known - changed, key=_length_first)[:MOST_LISTED]
        if left:
            txn.put(BOARD_WORDS, key, sealer.seal(BOARD_WORDS, key, codec.encode(left)))
        else:
            txn.delete(BOARD_WORDS, key)


def _length_first(word: str) -> tuple[int, str]:
    return len(word), word
