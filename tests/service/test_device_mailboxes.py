"""Mailboxes of devices at relays, and what is collected there."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from appliance.protocol import onion
from appliance.protocol.keys import SigningKey
from appliance.protocol.messages import Deposit, DepositGroup, Fetched, FetchedEnvelope
from appliance.protocol.post import DropMailboxes, WantMailboxes
from appliance.protocol.route import Route
from appliance.service import device_mailboxes as service
from appliance.store import device_mailboxes, grants, places
from tests.posts import (
    HANDLE,
    REQUESTS,
    Far,
    PostHouse,
    bodies,
    member,
    posts,
    routes_of,
    settle_all,
    waiting,
)
from tests.services import Time, envelope, refused

BOB = member("bob")


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
async def boxes(tmp_path: Path, clock: Time, far: Far) -> AsyncIterator[list[PostHouse]]:
    async with posts(tmp_path, clock, far, "home", "relay") as found:
        await found[0].use(found[1])
        yield found


async def leave_at(relay: PostHouse, route: Route, *envelopes: bytes) -> list[str]:
    group = DepositGroup(route.mailbox, route.capability, 24, list(envelopes))
    (outcomes,) = (await relay.relay.deposit(Deposit([group]))).groups
    return [outcome.state for outcome in outcomes]


def count(house: PostHouse, table: str) -> int:
    return house.house.store.read(lambda txn: txn.count(table))  # type: ignore[arg-type]


async def test_a_handle_has_a_mailbox_here_at_once_and_later_at_relays(boxes: list[PostHouse]) -> None:
    home, relay = boxes
    told: list[bytes] = []
    home.post.mailboxes.on_routes = lambda owner: told.append(owner.handle)
    (first,) = await routes_of(home, BOB)
    assert first.onion == home.onion
    assert await home.post.mailboxes.settle()
    assert told == [HANDLE]
    both = await routes_of(home, BOB)
    assert both[0] == first
    assert both[1].onion == relay.onion
    assert both[1].mailbox != first.mailbox
    # Asked again, nothing is made; nor by another round.
    assert await routes_of(home, BOB) == both
    assert await home.post.mailboxes.settle()
    assert count(relay, "mailboxes") == 1


async def test_the_request_mailbox_is_one_for_strangers(boxes: list[PostHouse]) -> None:
    home, _ = boxes
    await home.post.mailboxes.want(BOB, WantMailboxes([HANDLE, REQUESTS, HANDLE]))
    await home.post.mailboxes.settle()
    for house in boxes:
        kinds = [
            house.relay._find(mailbox).kind
            for mailbox in house.house.store.read(lambda txn: list(txn.keys("mailboxes")))
        ]
        assert sorted(kinds) == ["contact", "request"]


async def test_each_mailbox_at_a_relay_has_a_circuit_of_its_own(boxes: list[PostHouse], far: Far) -> None:
    home, _ = boxes
    for who in (BOB, member("cleo")):
        for n in range(3):
            await routes_of(home, who, b"handle-%d" % n)
    await home.post.mailboxes.settle()
    await home.post.collection.collect()
    assert len({purpose for _, purpose in far.purposes}) == 6


async def test_a_relay_that_is_away_is_asked_again(boxes: list[PostHouse], far: Far) -> None:
    home, relay = boxes
    for n in range(8):
        await routes_of(home, BOB, b"handle-%d" % n)
    far.off.add(onion.address(relay.onion))
    assert not await home.post.mailboxes.settle()
    assert len(far.purposes) <= service.AT_ONCE  # the others would fare alike
    far.off.clear()
    assert await home.post.mailboxes.settle()
    assert len(await routes_of(home, BOB, b"handle-0")) == 2


async def test_a_grant_that_is_full_leaves_the_others_working(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "home", "relay") as (home, relay):
        await home.use(relay, mailboxes=2)
        for n in range(3):
            await routes_of(home, BOB, b"handle-%d" % n)
        await routes_of(home, BOB, REQUESTS)
        assert not await home.post.mailboxes.settle()
        assert count(relay, "mailboxes") == 2
        # Strangers come first.
        assert len(await routes_of(home, BOB, REQUESTS)) == 2


async def held_at(relay: PostHouse, grant: bytes) -> int:
    found = relay.house.store.read(lambda txn: grants.find(txn, grants.grant_id(grant)))
    return found.mailboxes if found else 0


async def hold(home: PostHouse, relay: PostHouse, *secrets: bytes, lacking: bool = False) -> None:
    sealer = home.house.ring.require()
    row = places.Relay(relay.onion, 1, "ready", lacking=lacking).holding(
        [places.Held(secret) for secret in secrets]
    )
    await home.house.store.write(lambda txn: places.save_relay(txn, sealer, row))


async def test_several_grants_are_filled_one_after_the_other(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "home", "relay") as (home, relay):
        first, second = [await relay.house.grant(mailboxes=2), await relay.house.grant(mailboxes=3)]
        heard: list[tuple[str, bytes]] = []
        roomy: list[bytes] = []

        async def on_relay(_: bytes, code: str, under: bytes) -> None:
            heard.append((code, under))

        async def on_room(relay: bytes) -> None:
            roomy.append(relay)

        home.post.mailboxes.on_relay, home.post.mailboxes.on_room = on_relay, on_room
        await hold(home, relay, first)
        for n in range(5):
            await routes_of(home, BOB, b"handle-%d" % n)
        assert not await home.post.mailboxes.settle()
        assert {code for code, _ in heard} == {"", "grant_full"}
        assert roomy == []
        await hold(home, relay, first, second)
        assert await home.post.mailboxes.settle()
        assert [await held_at(relay, one) for one in (first, second)] == [2, 3]
        assert roomy == [relay.onion]
        # One that is taken back is named; its mailboxes move once it is not held any more.
        await relay.house.store.write(lambda txn: grants.revoke(txn, grants.grant_id(second)))
        await routes_of(home, BOB, b"handle-9")
        heard.clear()
        assert not await home.post.mailboxes.settle()
        assert ("grant", places.Held(second).tag) in heard
        third = await relay.house.grant(mailboxes=9)
        await hold(home, relay, first, third)
        assert await home.post.mailboxes.settle()
        assert [await held_at(relay, one) for one in (first, third)] == [2, 4]


async def test_where_room_lacks_who_wrote_lately_comes_first(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "home", "relay") as (home, relay):
        await hold(home, relay, await relay.house.grant(mailboxes=2), lacking=True)
        routes = {}
        for n in range(4):
            handle = b"handle-%d" % n
            (routes[handle],) = await routes_of(home, BOB, handle)
        for handle in (b"handle-3", b"handle-1"):
            assert await leave_at(home, routes[handle], envelope()) == ["held"]
        await settle_all(home, BOB)
        assert not await home.post.mailboxes.settle()
        both = [handle for handle in routes if len(await routes_of(home, BOB, handle)) == 2]
        assert both == [b"handle-1", b"handle-3"]

        # Weeks later others write: the two have been silent too long, and are emptied before they go.
        clock.pass_hours(30 * 24)
        await leave_at(home, routes[b"handle-3"], envelope())
        await settle_all(home, BOB)
        clock.pass_hours(10 * 24)
        await home.post.queue.sweep()
        sent = envelope()
        silent = (await routes_of(home, BOB, b"handle-1"))[1]
        await leave_at(relay, silent, sent)
        await leave_at(home, routes[b"handle-0"], envelope())
        told: list[bytes] = []
        home.post.mailboxes.on_routes = lambda owner: told.append(owner.handle)
        for _ in range(3):
            await home.post.mailboxes.settle()
            await home.post.collection.collect()
        await home.post.mailboxes.settle()
        both = [handle for handle in routes if len(await routes_of(home, BOB, handle)) == 2]
        assert both == [b"handle-0", b"handle-3"]
        assert set(told) == {b"handle-0", b"handle-1"}
        assert sent in await bodies(home, BOB)
        assert count(relay, "mailboxes") == 2


async def test_under_a_new_grant_mailboxes_are_moved(boxes: list[PostHouse], clock: Time) -> None:
    home, relay = boxes
    await routes_of(home, BOB)
    await home.post.mailboxes.settle()
    route = (await routes_of(home, BOB))[1]
    await leave_at(relay, route, envelope())
    secret = await relay.house.grant()
    sealer = home.house.ring.require()
    row = places.Relay(relay.onion, 1, "ready", secret)
    await home.house.store.write(lambda txn: places.save_relay(txn, sealer, row))
    assert await home.post.mailboxes.settle()
    assert relay.relay._find(route.mailbox).grant == grants.grant_id(secret)
    assert (await routes_of(home, BOB))[1] == route
    await home.post.collection.collect()
    assert len(await waiting(home, BOB)) == 1


async def test_a_relay_that_is_left_is_emptied_first(boxes: list[PostHouse]) -> None:
    home, relay = boxes
    await routes_of(home, BOB)
    await home.post.mailboxes.settle()
    route = (await routes_of(home, BOB))[1]
    one = envelope()
    await leave_at(relay, route, one)
    await home.leave(relay)
    assert not await home.post.mailboxes.settle()
    assert len(await routes_of(home, BOB)) == 1
    await home.post.collection.collect()
    assert await bodies(home, BOB) == [one]
    assert await home.post.mailboxes.settle()
    assert count(relay, "mailboxes") == 0
    assert not await home.post.mailboxes.far()


async def test_a_dropped_handle_is_deleted_everywhere(boxes: list[PostHouse]) -> None:
    home, relay = boxes
    await routes_of(home, BOB)
    await home.post.mailboxes.settle()
    route = (await routes_of(home, BOB))[1]
    await leave_at(relay, route, envelope())
    await home.post.mailboxes.drop(BOB, DropMailboxes([HANDLE, b"unknown!"]))
    await home.post.collection.collect()
    assert await home.post.mailboxes.settle()
    assert count(relay, "mailboxes") == count(home, "mailboxes") == 0
    assert count(home, "device_places") == 0
    # Wanted again, it has new ones.
    (again,) = await routes_of(home, BOB)
    assert again.onion == home.onion


async def test_a_mailbox_that_the_relay_lost_is_made_again(boxes: list[PostHouse]) -> None:
    home, relay = boxes
    await routes_of(home, BOB)
    await home.post.mailboxes.settle()
    route = (await routes_of(home, BOB))[1]
    await relay.house.store.write(lambda txn: txn.delete("mailboxes", route.mailbox))  # type: ignore[arg-type]
    assert not await home.post.collection.collect()
    assert len(await routes_of(home, BOB)) == 1
    assert await home.post.mailboxes.settle()
    assert await leave_at(relay, (await routes_of(home, BOB))[1], envelope()) == ["held"]


async def test_copies_from_relays_and_by_hand_are_shown_once(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "home", "r1", "r2") as (home, *relays):
        for relay in relays:
            await home.use(relay)
        await routes_of(home, BOB)
        await home.post.mailboxes.settle()
        one = envelope()
        routes = {route.onion: route for route in await routes_of(home, BOB)}
        for box in (home, *relays):
            assert await leave_at(box, routes[box.onion], one) == ["held"]
        await home.post.collection.collect()
        assert await bodies(home, BOB) == [one]
        await settle_all(home, BOB)
        for relay in relays:
            assert count(relay, "index") == 0
            await leave_at(relay, routes[relay.onion], one)  # it was taken there, so it is held anew
        clock.pass_hours(30 * 24)
        await home.post.queue.sweep()
        await leave_at(relays[0], routes[relays[0].onion], one)
        await home.post.collection.collect()
        assert not await waiting(home, BOB)
        assert sum(count(relay, "index") for relay in relays[:1]) == 0


async def test_without_room_here_it_stays_at_the_relay(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "home", "relay", member_envelopes=3) as (home, relay):
        await home.use(relay)
        await routes_of(home, BOB)
        await home.post.mailboxes.settle()
        sent = [envelope() for _ in range(5)]
        await leave_at(relay, (await routes_of(home, BOB))[1], *sent)
        await home.post.collection.collect()
        assert await bodies(home, BOB) == sent[:3]
        assert count(relay, "index") == 2
        await settle_all(home, BOB)
        await home.post.collection.collect()
        assert await bodies(home, BOB) == sent[3:]
        assert count(relay, "index") == 0


async def test_an_acknowledgement_that_is_lost_costs_a_repetition(boxes: list[PostHouse], far: Far) -> None:
    home, relay = boxes
    await routes_of(home, BOB)
    await home.post.mailboxes.settle()
    route = (await routes_of(home, BOB))[1]
    sent = [envelope() for _ in range(3)]
    await leave_at(relay, route, *sent)
    far.lose_answers = 1
    await home.post.collection.collect()
    await settle_all(home, BOB)
    await leave_at(relay, route, sent[0])
    assert await home.post.collection.collect()
    assert not await waiting(home, BOB)


async def test_a_device_may_not_have_endless_handles(
    boxes: list[PostHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_HANDLES", 3)
    home, _ = boxes
    for n in range(3):
        await routes_of(home, BOB, b"handle-%d" % n)
    with refused("too_many"):
        await routes_of(home, BOB, b"one-more")
    await routes_of(home, BOB, b"handle-1")
    await routes_of(home, member("bob", device=os.urandom(16)), b"one-more")


async def test_forgetting_an_account_leaves_nothing_here_and_empties_relays(boxes: list[PostHouse]) -> None:
    home, relay = boxes
    other = member("cleo")
    for who in (BOB, other):
        await routes_of(home, who)
    await home.post.mailboxes.settle()
    for who in (BOB, other):
        for route in await routes_of(home, who):
            await leave_at(home if route.onion == home.onion else relay, route, envelope())
    await home.post.forget(BOB.account)
    assert not await waiting(home, BOB)
    assert await home.post.mailboxes.settle()
    await home.post.collection.collect()
    assert len(await waiting(home, other)) == 2
    rows = home.house.store.read(lambda txn: device_mailboxes.list_here(txn, b""))
    assert {owner.account for owner, _ in rows} == {other.account}
    assert count(relay, "mailboxes") == 1
    assert count(home, "forgetting") == 0


async def test_forgetting_a_device_keeps_the_others(boxes: list[PostHouse]) -> None:
    home, _ = boxes
    other = member("bob", device=b"E" * 16)
    for who in (BOB, other):
        (route,) = await routes_of(home, who)
        await leave_at(home, route, envelope())
    await home.post.forget_device(BOB.account, BOB.require_device())
    assert not await waiting(home, BOB)
    assert len(await waiting(home, other)) == 1


async def test_the_space_of_a_member_follows_the_setting(boxes: list[PostHouse]) -> None:
    home, _ = boxes
    (route,) = await routes_of(home, BOB)
    home.post.configure(replace(home.house.config, member_octets=2000))
    await home.post.mailboxes.resize()
    states = await leave_at(home, route, envelope(), envelope(), envelope())
    assert states == ["held", "held", "grant_full"]


async def test_a_relay_that_never_ends_keeps_nobody(boxes: list[PostHouse]) -> None:
    home, _ = boxes
    await routes_of(home, BOB)
    await home.post.mailboxes.settle()
    (place,) = await home.post.mailboxes.far()
    same = envelope()

    class Endless:
        asked = 0

        async def fetch(self, key: SigningKey, after: int = 0, **_: object) -> Fetched:
            await trio.lowlevel.checkpoint()
            self.asked += 1
            assert self.asked < 1000
            return Fetched([FetchedEnvelope(after + 1, 0, same)], True)

        async def acknowledge(self, key: SigningKey, envelopes: list[bytes]) -> None:
            await trio.lowlevel.checkpoint()

    relay = Endless()
    await home.post.collection.take_all(place, relay)  # type: ignore[arg-type]
    assert relay.asked < 100
    assert await bodies(home, BOB) == [same]
