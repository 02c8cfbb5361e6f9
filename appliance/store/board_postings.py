"""Postings: for each word of a board the posts that have it, in sealed blocks of rising numbers.

A posting is (number u32, weight u8). A word has its blocks under a key of its own, each under its first
number, so a reader finds the newest posts at the end and the block of any one post by a single seek. How many
blocks a search opens is bounded by its budget, however many there are.
"""

from __future__ import annotations

import struct
import sys
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from appliance.store.engine import Transaction
from appliance.store.schema import BOARD_POSTINGS, prefix_end
from appliance.store.storekey import Sealer

BLOCK: Final = 256
"""Postings of one block; full ones are cut in two, so that two lie on a page."""
MOST_COUNTED: Final = 256
"""Blocks of a word that are counted; with more it is as frequent as can be."""

_OCTETS: Final = 5
_U32: Final = struct.Struct(">I")


class Spent(Exception):
    """A search has opened as many blocks as it may, or its time is over."""


class Budget:
    """What one search may still read; shared by all its words."""

    __slots__ = ("_blocks", "_until")

    def __init__(self, blocks: int, until: float) -> None:
        self._blocks = blocks
        self._until = until
        """By `time.monotonic`."""

    def is_late(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() > self._until

    def spend(self) -> None:
        """One more block; raises `Spent`."""
        self._blocks -= 1
        if self._blocks < 0 or self.is_late():
            raise Spent


class _Block(NamedTuple):
    """Numbers rising, and the weight of the word in each."""

    numbers: array[int]
    weights: bytes

    def by_number(self) -> dict[int, int]:
        """Weights by number."""
        return dict(zip(self.numbers, self.weights, strict=True))

    def look_up(self, wanted: Sequence[int], found: dict[int, int]) -> None:
        """Add the weights of those of these numbers that are here."""
        numbers, weights = self.numbers, self.weights
        if len(wanted) > _FEW:
            block = self.by_number()
            found.update([(number, block[number]) for number in block.keys() & wanted])
            return
        for number in wanted:
            place = bisect_left(numbers, number)
            if place < len(numbers) and numbers[place] == number:
                found[number] = weights[place]


_EMPTY: Final = _Block(array("I"), b"")
_FEW: Final = 24
"""So few are sought one by one; more are met at once, which wants the block as a dict."""


class Column:
    """The postings of one word, read as far as they are wanted: newest first, or those of some posts."""

    __slots__ = ("_block", "_budget", "_first", "_reach", "_sealer", "_txn", "_word", "size")

    def __init__(self, txn: Transaction, sealer: Sealer, word: bytes, budget: Budget) -> None:
        self._txn = txn
        self._sealer = sealer
        self._word = word
        self._budget = budget
        self._block = _EMPTY
        self._first = self._reach = -1  # the open block begins here, and no other does up to there
        self.size = self._measure()
        """About how many posts have the word; exact where they fit one block."""

    def _measure(self) -> int:
        end = prefix_end(self._word)
        count = sum(1 for _ in self._txn.keys(BOARD_POSTINGS, self._word, end, MOST_COUNTED))
        if not count:
            return 0
        _, newest = next(self._txn.range(BOARD_POSTINGS, self._word, end, True, 1))
        return (count - 1) * BLOCK + (len(newest) - Sealer.OVERHEAD) // _OCTETS

    def blocks(self) -> Iterator[dict[int, int]]:
        """Weights by number, block after block, newest first; numbers rise within each. Raises `Spent`."""
        for key, value in self._txn.range(BOARD_POSTINGS, self._word, prefix_end(self._word), True):
            self._budget.spend()
            yield _open(self._sealer, key, value).by_number()

    def among(self, numbers: Sequence[int]) -> dict[int, int]:
        """The weights in those of these posts (numbers rising) that have the word. Raises `Spent`."""
        found: dict[int, int] = {}
        stop = len(numbers)
        while stop:
            if not self._seek(numbers[stop - 1]):
                break
            start = bisect_left(numbers, self._first, 0, stop)
            self._block.look_up(numbers[start:stop], found)
            stop = start
        return found

    def _seek(self, number: int) -> bool:
        """Open the block in which a number would be; False when all begin after it."""
        if self._first <= number <= self._reach:
            return True
        rows = self._txn.range(BOARD_POSTINGS, self._word, self._word + _U32.pack(number + 1), True, 1)
        found = next(rows, None)
        if found is None:
            return False
        key, value = found
        first = _first(key)
        if first != self._first:
            self._budget.spend()
            self._block = _open(self._sealer, key, value)
        self._first, self._reach = first, number
        return True


def insert(txn: Transaction, sealer: Sealer, word: bytes, entries: list[tuple[int, int]]) -> bool:
    """Add postings (number, weight) by rising number; True when the word had none."""
    newest = next(txn.range(BOARD_POSTINGS, word, prefix_end(word), True, 1), None)
    if newest is None:
        _write(txn, sealer, word, _merged(_EMPTY, entries))
        return True
    at = 0
    while at < len(entries) and entries[at][0] < _first(newest[0]):  # posts that were edited
        at = _insert_before(txn, sealer, word, entries, at)
    if at < len(entries):
        _append(txn, sealer, word, newest, entries[at:])
    return False


def _append(
    txn: Transaction, sealer: Sealer, word: bytes, row: tuple[bytes, bytes], entries: list[tuple[int, int]]
) -> None:
    """Put entries into the newest block; nearly always they follow what it has, and fit."""
    key, value = row
    data = sealer.open(BOARD_POSTINGS, key, value)
    count = len(data) // _OCTETS
    if count + len(entries) > BLOCK or entries[0][0] <= _U32.unpack_from(data, 4 * count - 4)[0]:
        _write(txn, sealer, word, _merged(_open(sealer, key, value), entries))
        return
    numbers = b"".join([_U32.pack(number) for number, _ in entries])
    weights = bytes([weight for _, weight in entries])
    data = data[: 4 * count] + numbers + data[4 * count :] + weights
    txn.put(BOARD_POSTINGS, key, sealer.seal(BOARD_POSTINGS, key, data))


def _insert_before(
    txn: Transaction, sealer: Sealer, word: bytes, entries: list[tuple[int, int]], at: int
) -> int:
    """Put in as many entries from this place on as go before the following block; the place after them."""
    # The block whose first number is not above this one takes it, and what follows up to the next block.
    number = entries[at][0]
    found = _block_of(txn, sealer, word, number)
    following = next(txn.keys(BOARD_POSTINGS, word + _U32.pack(number + 1), prefix_end(word), 1))
    bound = _first(following)
    end = next((i for i in range(at, len(entries)) if entries[i][0] >= bound), len(entries))
    _write(txn, sealer, word, _merged(found or _EMPTY, entries[at:end]))
    return end


def remove(txn: Transaction, sealer: Sealer, word: bytes, number: int) -> bool:
    """Take one posting out; True when the word has none any more."""
    block = _block_of(txn, sealer, word, number)
    if block is not None and number in block.numbers:
        at = block.numbers.index(number)
        txn.delete(BOARD_POSTINGS, word + _U32.pack(block.numbers[0]))
        left = block.numbers[:at] + block.numbers[at + 1 :]
        _write(txn, sealer, word, _Block(left, block.weights[:at] + block.weights[at + 1 :]))
    return not any(txn.keys(BOARD_POSTINGS, word, prefix_end(word), 1))


def _merged(old: _Block, entries: list[tuple[int, int]]) -> _Block:
    """Postings with more of them, by rising number; nearly always they follow."""
    if old.numbers and old.numbers[-1] >= entries[0][0]:
        block = dict(zip(old.numbers, old.weights, strict=True)) | dict(entries)
        entries, old = sorted(block.items()), _EMPTY
    numbers = old.numbers + array("I", [number for number, _ in entries])
    return _Block(numbers, old.weights + bytes(weight for _, weight in entries))


def _write(txn: Transaction, sealer: Sealer, word: bytes, block: _Block) -> None:
    """Write postings as one block or more, each under its first number."""
    for at in range(0, len(block.numbers), BLOCK):
        part = block.numbers[at : at + BLOCK]
        key = word + _U32.pack(part[0])
        if sys.byteorder == "little":
            part.byteswap()
        value = part.tobytes() + block.weights[at : at + BLOCK]
        txn.put(BOARD_POSTINGS, key, sealer.seal(BOARD_POSTINGS, key, value))


def _block_of(txn: Transaction, sealer: Sealer, word: bytes, number: int) -> _Block | None:
    """The block whose first number is not above this one."""
    found = next(txn.range(BOARD_POSTINGS, word, word + _U32.pack(number + 1), True, 1), None)
    return None if found is None else _open(sealer, *found)


def _first(key: bytes) -> int:
    return int(_U32.unpack(key[-4:])[0])


def _open(sealer: Sealer, key: bytes, value: bytes) -> _Block:
    data = sealer.open(BOARD_POSTINGS, key, value)
    count = len(data) // _OCTETS
    numbers = array("I")
    numbers.frombytes(data[: 4 * count])
    if sys.byteorder == "little":
        numbers.byteswap()
    return _Block(numbers, data[4 * count :])
