"""Which devices hear what happens, as a client asks that looks for a seat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from appliance.protocol.post import Listening
from appliance.service import events as module
from appliance.service.caller import Caller
from tests.posts import Far, PostHouse, Seat, member, posts
from tests.services import Time

ADA, BOB = member("ada"), member("bob")


@pytest.fixture
async def house(tmp_path: Path, clock: Time) -> AsyncIterator[PostHouse]:
    async with posts(tmp_path, clock, Far(), "home") as (found,):
        yield found


async def test_who_listens_is_known_and_a_moment_is_given_to_who_comes_and_goes(
    house: PostHouse, autojump_clock: MockClock
) -> None:
    events = house.post.events

    def listening(caller: Caller) -> list[bytes]:
        return events.listening(caller).devices

    async def after(seconds: float, caller: Caller) -> list[bytes]:
        await trio.sleep(seconds)
        return listening(caller)

    assert events.listening(ADA) == Listening([], 0)
    feed = events.open(BOB)
    assert listening(BOB) == []
    seat = Seat()
    events.enter(feed, seat)
    assert await after(100, BOB) == [BOB.device]
    assert listening(ADA) == []
    events.leave(feed, seat)
    assert await after(module.LEFT_SECONDS - 1, BOB) == [BOB.device]
    assert await after(2, BOB) == []

    await events.wait(BOB, b"", 0)
    assert await after(module.POLLED_SECONDS - 1, BOB) == [BOB.device]
    assert await after(2, BOB) == []

    events.expect(ADA.account + ADA.require_device())
    assert await after(module.BOUND_SECONDS - 1, ADA) == [ADA.device]
    assert await after(2, ADA) == []
    assert events.listening(ADA).seconds > 100
