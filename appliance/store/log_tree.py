"""The directory log: signed entries in order under a Merkle tree (RFC 6962 §2.1).

Kept are the leaves and the hash of every perfect subtree, written once when its last leaf comes: two hashes
a leaf in all. A perfect subtree never changes, so root and proofs of the tree at any earlier size come from
the same table; what is ragged on the right is folded together when it is asked for, in O(log n) reads.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import Final

from appliance.store.schema import LOG_LEAVES, LOG_NODES
from appliance.store.transaction import Transaction

_U64 = struct.Struct(">Q")
_NODE: Final = struct.Struct(">BQ")


def leaf_hash(entry: bytes) -> bytes:
    """The 32-byte hash of one leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def size(txn: Transaction) -> int:
    """How many leaves there are."""
    return txn.count(LOG_LEAVES)


def append(txn: Transaction, entry: bytes) -> int:
    """Add a leaf and every subtree that it completes; its index."""
    index = size(txn)
    txn.put(LOG_LEAVES, _U64.pack(index), entry, append=True)
    level, at, digest = 0, index, leaf_hash(entry)
    txn.put(LOG_NODES, _NODE.pack(level, at), digest)
    while at & 1:
        digest = node_hash(_node(txn, level, at - 1), digest)
        level, at = level + 1, at >> 1
        txn.put(LOG_NODES, _NODE.pack(level, at), digest)
    return index


def leaf(txn: Transaction, index: int) -> bytes | None:
    """The entry at an index."""
    return txn.get(LOG_LEAVES, _U64.pack(index))


def leaves(txn: Transaction, start: int) -> Iterator[bytes]:
    """The entries from `start` on, in order."""
    for _, entry in txn.range(LOG_LEAVES, _U64.pack(start)):
        yield entry


def root(txn: Transaction, leaves: int) -> bytes:
    """The 32-byte root of the tree of the first `leaves` leaves, which must be there."""
    return _fold(txn, 0, leaves) if leaves else hashlib.sha256().digest()


def inclusion(txn: Transaction, index: int, leaves: int) -> list[bytes]:
    """The audit path of a leaf in the tree of the first `leaves` leaves; 0 <= index < leaves."""
    path: list[bytes] = []
    start, end = 0, leaves
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_fold(txn, middle, end))
            end = middle
        else:
            path.append(_fold(txn, start, middle))
            start = middle
    return path[::-1]


def consistency(txn: Transaction, first: int, second: int) -> list[bytes]:
    """The proof that the tree of `first` leaves is a prefix of that of `second`; 0 <= first <= second.

    Empty where nothing has to be proven: from the empty tree, or to the same one.
    """
    if first in (0, second):
        return []
    path: list[bytes] = []
    start, end = 0, second
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_fold(txn, middle, end))
            end = middle
        else:
            path.append(_fold(txn, start, middle))
            start = middle
    # Where the old tree is itself a left subtree of the new one, its root is known to who asks.
    if start:
        path.append(_fold(txn, start, end))
    return path[::-1]


def _fold(txn: Transaction, start: int, end: int) -> bytes:
    """The hash over leaves start <= i < end, where `start` is a multiple of the largest part."""
    peaks: list[bytes] = []
    at = start
    while at < end:
        level = (end - at).bit_length() - 1
        peaks.append(_node(txn, level, at >> level))
        at += 1 << level
    digest = peaks.pop()
    while peaks:
        digest = node_hash(peaks.pop(), digest)
    return digest


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _node(txn: Transaction, level: int, index: int) -> bytes:
    digest = txn.get(LOG_NODES, _NODE.pack(level, index))
    if digest is None:
        raise LookupError(f"the log has no node {level}/{index}")
    return digest
