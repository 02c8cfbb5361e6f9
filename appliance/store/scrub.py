"""Scrubbing: blanks what lies in the data file beside live values, so that what was deleted is gone from it.

LMDB writes changed pages elsewhere and keeps the old ones, with all their octets, until they are used again;
and on a live page the octets of a removed row stay in the gap between its pointers and its nodes. A copy of
the file, also a "compact" one, carries those gaps along. So this works on the file itself, in place:

- a page that the list of free pages names, or that lies behind the last one in use, becomes zeros;
- on a live branch or leaf page the gap becomes zeros. LMDB never reads it, and the rest of the page is left
  as it is, so a power cut can lose no more than octets that mean nothing.

It may run only while nothing commits and nobody reads an older snapshot, since the newest free pages are
part of those: `Store.scrub` sees to that. What it believes about the file's layout (LMDB 0.9, format 1, 64
bits) is compared with what the library says of the same transaction; if they differ, nothing is touched.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

_MAGIC: Final = 0xBEEFC0DE
_FORMAT: Final = 1
_HEAD: Final = struct.Struct("<QHHHH")
"""Page number, padding, flags, lower and upper end of the gap (or, as one u32, how many pages)."""
_META: Final = struct.Struct("<IIQQ")
"""Magic, format, address, size of the map."""
_TREE: Final = struct.Struct("<IHHQQQQQ")
"""Padding, flags, depth, branch, leaf and overflow pages, entries, root."""
_TAIL: Final = struct.Struct("<QQ")
"""Last page in use, transaction."""
_NODE: Final = struct.Struct("<HHHH")
"""Low and high half of the data's size (or of a page number), flags (or its third part), size of the key."""

_BRANCH: Final = 0x01
_LEAF: Final = 0x02
_OVERFLOW: Final = 0x04
_BIG: Final = 0x01
"""A node's data stands on overflow pages."""
_NO_ROOT: Final = (1 << 64) - 1
_FIRST: Final = 2
"""The pages before it are the two meta pages."""


class Known(NamedTuple):
    """What the library says of the newest transaction."""

    page: int
    transaction: int
    last: int
    entries: int
    depth: int

    @classmethod
    def of(cls, info: Any, stat: Any) -> Known:
        """From what the library answers."""
        return cls(stat["psize"], info["last_txnid"], info["last_pgno"], stat["entries"], stat["depth"])


class Scrubbed(NamedTuple):
    """What one step did: the page to go on with (0: the end was reached), pages and gaps blanked."""

    following: int
    pages: int
    gaps: int


class UnknownLayout(Exception):
    """The file is not laid out as this module believes; nothing was changed."""


class _Meta(NamedTuple):
    free_root: int
    entries: int
    depth: int
    last: int
    transaction: int


def scrub(path: Path, known: Known, start: int, count: int) -> Scrubbed:
    """Blank what is not live on `count` pages from `start` on, durably."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        done = _scrub(file, known, start, count)
        if done.pages or done.gaps:
            os.fdatasync(file)
        return done
    finally:
        os.close(file)


def _scrub(file: int, known: Known, start: int, count: int) -> Scrubbed:
    meta = _newest(file, known.page)
    if (meta.transaction, meta.last, meta.entries, meta.depth) != known[1:]:
        raise UnknownLayout
    free = set(_free_pages(file, known.page, meta.free_root))
    end = os.fstat(file).st_size // known.page
    at = max(start, _FIRST)
    stop = min(at + count, end)
    if at >= stop:
        return Scrubbed(0, 0, 0)
    octets = os.pread(file, (stop - at) * known.page, at * known.page)
    step = _Step(file, known.page, at, octets)
    while step.page < stop:
        if step.page > meta.last or step.page in free:
            step.blank()
        else:
            step.tidy()
    step.flush()
    return Scrubbed(0 if step.page >= end else step.page, step.pages, step.gaps)


class _Step:
    """One stretch of the file; neighbouring blank pages are written at once."""

    def __init__(self, file: int, size: int, page: int, octets: bytes) -> None:
        self._file = file
        self._size = size
        self._first = page
        self._octets = memoryview(octets)
        self._zeros = bytes(size)
        self._run = (page, 0)
        self.page = page
        self.pages = 0
        self.gaps = 0

    def blank(self) -> None:
        """This page holds nothing."""
        if self._content() != self._zeros:
            begin, length = self._run
            if begin + length != self.page:
                self.flush()
                begin, length = self.page, 0
            self._run = (begin, length + 1)
            self.pages += 1
        self.page += 1

    def tidy(self) -> None:
        """This page is live: blank its gap; pass over a large value as a whole."""
        content = self._content()
        number, _, flags, lower, upper = _HEAD.unpack_from(content)
        if number == self.page and flags & _OVERFLOW:
            self.page += max(1, lower | upper << 16)
            return
        is_tree = number == self.page and flags & (_BRANCH | _LEAF) and flags & ~0x8013 == 0
        if is_tree and _HEAD.size <= lower < upper <= self._size and any(content[lower:upper]):
            os.pwrite(self._file, self._zeros[: upper - lower], self.page * self._size + lower)
            self.gaps += 1
        self.page += 1

    def flush(self) -> None:
        """Write the blank pages that wait."""
        begin, length = self._run
        if length:
            os.pwrite(self._file, bytes(length * self._size), begin * self._size)
        self._run = (self.page, 0)

    def _content(self) -> memoryview:
        begin = (self.page - self._first) * self._size
        return self._octets[begin : begin + self._size]


def _newest(file: int, size: int) -> _Meta:
    found = [_meta(os.pread(file, size, number * size)) for number in range(_FIRST)]
    return max(found, key=lambda meta: meta.transaction)


def _meta(page: bytes) -> _Meta:
    at = _HEAD.size
    magic, version, _, _ = _META.unpack_from(page, at)
    if (magic, version) != (_MAGIC, _FORMAT):
        raise UnknownLayout
    free = _TREE.unpack_from(page, at + _META.size)
    main = _TREE.unpack_from(page, at + _META.size + _TREE.size)
    last, transaction = _TAIL.unpack_from(page, at + _META.size + 2 * _TREE.size)
    return _Meta(free[7], main[6], main[2], last, transaction)


def _free_pages(file: int, size: int, root: int) -> Iterator[int]:
    """The numbers of free pages: the lists in the leaves of the tree at `root`."""
    waiting = [] if root == _NO_ROOT else [root]
    while waiting:
        number = waiting.pop()
        page = os.pread(file, size, number * size)
        named, _, flags, lower, _ = _HEAD.unpack_from(page)
        if named != number or not flags & (_BRANCH | _LEAF):
            raise UnknownLayout
        for (at,) in struct.iter_unpack("<H", page[_HEAD.size : lower]):
            low, high, more, key = _NODE.unpack_from(page, at)
            if flags & _BRANCH:
                waiting.append(low | high << 16 | more << 32)
                continue
            length, begin = low | high << 16, at + _NODE.size + key
            if more & _BIG:
                (place,) = struct.unpack_from("<Q", page, begin)
                value = os.pread(file, length, place * size + _HEAD.size)
            else:
                value = page[begin : begin + length]
            yield from _listed(value)


def _listed(value: bytes) -> array[int]:
    """The numbers of one list, which begins with how many there are."""
    numbers = array("Q")
    numbers.frombytes(value)
    if not numbers or numbers[0] != len(numbers) - 1:
        raise UnknownLayout
    return numbers[1:]
