"""The directory log: signed entries in order, and the nodes of the Merkle tree over them.

Kept are the leaves and the hash of every perfect subtree, written once when its last leaf comes: two hashes
a leaf in all. A perfect subtree never changes, so root and proofs of the tree at any earlier size come from
the same table; what is ragged on the right is folded together when it is asked for, in O(log n) reads.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from appliance.protocol import transparency
from appliance.store.schema import LOG_LEAVES, LOG_NODES
from appliance.store.transaction import Transaction

_U64 = struct.Struct(">Q")
_NODE: Final = struct.Struct(">BQ")


def size(txn: Transaction) -> int:
    """How many leaves there are."""
    return txn.count(LOG_LEAVES)


def append(txn: Transaction, entry: bytes) -> int:
    """Add a leaf and every subtree that it completes; its index."""
    index = size(txn)
    txn.put(LOG_LEAVES, _U64.pack(index), entry, append=True)
    txn.put(LOG_NODES, _NODE.pack(0, index), transparency.leaf_hash(entry))
    node = nodes(txn)
    for level, at in transparency.completed(index + 1):
        both = transparency.node_hash(node(level - 1, 2 * at), node(level - 1, 2 * at + 1))
        txn.put(LOG_NODES, _NODE.pack(level, at), both)
    return index


def leaf(txn: Transaction, index: int) -> bytes | None:
    """The entry at an index."""
    return txn.get(LOG_LEAVES, _U64.pack(index))


def leaves(txn: Transaction, start: int) -> Iterator[bytes]:
    """The entries from `start` on, in order."""
    for _, entry in txn.range(LOG_LEAVES, _U64.pack(start)):
        yield entry


def nodes(txn: Transaction) -> transparency.Node:
    """The perfect subtrees, as the functions of `protocol.transparency` read them."""

    def node(level: int, index: int) -> bytes:
        digest = txn.get(LOG_NODES, _NODE.pack(level, index))
        if digest is None:
            raise LookupError(f"the log has no node {level}/{index}")
        return digest

    return node


def root(txn: Transaction, leaves: int) -> bytes:
    """The 32-byte root of the tree of the first `leaves` leaves, which must be there."""
    return transparency.root(nodes(txn), leaves)


def inclusion(txn: Transaction, index: int, leaves: int) -> list[bytes]:
    """The audit path of a leaf in the tree of the first `leaves` leaves; 0 <= index < leaves."""
    return transparency.prove_inclusion(nodes(txn), index, leaves)


def consistency(txn: Transaction, first: int, second: int) -> list[bytes]:
    """The proof that the tree of `first` leaves is a prefix of that of `second`; 0 <= first <= second."""
    return transparency.prove_consistency(nodes(txn), first, second)
