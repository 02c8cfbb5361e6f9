"""Rooms: boards that the boxes which their admins trust may read, entry by entry (SPEC.md, "Rooms").

A room's id is the board's: it stands in every signed value, so whoever keeps a copy keeps the id. A peer is
known by its onion key, with which it signs each request.
"""

from __future__ import annotations

import hashlib
from base64 import b32decode, b32encode
from binascii import Error as BadBase32
from typing import Annotated, Final, NamedTuple

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec, onion
from appliance.protocol.board import MAX_SIGNED, About, Days, Title
from appliance.protocol.directory import Signed
from appliance.protocol.keys import SigningKey, verify
from appliance.protocol.log import Number, Removed
from appliance.protocol.mailbox import unsigned
from appliance.protocol.messages import Authorisation, Bytes16, Bytes32, Message

MAX_ENTRIES: Final = 128
"""Entries in one answer."""
MAX_OCTETS: Final = 1 << 20
"""Octets of signed values in one answer; the first entry is there whatever its size."""

MAX_PAGE_OCTETS: Final = 2 << 20
"""Octets of one answer as it travels: the values, and each author's entry of at most 4,096."""

_CONTEXT: Final = "room"

Hour = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class FetchRoom(Message):
    """Read a room's entries after a number, as the box with the onion key `peer`; `limit` 0: what it is."""

    room: Bytes16
    peer: Bytes32
    auth: Authorisation
    after: Number = 0
    limit: Annotated[int, msgspec.Meta(ge=0, le=MAX_ENTRIES)] = 64


class RoomEntry(Message, omit_defaults=False):
    """An entry of the board's log: the signed value, or by whom it was removed."""

    number: Number
    id: Bytes16
    hour: Hour
    signed: Annotated[bytes, msgspec.Meta(max_length=MAX_SIGNED)] | None
    removed: Removed | None


class RoomPage(Message, omit_defaults=False):
    """What the board is like, and entries by rising number with the directory entries of who signed them.

    Reading goes on after `next`, at once if `more`; `last` is the highest number. `nonce` serves the next
    request.
    """

    room: Bytes16
    title: Title
    about: About
    days: Days
    threads: Number
    posts: Number
    last: Number
    entries: Annotated[list[RoomEntry], msgspec.Meta(max_length=MAX_ENTRIES)]
    next: Number
    more: bool
    authors: Annotated[list[Signed], msgspec.Meta(max_length=MAX_ENTRIES)]
    nonce: Bytes32


class RoomAddress(NamedTuple):
    """Where a room is: the onion key of its home, and its id."""

    home: bytes
    room: bytes

    def __repr__(self) -> str:
        return "<RoomAddress>"


def write_address(address: RoomAddress) -> str:
    """The line to hand over: "<onion address>/<id in base32>"."""
    return f"{onion.address(address.home)}/{b32encode(address.room).decode().rstrip('=').lower()}"


def read_address(text: str) -> RoomAddress:
    """The home and the room in such a line; Refusal bad_room."""
    home, _, room = "".join(text.split()).partition("/")
    try:
        octets = b32decode(room.upper() + "=" * (-len(room) % 8))
        public = onion.public_key(home)
    except (BadBase32, ValueError, Refusal) as error:
        raise Refusal("bad_room") from error
    if len(octets) != 16:
        raise Refusal("bad_room")
    return RoomAddress(public, octets)


def sign_fetch(identity: SigningKey, host: str, nonce: bytes, request: FetchRoom) -> FetchRoom:
    """The same request, signed by the peer's identity for the home at `host`."""
    signature = identity.sign(_CONTEXT, _binding(host, request, nonce))
    return msgspec.structs.replace(request, auth=Authorisation(nonce=nonce, signature=signature))


def verify_fetch(request: FetchRoom, host: str) -> None:
    """Refusal signature unless the peer it names signed exactly this request for this host."""
    verify(request.peer, request.auth.signature, _CONTEXT, _binding(host, request, request.auth.nonce))


def _binding(host: str, request: FetchRoom, nonce: bytes) -> bytes:
    return codec.encode([host, hashlib.sha256(unsigned(request)).digest(), nonce])
