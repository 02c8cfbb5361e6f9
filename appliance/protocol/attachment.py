"""The attachment: a file cut into chunk envelopes that travel and are kept like messages.

Each chunk is AES-256-GCM under the attachment's own key, with its number as nonce; since the key is drawn
for one attachment, no nonce comes twice. The number of chunks is rounded up (Padmé) with zeros. The ids
of many chunks do not fit one message: they are then in index chunks, numbered after the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.errors import Refusal
from appliance.protocol.content import MAX_LISTED
from appliance.protocol.envelope import SIZES, VERSION, padme
from appliance.protocol.keys import domain

SIZE: Final = SIZES[-1]
PIECE: Final = SIZE - 1 - 16
"""Octets of the file in one chunk."""
MAX_CHUNKS: Final = 2000
IDS: Final = PIECE // 16
"""Chunk ids in one index chunk."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file travels: its octets, pieces that hold some, chunks with padding, index chunks after them."""

    size: int
    pieces: int
    count: int
    indexes: int


def plan(size: int) -> Plan:
    """The plan for a file of so many octets; Refusal too_large beyond MAX_CHUNKS."""
    pieces = max(1, -(-size // PIECE))
    count = padme(pieces)
    if count > MAX_CHUNKS:
        raise Refusal("too_large")
    return Plan(size, pieces, count, -(-count // IDS) if count > MAX_LISTED else 0)


def seal_chunk(key: bytes, plan: Plan, number: int, piece: bytes) -> bytes:
    """The envelope of chunk `number`; the piece is filled up with zeros."""
    filled = piece + bytes(PIECE - len(piece))
    return bytes((VERSION,)) + AESGCM(key).encrypt(_nonce(number), filled, _bound(plan, number))


def open_chunk(key: bytes, plan: Plan, number: int, envelope: bytes) -> bytes:
    """What chunk `number` holds, cut to the file's size; Refusal not_opened."""
    if len(envelope) != SIZE or envelope[0] != VERSION or not 0 <= number < plan.count + plan.indexes:
        raise Refusal("not_opened")
    try:
        piece = AESGCM(key).decrypt(_nonce(number), envelope[1:], _bound(plan, number))
    except InvalidTag as error:
        raise Refusal("not_opened") from error
    if number >= plan.count:
        return piece
    return piece[: max(0, min(PIECE, plan.size - number * PIECE))]


def index_pieces(plan: Plan, ids: Sequence[bytes]) -> list[bytes]:
    """The pieces of the index chunks, from the ids of the others in order; none for small attachments."""
    if not plan.indexes:
        return []
    return [b"".join(ids[at : at + IDS]) for at in range(0, plan.count, IDS)]


def read_index(plan: Plan, pieces: Sequence[bytes]) -> list[bytes]:
    """The ids of the chunks, from the opened index chunks in order."""
    ids = [piece[at : at + 16] for piece in pieces for at in range(0, IDS * 16, 16)]
    return ids[: plan.count]


def digest(content: bytes) -> bytes:
    """BLAKE2b-256 of a whole file, as the manifest names it."""
    return hashlib.blake2b(content, digest_size=32).digest()


def _nonce(number: int) -> bytes:
    return bytes(8) + number.to_bytes(4, "big")


def _bound(plan: Plan, number: int) -> bytes:
    return domain("attachment") + plan.count.to_bytes(4, "big") + number.to_bytes(4, "big")
