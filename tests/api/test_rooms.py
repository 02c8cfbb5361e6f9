"""Rooms over HTTP: one box reads a board of another one that trusts it, over the onion."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from appliance.client.entrance import onion
from appliance.client.relay import Relay
from appliance.protocol import board as wire
from appliance.protocol.keys import SigningKey
from tests.api.test_boards import GARDEN, PATH, Place, place  # noqa: F401 (a fixture)
from tests.services import refused

PEER = SigningKey(b"p" * 32)


@pytest.fixture
async def home(place: Place) -> AsyncIterator[Relay]:  # noqa: F811
    host = place.box.ready.onion
    async with Relay(onion(place.net.dial, host, "test"), host) as relay:
        yield relay


async def test_a_trusted_box_reads_until_it_is_put_off(place: Place, home: Relay) -> None:  # noqa: F811
    await place.member.submit(wire.Post, subject="Hello", body="*words*")
    with refused("no_room"):
        await home.fetch_room(PEER, GARDEN)
    with refused("role"):
        await place.member.ask(wire.Board, PATH, wire.ChangeBoard(peers=[PEER.public]), "PATCH")
    board = await place.owner.ask(wire.Board, PATH, wire.ChangeBoard(peers=[PEER.public]), "PATCH")
    assert board.peers == [PEER.public]
    page = await home.fetch_room(PEER, GARDEN)
    assert [wire.read(one.signed or b"").value.body for one in page.entries] == ["*words*"]  # type: ignore[union-attr]
    again = await home.fetch_room(PEER, GARDEN, after=page.next)
    assert (again.entries, again.more) == ([], False)
    for key, room in ((SigningKey(os.urandom(32)), GARDEN), (PEER, os.urandom(16))):
        with refused("no_room"):
            await home.fetch_room(key, room)
    # Everybody on the box may know who reads along.
    (seen,) = (await place.member.ask(wire.Boards, "/v1/boards")).boards
    assert seen.peers == [PEER.public]
    await place.owner.ask(wire.Board, PATH, wire.ChangeBoard(peers=[]), "PATCH")
    with refused("no_room"):
        await home.fetch_room(PEER, GARDEN, after=page.next)
