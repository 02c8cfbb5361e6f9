"""Dispatches for devices of this box: there with the commit, remembered only where something is left."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol.post import Destination, Dispatch, DropMailboxes
from appliance.protocol.route import Route
from appliance.store.schema import (
    DISPATCH_ENDS,
    DISPATCH_ENVELOPES,
    DISPATCH_LOAD,
    DISPATCH_NEXT,
    DISPATCH_PROGRESS,
    DISPATCHES,
)
from tests.posts import (
    HANDLE,
    Far,
    PostHouse,
    bodies,
    carry,
    dispatch,
    member,
    posts,
    routes_of,
    settle_all,
    state,
    waiting,
)
from tests.services import Time, envelope

ADA, BOB = member("ada"), member("bob")


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
async def house(tmp_path: Path, clock: Time, far: Far) -> AsyncIterator[PostHouse]:
    async with posts(tmp_path, clock, far, "home", outbox_first_seconds=10) as (found,):
        yield found


def rows(house: PostHouse, *tables: str) -> int:
    return sum(house.house.store.read(lambda txn, t=table: txn.count(t)) for table in tables)


async def test_a_device_of_this_box_has_it_in_the_same_commit(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    message = dispatch(routes, envelopes=[envelope(4032), envelope()])
    answer = await house.post.dispatch.send(ADA, message)
    assert [(leg.handle, leg.state) for leg in answer.legs] == [(b"peer-  0", "box")]
    found = await waiting(house, BOB)
    assert [one.envelope for one in found] == message.envelopes
    assert {one.handle for one in found} == {HANDLE}
    assert rows(house, DISPATCH_ENVELOPES, DISPATCH_PROGRESS, DISPATCH_NEXT) == 0


@pytest.mark.parametrize("settled", [False, True], ids=["waiting", "settled"])
async def test_what_is_all_here_is_not_remembered_and_the_same_again_delivers_nothing(
    house: PostHouse, settled: bool
) -> None:
    message = dispatch(
        await routes_of(house, BOB), await routes_of(house, member("cleo")), envelopes=[envelope()]
    )
    first = await house.post.dispatch.send(ADA, message)
    assert rows(house, DISPATCHES, DISPATCH_ENDS, DISPATCH_LOAD) == 0
    assert not (await house.post.dispatch.page(ADA)).dispatches
    if settled:
        await settle_all(house, BOB)
    for _ in range(2):
        assert await house.post.dispatch.send(ADA, message) == first
    assert await bodies(house, BOB) == ([] if settled else message.envelopes)
    assert await bodies(house, member("cleo")) == message.envelopes


async def test_one_commit_takes_the_same_dispatch_twice(house: PostHouse) -> None:
    message = dispatch(await routes_of(house, BOB), envelopes=[envelope(), envelope()])
    first, again = await house.post.dispatch.send_all(ADA, [message, message])
    assert first == again
    assert await bodies(house, BOB) == message.envelopes


async def test_a_new_dispatch_with_an_envelope_that_is_there_adds_only_what_is_new(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    message = dispatch(routes, envelopes=[envelope(), envelope()])
    await house.post.dispatch.send(ADA, message)
    more = dispatch(routes, envelopes=[message.envelopes[1], envelope()])
    assert [leg.state for leg in (await house.post.dispatch.send(ADA, more)).legs] == ["box"]
    assert await bodies(house, BOB) == [*message.envelopes, more.envelopes[1]]


async def test_a_known_id_with_a_leg_elsewhere_is_answered_alike_and_delivers_nothing_again(
    house: PostHouse,
) -> None:
    routes, away = await routes_of(house, BOB), [Route(b"\7" * 32, bytes(20), bytes(32))]
    message = dispatch(routes, away, envelopes=[envelope()])
    first = await house.post.dispatch.send(ADA, message)
    assert [leg.state for leg in first.legs] == ["box", "waiting"]
    await settle_all(house, BOB)
    assert await house.post.dispatch.send(ADA, message) == first
    assert len((await house.post.dispatch.page(ADA)).dispatches) == 1
    # Another member's dispatch of the same id is another one.
    other = dispatch(routes, envelopes=[envelope()], id=message.id)
    await house.post.dispatch.send(member("eve"), other)
    assert await bodies(house, BOB) == other.envelopes


async def test_a_leg_here_that_is_given_up_is_remembered(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    gone = [Route(routes[0].onion, os.urandom(20), bytes(32))]
    message = dispatch(routes, gone, envelopes=[envelope()])
    first = await house.post.dispatch.send(ADA, message)
    assert [leg.state for leg in first.legs] == ["box", "given_up"]
    assert (await house.post.dispatch.page(ADA)).dispatches == [first]


async def test_each_dispatch_of_a_bundle_gets_its_own_answer_in_order(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    good, bad = dispatch(routes, envelopes=[envelope()]), dispatch(routes, envelopes=[b"\1" * 100])
    unknown = dispatch(routes, envelopes=[b"\2" + bytes(959)])
    beyond = Dispatch(os.urandom(16), [envelope()], [Destination(HANDLE, routes, [1])])
    last = dispatch(routes, envelopes=[envelope()])
    answers = await house.post.dispatch.send_all(ADA, [good, bad, unknown, beyond, last])
    codes = [answer.code if isinstance(answer, Refusal) else "" for answer in answers]
    assert codes == ["", "wrong_size", "unknown_version", "malformed", ""]
    assert await bodies(house, BOB) == good.envelopes + last.envelopes


async def test_a_mailbox_here_that_is_gone_is_given_up_at_once(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    wrong = [Route(routes[0].onion, routes[0].mailbox, bytes(32))]
    await house.post.mailboxes.drop(BOB, DropMailboxes([b"handle-2"]))
    gone = [Route(routes[0].onion, os.urandom(20), bytes(32))]
    answer = await house.post.dispatch.send(ADA, dispatch(wrong, gone, envelopes=[envelope()]))
    assert [(leg.state, leg.reason) for leg in answer.legs] == [
        ("given_up", "capability"),
        ("given_up", "no_mailbox"),
    ]
    assert rows(house, DISPATCH_ENVELOPES) == 0


async def test_a_full_mailbox_here_makes_the_leg_wait(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "home", member_envelopes=2) as (house,):
        routes = await routes_of(house, BOB)
        message = dispatch(routes, envelopes=[envelope() for _ in range(3)])
        (leg,) = (await house.post.dispatch.send(ADA, message)).legs
        assert (leg.state, leg.reason) == ("waiting", "mailbox_full")
        assert await bodies(house, BOB) == message.envelopes[:2]
        await carry(house)
        (leg,) = (await state(house, ADA, message.id)).legs
        assert (leg.state, leg.reason) == ("partly", "mailbox_full")
        await settle_all(house, BOB)
        clock.pass_hours(1)
        await carry(house)
        assert await bodies(house, BOB) == message.envelopes[2:]
        (leg,) = (await state(house, ADA, message.id)).legs
        assert (leg.state, leg.reason) == ("box", None)
        assert not far.purposes  # nobody was asked for it outside
        assert rows(house, DISPATCH_ENVELOPES, DISPATCH_PROGRESS, DISPATCH_NEXT) == 0


async def test_one_that_waits_here_and_is_handed_over_again_arrives_once(
    tmp_path: Path, clock: Time, far: Far
) -> None:
    async with posts(tmp_path, clock, far, "home", member_envelopes=2) as (house,):
        message = dispatch(await routes_of(house, BOB), envelopes=[envelope() for _ in range(3)])
        first = await house.post.dispatch.send(ADA, message)
        assert await house.post.dispatch.send(ADA, message) == first  # still full: as it stands
        assert len((await house.post.dispatch.page(ADA)).dispatches) == 1
        await settle_all(house, BOB)
        (leg,) = (await house.post.dispatch.send(ADA, message)).legs
        assert leg.state == "box"  # there is room now
        assert await bodies(house, BOB) == message.envelopes[2:]
        clock.pass_hours(1)
        await carry(house)
        (leg,) = (await state(house, ADA, message.id)).legs
        assert leg.state == "box"
        assert await bodies(house, BOB) == message.envelopes[2:]
        assert rows(house, DISPATCH_ENVELOPES, DISPATCH_PROGRESS, DISPATCH_NEXT) == 0
