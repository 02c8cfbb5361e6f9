from __future__ import annotations

import os
from collections.abc import Sequence

from appliance.protocol.post import Leg
from appliance.protocol.route import Route
from appliance.store import dispatches, legs
from appliance.store.dispatches import Bounds, Head, Load, Underway
from appliance.store.engine import Store, Transaction
from appliance.store.legs import DispatchKey, LegKey, RouteKey, Target
from appliance.store.schema import (
    DISPATCH_ENDS,
    DISPATCH_ENVELOPES,
    DISPATCH_HELD,
    DISPATCH_LEGS,
    DISPATCH_LOAD,
    DISPATCH_NEXT,
    DISPATCH_PENDING,
    DISPATCH_PROGRESS,
    DISPATCHES,
)
from appliance.store.storekey import Sealer
from tests.services import envelope, refused

NOW, HOUR = 1_800_000_000, 500_000
HORIZON = NOW + 100 * 3600
ACCOUNT, DEVICE = b"A" * 16, b"D" * 16
ROUTE = Route(b"O" * 32, b"M" * 20, b"C" * 32)
LIVE = (
    DISPATCH_ENVELOPES,
    DISPATCH_HELD,
    DISPATCH_LEGS,
    DISPATCH_NEXT,
    DISPATCH_PENDING,
    DISPATCH_PROGRESS,
)


def key(id: bytes = b"I" * 16, account: bytes = ACCOUNT) -> DispatchKey:
    return dispatches.key_of(account, id)


def start(
    txn: Transaction,
    sealer: Sealer,
    *missing: Sequence[int],
    at: DispatchKey | None = None,
    envelopes: Sequence[bytes] | None = None,
) -> Head:
    """A dispatch of three envelopes with a leg for each list of those that are missing."""
    rows = [Leg(b"handle-%d" % n, "waiting") for n in range(len(missing))]
    targets = {n: Underway(Target(row.handle, [ROUTE]), missing[n], 3) for n, row in enumerate(rows)}
    head = Head(NOW, HORIZON, rows, DEVICE)
    return dispatches.add(
        txn, sealer, at or key(), head, envelopes or [envelope() for _ in range(3)], targets, NOW
    )


def leg(number: int = 0) -> LegKey:
    return legs.key_of(key(), number)


def live(store: Store) -> dict[str, int]:
    counts = {str(table): store.read(lambda txn, t=table: txn.count(t)) for table in LIVE}
    return {table: count for table, count in counts.items() if count}


async def test_envelopes_are_stored_once_for_all_legs(store: Store, sealer: Sealer) -> None:
    sent = [envelope() for _ in range(3)]
    await store.write(lambda txn: start(txn, sealer, [0, 2], [0], envelopes=sent))
    assert store.read(lambda txn: txn.count(DISPATCH_ENVELOPES)) == 2
    assert store.read(lambda txn: dispatches.load(txn, ACCOUNT)) == Load(2, 1920, 0, 1)
    rows = store.read(lambda txn: legs.pending(txn, leg(0), 10))
    assert [(row.number, row.envelope, row.held) for row in rows] == [(0, sent[0], {}), (2, sent[2], {})]
    assert [row.number for row in store.read(lambda txn: legs.pending(txn, leg(0), 10, 0))] == [2]
    assert store.read(lambda txn: legs.due(txn, NOW - 1, 9)) == []
    assert store.read(lambda txn: legs.due(txn, NOW, 9)) == [leg(0), leg(1)]
    assert store.read(lambda txn: legs.target(txn, sealer, leg(1))).routes == [ROUTE]


async def test_routes_and_handles_are_sealed(store: Store, sealer: Sealer) -> None:
    await store.write(lambda txn: start(txn, sealer, [0]))
    for table in (*LIVE, DISPATCHES):
        for at, value in store.read(lambda txn, t=table: list(txn.range(t))):
            for secret in (ROUTE.onion, ROUTE.mailbox, ROUTE.capability, b"handle-0"):
                assert secret not in at + value


async def test_a_leg_that_is_taken_whole_ends_its_dispatch_with_the_last(
    store: Store, sealer: Sealer
) -> None:
    await store.write(lambda txn: start(txn, sealer, [0, 1, 2], [1]))

    def take(number: int, indexes: list[int]):
        def job(txn: Transaction) -> Head | None:
            progress = legs.place_direct(txn, leg(number), indexes)
            done = progress.direct == progress.total
            return dispatches.note(txn, sealer, leg(number), progress, NOW + 5, done=done)

        return job

    head = await store.write(take(0, [0, 0]))
    assert head is not None
    assert [one.state for one in head.legs] == ["partly", "waiting"]
    assert await store.write(take(0, [0])) is None  # again: no change
    head = await store.write(take(0, [1, 2]))
    assert [one.state for one in head.legs] == ["box", "waiting"]
    assert head.ended == 0
    with refused("no_item"):
        store.read(lambda txn: legs.progress_of(txn, leg(0)))
    head = await store.write(take(1, [1]))
    assert [one.state for one in head.legs] == ["box", "box"]
    assert head.ended == NOW + 5
    assert not live(store)
    assert store.read(lambda txn: dispatches.load(txn, ACCOUNT)) == Load(0, 0, 1)


async def test_a_dispatch_with_nothing_to_do_is_remembered_for_a_day(store: Store, sealer: Sealer) -> None:
    rows = [Leg(b"handle-0", "box")]
    head = Head(NOW, HORIZON, rows, DEVICE)
    await store.write(lambda txn: dispatches.add(txn, sealer, key(), head, [envelope()], {}, NOW))
    assert not live(store)
    known = store.read(lambda txn: dispatches.find(txn, sealer, key()))
    assert dispatches.state(key(), known).legs == rows
    assert not store.read(lambda txn: dispatches.is_over(txn, NOW))
    assert await store.write(lambda txn: dispatches.sweep(txn, NOW, 10)) == 0
    assert store.read(lambda txn: dispatches.is_over(txn, NOW + 1))
    assert await store.write(lambda txn: dispatches.sweep(txn, NOW + 1, 10)) == 1
    for table in (DISPATCHES, DISPATCH_ENDS, DISPATCH_LOAD):
        assert store.read(lambda txn, t=table: txn.count(t)) == 0


async def test_relays_hold_until_their_hour_and_then_it_waits_again(store: Store, sealer: Sealer) -> None:
    await store.write(lambda txn: start(txn, sealer, [0, 1]))
    one, two = RouteKey(b"route--1"), RouteKey(b"route--2")

    def at(indexes: list[int], route: RouteKey, until: int):
        return lambda txn: legs.place_at(txn, leg(), indexes, route, until, 2, HOUR)

    progress = await store.write(at([0, 1], one, HOUR + 5))
    assert (progress.held, progress.pending, legs.state_of(progress)) == (0, 2, "partly")
    progress = await store.write(at([0, 1], one, HOUR + 5))  # the same relay twice is one relay
    assert progress.held == 0
    progress = await store.write(at([0, 1], two, HOUR + 9))
    assert (progress.pending, progress.relays, progress.expires_hour) == (0, 2, HOUR + 5)
    assert legs.state_of(progress) == "relay"
    progress = await store.write(lambda txn: legs.revive(txn, leg(), 2, HOUR + 5))
    assert (progress.pending, progress.expires_hour) == (2, HOUR + 9)
    rows = store.read(lambda txn: legs.pending(txn, leg(), 10))
    assert [row.held[two] for row in rows] == [HOUR + 9] * 2
    # What the box took itself needs no relay any more.
    progress = await store.write(lambda txn: legs.place_direct(txn, leg(), [0]))
    assert (progress.direct, progress.pending) == (2, 1)  # one of three was placed before


async def test_schedules_move_and_hastening_brings_back_who_waits(store: Store, sealer: Sealer) -> None:
    await store.write(lambda txn: start(txn, sealer, [0], [1]))

    def later(txn: Transaction) -> None:
        legs.schedule(txn, leg(0), legs.progress_of(txn, leg(0))._replace(tries=7), NOW + 900)

    await store.write(later)
    assert store.read(lambda txn: legs.due(txn, NOW, 9)) == [leg(1)]
    assert store.read(lambda txn: legs.next_due(txn, NOW)) == NOW + 900
    assert await store.write(lambda txn: legs.hasten(txn, legs.list_all(txn), NOW + 1)) == 1
    assert store.read(lambda txn: legs.progress_of(txn, leg(0))).tries == 0
    assert store.read(lambda txn: legs.due(txn, NOW + 1, 9)) == [leg(1), leg(0)]


async def test_removing_leaves_nothing(store: Store, sealer: Sealer) -> None:
    await store.write(lambda txn: start(txn, sealer, [0, 1, 2], [0]))
    await store.write(lambda txn: legs.place_at(txn, leg(), [0], RouteKey(b"route--1"), HOUR + 5, 2, HOUR))
    assert await store.write(lambda txn: dispatches.remove(txn, sealer, key()))
    assert not await store.write(lambda txn: dispatches.remove(txn, sealer, key()))
    assert not live(store)
    assert store.read(lambda txn: txn.count(DISPATCH_LOAD)) == 0
    with refused("no_item"):
        await store.write(lambda txn: legs.place_direct(txn, leg(), [0]))
    gone = legs.Progress(1, 1, 0, 0, 0, 0, 0, 0, 0, "")
    assert await store.write(lambda txn: dispatches.note(txn, sealer, leg(), gone, NOW, done=True)) is None


async def test_what_waits_for_an_account_is_bounded(store: Store, sealer: Sealer) -> None:
    await store.write(lambda txn: start(txn, sealer, [0, 1, 2]))

    def has_room(account: bytes, envelopes: int, octets: int) -> bool:
        return store.read(lambda txn: dispatches.has_room(txn, account, envelopes, octets, Bounds(5, 5000)))

    assert has_room(ACCOUNT, 2, 2000)
    assert not has_room(ACCOUNT, 3, 10)
    assert not has_room(ACCOUNT, 1, 3000)
    assert has_room(b"B" * 16, 5, 5000)


async def test_the_list_has_what_is_under_way_first(store: Store, sealer: Sealer) -> None:
    done, waits, other = os.urandom(16), os.urandom(16), os.urandom(16)

    def job(txn: Transaction) -> None:
        dispatches.add(txn, sealer, key(done), Head(NOW, HORIZON, [], DEVICE), [], {}, NOW)
        start(txn, sealer, [0], at=key(waits))
        start(txn, sealer, [0], at=key(other, b"B" * 16))

    await store.write(job)
    rows = store.read(lambda txn: dispatches.list_all(txn, sealer, ACCOUNT, 10))
    assert [row.id for row in rows] == [waits, done]
    assert len(store.read(lambda txn: dispatches.list_all(txn, sealer, ACCOUNT, 1))) == 1


async def test_only_so_many_done_dispatches_are_remembered(store: Store, sealer: Sealer, monkeypatch) -> None:
    monkeypatch.setattr(dispatches, "MOST_DONE", 2)

    def job(txn: Transaction) -> None:
        for n in range(4):
            head = Head(NOW, HORIZON, [Leg(b"handle-0", "box")], DEVICE)
            dispatches.add(txn, sealer, key(bytes([n]) * 16), head, [envelope()], {}, NOW)

    await store.write(job)
    assert store.read(lambda txn: txn.count(DISPATCHES)) == 2
    assert store.read(lambda txn: dispatches.load(txn, ACCOUNT)).done == 2
