"""Dispatches: taken in once, delivered here at once, carried elsewhere."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from appliance.protocol import onion
from appliance.protocol.messages import Deposit, DepositGroup
from appliance.protocol.route import Route
from appliance.service import carrier as carrier_module
from appliance.store import legs
from appliance.store.engine import Transaction
from appliance.store.mailboxes import LONGEST_HOURS
from appliance.store.schema import (
    DISPATCH_ENVELOPES,
    DISPATCH_NEXT,
)
from tests.posts import (
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
from tests.services import Time, envelope, refused

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


async def test_what_may_wait_is_bounded_by_envelopes_and_octets(
    tmp_path: Path, clock: Time, far: Far
) -> None:
    away = [Route(b"\7" * 32, bytes(20), bytes(32))]
    async with posts(tmp_path, clock, far, "home", dispatch_envelopes=4, dispatch_octets=8000) as (house,):
        first = dispatch(away, away, envelopes=[envelope(), envelope()])
        await house.post.dispatch.send(ADA, first)
        for too_many in ([envelope()] * 3, [envelope(4032), envelope(4032)]):
            with refused("outbox_full"):
                await house.post.dispatch.send(ADA, dispatch(away, envelopes=too_many))
        await house.post.dispatch.send(BOB, dispatch(away, envelopes=[envelope()]))  # each has their own
        routes = await routes_of(house, BOB)  # what stays here needs no room
        await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope()] * 5))
        await house.post.dispatch.remove(ADA, first.id)
        await house.post.dispatch.send(ADA, dispatch(away, envelopes=[envelope()] * 3))


async def test_another_box_takes_it_and_keeps_it_for_long(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        told: list[tuple[bytes, str]] = []
        a.post.carrier.on_change = lambda device, new: told.append((device, new.legs[0].state))
        routes = await routes_of(b, BOB)
        message = dispatch(routes, envelopes=[envelope(), envelope(16320)])
        (leg,) = (await a.post.dispatch.send(ADA, message)).legs
        assert leg.state == "waiting"
        await carry(a)
        assert await bodies(b, BOB) == message.envelopes
        assert told == [(ADA.account + ADA.require_device(), "box")]
        assert far.purposes == [(onion.address(b.onion), f"device {routes[0].mailbox.hex()}")]
        clock.pass_hours(LONGEST_HOURS)
        assert await bodies(b, BOB) == message.envelopes


async def test_dispatches_for_one_device_travel_together(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        routes, other = await routes_of(b, BOB), await routes_of(b, member("cleo"))
        sent = [dispatch(routes, other, envelopes=[envelope()]) for _ in range(10)]
        for one in sent:
            await a.post.dispatch.send(ADA, one)
        await carry(a)
        assert await bodies(b, BOB) == [one.envelopes[0] for one in sent]
        assert len(far.purposes) < 10
        # Nobody at the other box can tell that both came from one device.
        assert len({purpose for _, purpose in far.purposes}) == 2


async def test_relays_hold_it_while_the_box_is_off(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "a", "b", "r1", "r2", "r3") as (a, b, *relays):
        for relay in relays:
            await b.use(relay)
        await routes_of(b, BOB)
        assert await b.post.mailboxes.settle()
        routes = await routes_of(b, BOB)
        assert routes[0].onion == b.onion
        assert len(routes) == 4
        far.off.add(onion.address(b.onion))
        clock.now += 1234  # hours of relays do not begin with ours
        message = dispatch(routes, envelopes=[envelope(), envelope()], hours=50)
        await a.post.dispatch.send(ADA, message)
        await carry(a)
        (leg,) = (await state(a, ADA, message.id)).legs
        assert (leg.state, leg.relays) == ("relay", 2)
        assert clock.hour + 50 <= (leg.until or 0) <= clock.hour + 51
        # They keep it for as long as it is of use: nothing is left to do here.
        assert rows(a, DISPATCH_ENVELOPES, DISPATCH_NEXT) == 0
        far.off.clear()
        assert await b.post.collection.collect()
        assert sorted(await bodies(b, BOB)) == sorted(message.envelopes)
        assert sum(relay.house.store.read(lambda txn: txn.count("index")) for relay in relays) == 0


async def test_relays_that_let_go_are_asked_again(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "a", "b", "r", ttl_max_hours=24) as (a, b, relay):
        await b.use(relay)
        await routes_of(b, BOB)
        await b.post.mailboxes.settle()
        routes = await routes_of(b, BOB)
        far.off.add(onion.address(b.onion))
        message = dispatch(routes, envelopes=[envelope()], hours=100)
        await a.post.dispatch.send(ADA, message)
        await carry(a)
        (leg,) = (await state(a, ADA, message.id)).legs
        assert leg.state == "relay"
        assert rows(a, DISPATCH_ENVELOPES) == 1
        clock.pass_hours(26)
        while await relay.relay.sweep():
            pass
        await carry(a)
        (leg,) = (await state(a, ADA, message.id)).legs
        assert leg.state == "relay"
        assert (leg.until or 0) >= clock.hour + 24
        clock.pass_hours(80)
        await carry(a)
        assert (await state(a, ADA, message.id)).legs[0].state == "relay"
        assert rows(a, DISPATCH_ENVELOPES, DISPATCH_NEXT) == 0


async def test_pauses_grow_and_the_horizon_ends_it(house: PostHouse, clock: Time) -> None:
    away = [Route(b"\7" * 32, bytes(20), bytes(32))]
    message = dispatch(away, envelopes=[envelope()], hours=24)
    await house.post.dispatch.send(ADA, message)
    pauses = []
    for _ in range(12):
        await carry(house)
        following = house.house.store.read(legs.next_due)
        assert following is not None
        pauses.append(following - clock())
        clock.now = following
    assert 5 <= pauses[0] <= 15
    assert max(pauses) <= 1.5 * 1800
    assert sum(pauses[6:]) > 10 * sum(pauses[:3])
    (leg,) = (await state(house, ADA, message.id)).legs
    assert (leg.state, leg.reason) == ("waiting", "unreachable")
    clock.pass_hours(24)
    await carry(house)
    (leg,) = (await state(house, ADA, message.id)).legs
    assert (leg.state, leg.reason) == ("given_up", "unreachable")
    clock.pass_hours(25)
    await house.post.queue.sweep()
    assert not (await house.post.dispatch.page(ADA)).dispatches


async def test_without_tor_nothing_counts_as_a_try_and_its_return_hastens(
    tmp_path: Path, clock: Time, far: Far
) -> None:
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        message = dispatch(await routes_of(b, BOB), envelopes=[envelope()])
        far.tor_off = True
        await a.post.dispatch.send(ADA, message)
        await carry(a)
        assert (await state(a, ADA, message.id)).legs[0].reason == "tor_off"
        (leg,) = a.house.store.read(legs.list_all)
        assert a.house.store.read(lambda txn: legs.progress_of(txn, leg)).tries == 0
        far.tor_off = False
        await a.post.hasten()
        await carry(a)
        assert (await state(a, ADA, message.id)).legs[0].state == "box"


async def test_when_every_route_refuses_for_good_it_is_given_up(
    tmp_path: Path, clock: Time, far: Far
) -> None:
    async with posts(tmp_path, clock, far, "a", "b", "r") as (a, b, relay):
        here, there = (Route(one.onion, os.urandom(20), bytes(32)) for one in (b, relay))
        message = dispatch([here, there], envelopes=[envelope()])
        await a.post.dispatch.send(ADA, message)
        await carry(a)
        (leg,) = (await state(a, ADA, message.id)).legs
        assert (leg.state, leg.reason) == ("given_up", "no_mailbox")


async def test_a_lost_answer_delivers_nothing_twice(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        message = dispatch(await routes_of(b, BOB), envelopes=[envelope(), envelope()])
        far.lose_answers = 1
        await a.post.dispatch.send(ADA, message)
        await carry(a)
        assert (await state(a, ADA, message.id)).legs[0].state == "waiting"
        await settle_all(b, BOB)  # the device had it all before the second try
        clock.pass_hours(1)
        await carry(a)
        assert (await state(a, ADA, message.id)).legs[0].state == "box"
        assert not await waiting(b, BOB)


async def test_removed_while_it_is_carried(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        message = dispatch(await routes_of(b, BOB), envelopes=[envelope()])
        await a.post.dispatch.send(ADA, message)
        (round,) = a.post.carrier._due(int(clock())).values()
        await a.post.dispatch.remove(ADA, message.id)
        await a.post.dispatch.remove(ADA, message.id)
        await a.post.carrier.go(round)
        assert not await waiting(b, BOB)
        assert not (await a.post.dispatch.page(ADA)).dispatches


async def test_a_relay_that_lies_about_its_hours_changes_little(
    tmp_path: Path, clock: Time, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        relay = b.relay
        honest = relay.deposit

        async def lying(message: Deposit):
            answer = await honest(message)
            groups = [[type(one)(one.state, 0xFFFF_FFFF) for one in group] for group in answer.groups]
            return type(answer)(groups)

        monkeypatch.setattr(relay, "deposit", lying)
        routes = await routes_of(b, BOB)
        away = Route(b"\7" * 32, bytes(20), bytes(32))
        message = dispatch([away, *routes], envelopes=[envelope()])
        await a.post.dispatch.send(ADA, message)
        await carry(a)
        (leg,) = (await state(a, ADA, message.id)).legs
        assert leg.state == "relay"
        assert (leg.until or 0) <= clock.hour + 721


async def test_this_box_may_be_the_relay_of_a_device_of_another(
    tmp_path: Path, clock: Time, far: Far
) -> None:
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        await b.use(a)
        await routes_of(b, BOB)
        await b.post.mailboxes.settle()
        routes = await routes_of(b, BOB)
        assert [route.onion for route in routes] == [b.onion, a.onion]
        far.off.add(onion.address(b.onion))
        message = dispatch(routes, envelopes=[envelope()])
        assert (await a.post.dispatch.send(ADA, message)).legs[0].state == "waiting"
        await carry(a)
        (leg,) = (await state(a, ADA, message.id)).legs
        assert (leg.state, leg.relays) == ("relay", 1)
        assert (leg.until or 0) >= clock.hour + 100
        await b.post.collection.collect()
        assert await bodies(b, BOB) == message.envelopes


async def test_boxes_that_are_off_do_not_hold_up_those_that_are_on(
    tmp_path: Path, clock: Time, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_module, "LEGS_AT_ONCE", 4)
    monkeypatch.setattr(carrier_module, "AT_ONCE", 3)
    monkeypatch.setattr(carrier_module, "RETRIES_AT_ONCE", 2)
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        far.hang = True
        for n in range(5):
            away = [Route(bytes([n]) * 32, bytes(20), bytes(32))]
            for _ in range(2):
                await a.post.dispatch.send(ADA, dispatch(away, envelopes=[envelope()]))

        def tried(txn: Transaction) -> None:
            for leg in legs.list_all(txn):
                legs.put(txn, leg, legs.progress_of(txn, leg)._replace(tries=3))

        await a.house.store.write(tried)
        message = dispatch(await routes_of(b, BOB), envelopes=[envelope()])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.post.carrier.run)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert len(far.purposes) == 2
            await a.post.dispatch.send(ADA, message)
            with trio.fail_after(5):
                while (await state(a, ADA, message.id)).legs[0].state != "box":
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()


async def test_only_members_with_a_device_dispatch(house: PostHouse) -> None:
    nobody = replace(ADA, device=None)
    routes = await routes_of(house, BOB)
    with refused("no_device"):
        await house.post.dispatch.send(nobody, dispatch(routes, envelopes=[envelope()]))


async def test_a_stranger_reaches_a_member_through_the_relay_service(house: PostHouse) -> None:
    (route,) = await routes_of(house, BOB, bytes(8))
    one = envelope(4032)
    group = DepositGroup(route.mailbox, route.capability, 24, [one])
    await house.relay.deposit(Deposit([group]))
    assert await bodies(house, BOB) == [one]
