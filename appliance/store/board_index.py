"""The index of a board's words: which posts have a word, how much, and how far the log is indexed.

Words are found by keyed hashes; beside them a list of words by their beginning serves prefixes. A posting is
(number u32, weight u8); postings of a word lie in blocks of rising numbers, each sealed. What a post was
indexed under is kept, so that it can be taken out when the post is gone. All of it is derived from the log:
the mark says up to which entry, and moves in the transaction that changes the rest.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from appliance.protocol import codec
from appliance.store.engine import Transaction
from appliance.store.schema import BOARD_INDEXED, BOARD_MARKS, BOARD_POSTINGS, BOARD_WORDS, prefix_end
from appliance.store.storekey import Sealer

MARK: Final = struct.Struct(">QQ")
"""Number of the last entry that is indexed; posts in the index."""
BLOCK: Final = 256
"""Postings of one block; full ones are cut in two, so that two lie on a page."""
HASH_SIZE: Final = 8

_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")


class Mark(NamedTuple):
    """How far the index is, and how many posts are in it."""

    last: int
    posts: int


class Postings(NamedTuple):
    """Posts that have a word: numbers rising, and the weight of the word in each."""

    numbers: array[int]
    weights: bytes


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
    fresh = [word for word, entries in by_word.items() if _insert(txn, sealer, board + hashes[word], entries)]
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
    words = codec.read(sealer.open(BOARD_INDEXED, key, value), list[str])
    gone = [word for word in words if _remove(txn, sealer, board + hash_of(sealer, board, word), number)]
    _name(txn, sealer, board, gone, add=False)
    txn.delete(BOARD_INDEXED, key)
    return True


def find(txn: Transaction, sealer: Sealer, board: bytes, word: str) -> Postings:
    """Every post that has a word."""
    start = board + hash_of(sealer, board, word)
    numbers: array[int] = array("I")
    weights: list[bytes] = []
    for key, value in txn.range(BOARD_POSTINGS, start, prefix_end(start)):
        block = _open(sealer, key, value)
        numbers.extend(block.numbers)
        weights.append(block.weights)
    return Postings(numbers, b"".join(weights))


def words_from(txn: Transaction, sealer: Sealer, board: bytes, beginning: str, limit: int) -> list[str]:
    """Words of the board that begin so (at least with what `family` takes), the shortest first."""
    key = board + _family(sealer, board, beginning)
    value = txn.get(BOARD_WORDS, key)
    if value is None:
        return []
    words = codec.read(sealer.open(BOARD_WORDS, key, value), list[str])
    return sorted((word for word in words if word.startswith(beginning)), key=len)[:limit]


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
        known = set() if value is None else set(codec.read(sealer.open(BOARD_WORDS, key, value), list[str]))
        left = known | changed if add else known - changed
        if left:
            txn.put(BOARD_WORDS, key, sealer.seal(BOARD_WORDS, key, codec.encode(sorted(left))))
        else:
            txn.delete(BOARD_WORDS, key)


def _insert(txn: Transaction, sealer: Sealer, word: bytes, entries: list[tuple[int, int]]) -> bool:
    """Add postings by rising number; True when the word had none."""
    first = True
    fresh = False
    at = 0
    while at < len(entries):
        # The block whose first number is not above this one takes it, and what follows up to the next block.
        number = entries[at][0]
        found = list(txn.range(BOARD_POSTINGS, word, word + _U32.pack(number + 1), True, 1))
        following = next(txn.keys(BOARD_POSTINGS, word + _U32.pack(number + 1), prefix_end(word), 1), None)
        if first:
            fresh, first = not found and following is None, False
        end = len(entries)
        if following is not None:
            bound = int(_U32.unpack(following[-4:])[0])
            end = next((i for i in range(at, end) if entries[i][0] > bound), end)
        old = Postings(array("I"), b"")
        if found:
            key, value = found[0]
            old = _open(sealer, key, value)
        _write(txn, sealer, word, _merged(old, entries[at:end]))
        at = end
    return fresh


def _merged(old: Postings, entries: list[tuple[int, int]]) -> Postings:
    """Postings with more of them, by rising number; nearly always they follow."""
    if old.numbers and old.numbers[-1] >= entries[0][0]:
        block = dict(zip(old.numbers, old.weights, strict=True)) | dict(entries)
        entries, old = sorted(block.items()), Postings(array("I"), b"")
    numbers = old.numbers + array("I", [number for number, _ in entries])
    return Postings(numbers, old.weights + bytes(weight for _, weight in entries))


def _remove(txn: Transaction, sealer: Sealer, word: bytes, number: int) -> bool:
    """Take one posting out; True when the word has none any more."""
    found = list(txn.range(BOARD_POSTINGS, word, word + _U32.pack(number + 1), True, 1))
    if found:
        key, value = found[0]
        block = _open(sealer, key, value)
        if number in block.numbers:
            at = block.numbers.index(number)
            txn.delete(BOARD_POSTINGS, key)
            left = block.numbers[:at] + block.numbers[at + 1 :]
            _write(txn, sealer, word, Postings(left, block.weights[:at] + block.weights[at + 1 :]))
    return not any(txn.keys(BOARD_POSTINGS, word, prefix_end(word), 1))


def _write(txn: Transaction, sealer: Sealer, word: bytes, block: Postings) -> None:
    """Write postings as one block or more, each under its first number."""
    for at in range(0, len(block.numbers), BLOCK):
        part = block.numbers[at : at + BLOCK]
        key = word + _U32.pack(part[0])
        if sys.byteorder == "little":
            part.byteswap()
        value = part.tobytes() + block.weights[at : at + BLOCK]
        txn.put(BOARD_POSTINGS, key, sealer.seal(BOARD_POSTINGS, key, value))


def _open(sealer: Sealer, key: bytes, value: bytes) -> Postings:
    data = sealer.open(BOARD_POSTINGS, key, value)
    count = len(data) // 5
    numbers = array("I")
    numbers.frombytes(data[: 4 * count])
    if sys.byteorder == "little":
        numbers.byteswap()
    return Postings(numbers, data[4 * count :])
