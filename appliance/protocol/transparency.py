"""The transparency log: an append-only Merkle tree (RFC 6962) of directory entries, and its checkpoints.

A box that shows two people different keys for one name must show them different trees, and a checkpoint
is a signature it cannot take back. The store reads its nodes through a function, so proofs are made here
for a tree of any size without holding it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final

from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.directory import Bundle, Entry, Found
from appliance.protocol.keys import SigningKey, verify_plain
from appliance.protocol.messages import Bytes32, Message
from appliance.protocol.prekeys import check_entry, read_bundle, read_entry

HASH: Final = 32
MAX_NOTE: Final = 4096
"""Characters of a checkpoint."""
MAX_PROOF: Final = 128
"""Hashes in a proof; twice the depth of the largest tree."""

Node = Callable[[int, int], bytes]
"""(level, index) → hash of the perfect subtree of 2^level leaves that begins at leaf index · 2^level."""

_SIGNATURE_KIND: Final = b"\x01"
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}")


class Head(Message):
    """A tree as a checkpoint names it: whose, how many leaves, their root hash."""

    origin: str
    size: int
    root: Bytes32


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf: SHA-256(00 ‖ signed entry)."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def completed(size: int) -> list[tuple[int, int]]:
    """The perfect subtrees, as (level, index), that the last of `size` leaves completes, lowest first."""
    found, level = [], 1
    while size and size % (1 << level) == 0:
        found.append((level, (size >> level) - 1))
        level += 1
    return found


def nodes_of(leaves: Sequence[bytes]) -> Node:
    """The nodes over leaf hashes held in memory (for tests and small trees)."""

    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def root(node: Node, size: int) -> bytes:
    """The root hash over the first `size` leaves; of none SHA-256 of nothing."""
    return _range(node, 0, size) if size else hashlib.sha256(b"").digest()


def prove_inclusion(node: Node, index: int, size: int) -> list[bytes]:
    """The audit path (RFC 6962 §2.1.1) of leaf `index` in the tree of `size`; ValueError outside it."""
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(node, middle, high))
            high = middle
        else:
            path.append(_range(node, low, middle))
            low = middle
    return path[::-1]


def prove_consistency(node: Node, first: int, second: int) -> list[bytes]:
    """The proof (RFC 6962 §2.1.2) that the tree of `first` leaves is a prefix of that of `second`."""
    if not 0 <= first <= second:
        raise ValueError("no such trees")
    if first in (0, second):
        return []
    path: list[bytes] = []
    low, high, whole = 0, second, True
    while first - low != high - low:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(_range(node, middle, high))
            high = middle
        else:
            path.append(_range(node, low, middle))
            low, whole = middle, False
    if not whole:
        path.append(_range(node, low, high))
    return path[::-1]


def check_inclusion(head: Head, entry: bytes, index: int, hashes: Sequence[bytes]) -> None:
    """Refusal bad_log unless this signed entry is leaf `index` of the tree (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < head.size or not _are_hashes(hashes):
        raise Refusal("bad_log")
    at, last, value = index, head.size - 1, leaf_hash(entry)
    for each in hashes:
        if last == 0:
            raise Refusal("bad_log")
        if at & 1 or at == last:
            value = node_hash(each, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = node_hash(value, each)
        at, last = at >> 1, last >> 1
    if last or value != head.root:
        raise Refusal("bad_log")


def check_consistency(older: Head, newer: Head, hashes: Sequence[bytes]) -> None:
    """Refusal bad_log unless the older tree is a prefix of the newer one (RFC 9162 §2.1.4.2)."""
    if older.origin != newer.origin or not 0 <= older.size <= newer.size or not _are_hashes(hashes):
        raise Refusal("bad_log")
    if older.size in (0, newer.size):
        if hashes or (older.size and older.root != newer.root):
            raise Refusal("bad_log")
        return
    at, last = older.size - 1, newer.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    # A prefix that is a perfect subtree is its own beginning of the proof.
    path = list(hashes) if at else [older.root, *hashes]
    if not path:
        raise Refusal("bad_log")
    old = new = path[0]
    for each in path[1:]:
        if last == 0:
            raise Refusal("bad_log")
        if at & 1 or at == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, each)
        at, last = at >> 1, last >> 1
    if last or old != older.root or new != newer.root:
        raise Refusal("bad_log")


def origin(box: bytes) -> str:
    """The log's name of the box with this public key."""
    return onion.address(box) + "/directory"


def write_checkpoint(box: SigningKey, size: int, root: bytes) -> str:
    """The C2SP signed note of a tree, by the box's identity."""
    name = origin(box.public)
    body = f"{name}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = _key_hash(name, box.public) + box.sign_plain(body.encode())
    return f"{body}\n\u2014 {name} {base64.b64encode(signature).decode()}\n"


def read_checkpoint(note: str, box: bytes) -> Head:
    """The tree in a note that the box with this public key signed; Refusal bad_log.

    Signatures of others (witnesses) may stand beside the box's and are passed over.
    """
    name = origin(box)
    body, gap, signatures = note.partition("\n\n")
    lines = body.split("\n")
    if len(note) > MAX_NOTE or not gap or len(lines) != 3 or not signatures.endswith("\n"):
        raise Refusal("bad_log")
    if lines[0] != name or not _SIZE.fullmatch(lines[1]):
        raise Refusal("bad_log")
    signed = _signature(signatures, name, box)
    try:
        verify_plain(box, signed, f"{body}\n".encode())
        return Head(name, int(lines[1]), _base64(lines[2], HASH))
    except Refusal as error:
        raise Refusal("bad_log") from error


def check_found(
    found: Found, name: str, box: bytes, identity: bytes | None, older: Head | None, revision: int = 0
) -> tuple[Entry, list[Bundle], Head]:
    """All a client checks of a look-up: entry, log, bundles.

    `identity`, `revision` and `older` are what the client remembers of the person's entry and of the box's
    log. Refusal bad_entry, old_entry or bad_log; bundles that are not right are left out, since the other
    devices are not to suffer.
    """
    entry = read_entry(found.entry)
    check_entry(entry, name, box, identity, revision)
    head = read_checkpoint(found.proof.checkpoint, box)
    check_inclusion(head, found.entry, found.proof.index, found.proof.hashes)
    if older is not None:
        check_consistency(older, head, found.proof.consistency or [])
    bundles: dict[bytes, Bundle] = {}
    for signed in found.bundles[: len(entry.devices)]:
        try:
            bundle = read_bundle(signed, entry)
        except Refusal:
            continue
        bundles.setdefault(bundle.device, bundle)
    return entry, list(bundles.values()), head


def _split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962: k)."""
    return 1 << (count - 1).bit_length() - 1


def _range(node: Node, low: int, high: int) -> bytes:
    """The hash over leaves low..high-1; `low` is a multiple of the power of two that spans them."""
    count = high - low
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, low >> level)
    middle = low + _split(count)
    return node_hash(_range(node, low, middle), _range(node, middle, high))


def _are_hashes(hashes: Sequence[bytes]) -> bool:
    return len(hashes) <= MAX_PROOF and all(len(each) == HASH for each in hashes)


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _SIGNATURE_KIND + public).digest()[:4]


def _signature(lines: str, name: str, public: bytes) -> bytes:
    """The box's own signature among a note's signature lines."""
    for line in lines[:-1].split("\n"):
        mark, _, rest = line.partition(" ")
        who, _, text = rest.partition(" ")
        if mark != "\u2014" or not who or not text:
            raise Refusal("bad_log")
        if who == name:
            signature = _base64(text, 4 + 64)
            if signature[:4] == _key_hash(name, public):
                return signature[4:]
    raise Refusal("bad_log")


def _base64(text: str, size: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise Refusal("bad_log") from error
    if len(data) != size or base64.b64encode(data).decode() != text:
        raise Refusal("bad_log")
    return data
