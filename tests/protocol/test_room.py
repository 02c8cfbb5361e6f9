"""Rooms: what a peer signs holds for one request only; addresses are read as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK
from appliance.protocol.room import (
    MAX_ENTRIES,
    FetchRoom,
    RoomAddress,
    read_address,
    sign_fetch,
    verify_fetch,
    write_address,
)
from tests.services import refused

PEER, HOME = SigningKey(bytes(range(32))), SigningKey(b"h" * 32)
REQUEST = FetchRoom(room=b"r" * 16, peer=PEER.public, auth=BLANK, after=7, limit=5)
SIGNED = sign_fetch(PEER, "home.onion", b"n" * 32, REQUEST)


def test_a_signed_request_holds_at_its_home() -> None:
    verify_fetch(SIGNED, "home.onion")
    written = codec.write(SIGNED, codec.CBOR)
    verify_fetch(codec.read(written, FetchRoom, codec.CBOR), "home.onion")
    with refused("signature"):
        verify_fetch(SIGNED, "other.onion")


@pytest.mark.parametrize(
    "changed",
    [
        {"room": b"s" * 16},
        {"peer": HOME.public},
        {"after": 8},
        {"limit": 6},
        {"auth": replace(SIGNED.auth, nonce=b"m" * 32)},
        {"auth": replace(SIGNED.auth, signature=bytes(64))},
    ],
)
def test_a_request_that_was_changed_is_refused(changed: dict[str, object]) -> None:
    with refused("signature"):
        verify_fetch(replace(SIGNED, **changed), "home.onion")


@pytest.mark.parametrize("limit", [-1, MAX_ENTRIES + 1])
def test_what_may_be_asked_for_is_bounded(limit: int) -> None:
    with refused("malformed"):
        codec.read(codec.write(replace(SIGNED, limit=limit), codec.CBOR), FetchRoom, codec.CBOR)


@given(st.binary(min_size=16, max_size=16))
def test_an_address_is_read_as_it_was_written(room: bytes) -> None:
    address = RoomAddress(HOME.public, room)
    line = write_address(address)
    assert read_address(line) == address
    assert read_address(f" {line[:40]}\n{line[40:].upper()} ") == address
    assert len(line) == 62 + 1 + 26


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_address(text)
    assert caught.value.code == "bad_room"


@pytest.mark.parametrize("end", ["", "/", "/aa", "/" + "a" * 25, "/" + "1" * 26, "/" + "a" * 26 + "/x"])
def test_a_home_alone_is_no_room(end: str) -> None:
    home = write_address(RoomAddress(HOME.public, b"r" * 16)).partition("/")[0]
    with refused("bad_room"):
        read_address(home + end)
