"""Logs as a service: what is told to whom, what is read, and how the sweep takes the users' indexes along."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.log import MAX_INLINE_OCTETS, LogNews, WatchLogs
from appliance.protocol.post import Event
from appliance.service import feed as feed_module
from appliance.service.events import EventBook
from appliance.service.feed import Feed, Shared
from appliance.service.logs import BOARD, CHANNEL, Logs, LogUser
from appliance.store import logs as store_logs
from appliance.store.logs import Draft, Entry, Head
from appliance.store.schema import META
from appliance.store.transaction import Transaction
from tests.posts import member
from tests.services import House, Time, refused

ADA, BOB = member("ada"), member("bob")
LOG, ROOM = b"L" * 16, b"R" * 16


@pytest.fixture
def events(house: House) -> EventBook:
    return EventBook(house.store, house.clock)


@pytest.fixture
async def logs(house: House, events: EventBook) -> Logs:
    made = Logs(house.store, house.ring, house.config, house.clock, events)
    made.register(BOARD, LogUser(open=True, gone=note_gone))
    made.register(CHANNEL, LogUser(members=lambda log: [ADA.account]))
    await made.create(LOG, BOARD, sealed=True)
    await made.create(ROOM, CHANNEL, sealed=False)
    return made


def note_gone(txn: Transaction, log: bytes, gone: Sequence[Entry]) -> None:
    told = txn.get(META, b"gone") or b""
    txn.put(META, b"gone", told + bytes(entry.number for entry in gone))


def draft(body: bytes = b"words", **fields: object) -> Draft:
    return Draft(os.urandom(16), 1, body, **fields)  # type: ignore[arg-type]


def news(feed: Feed, after: int = 1) -> list[LogNews]:
    return [entry.event.log for entry in feed.after(after) if entry.event.log is not None]


async def test_watchers_of_an_open_log_hear_of_it_and_members_of_another(
    events: EventBook, logs: Logs
) -> None:
    ada, bob = events.open(ADA), events.open(BOB)
    logs.watch(BOB, WatchLogs([LOG, ROOM, bytes(16)]))
    await logs.append(LOG, draft(b"one"))
    await logs.append(ROOM, draft(b"two"))
    assert [one.log for one in news(bob)] == [LOG], "a channel is told to its members only"
    assert [one.log for one in news(ada)] == [ROOM]
    [told] = news(bob)
    assert told.last == 1 and [entry.body for entry in told.entries or []] == [b"one"]
    logs.watch(BOB, WatchLogs([]))
    await logs.append(LOG, draft())
    assert len(news(bob)) == 1


async def test_the_same_again_is_answered_alike_and_not_told(events: EventBook, logs: Logs) -> None:
    bob = events.open(BOB)
    logs.watch(BOB, WatchLogs([LOG]))
    one = draft()
    assert await logs.append(LOG, one) == (1, True)
    assert await logs.append(LOG, one) == (1, False)
    assert len(news(bob)) == 1


async def test_what_shared_a_commit_is_told_in_order_and_whole(events: EventBook, logs: Logs) -> None:
    bob = events.open(BOB)
    logs.watch(BOB, WatchLogs([LOG]))
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(logs.append, LOG, draft(b"%d" % number))
    told = [entry.number for one in news(bob) for entry in one.entries or []]
    assert told == list(range(1, 21))


async def test_much_is_announced_only(events: EventBook, logs: Logs) -> None:
    bob = events.open(BOB)
    logs.watch(BOB, WatchLogs([LOG]))
    await logs.append(LOG, draft(bytes(MAX_INLINE_OCTETS + 1)))
    assert news(bob) == [LogNews(LOG, 1)]


async def test_a_slow_reader_is_told_the_last_number_once(events: EventBook, logs: Logs) -> None:
    bob = events.open(BOB)
    logs.watch(BOB, WatchLogs([LOG]))
    for _ in range(feed_module.INLINE_BEHIND + 20):
        await logs.append(LOG, draft())
    heard = bob.after(0)
    assert len(heard) <= feed_module.INLINE_BEHIND + 2
    assert [entry.event.number for entry in heard] == list(range(1, len(heard) + 1))
    last = heard[-1].event.log
    assert last is not None and (last.last, last.entries) == (feed_module.INLINE_BEHIND + 20, None)
    await logs.append(LOG, draft())
    assert [one.last for one in news(bob, heard[-1].event.number)] == [feed_module.INLINE_BEHIND + 21]


async def test_an_event_written_once_for_all_is_what_each_would_have_written(
    events: EventBook, logs: Logs
) -> None:
    feeds = [events.open(who) for who in (ADA, BOB)]
    for who in (ADA, BOB):
        logs.watch(who, WatchLogs([LOG]))
    feeds[0].add("prekeys", left=1)
    await logs.append(LOG, draft(os.urandom(300)))
    written = [feed.after(0)[-1] for feed in feeds]
    assert [entry.event.number for entry in written] == [3, 2]
    assert [entry.data for entry in written] == [codec.encode(entry.event) for entry in written]
    for number in (1, 23, 24, 70_000):
        one = LogNews(LOG, number)
        assert Shared(one).numbered(number) == codec.encode(Event(number, "log", log=one))


async def test_what_goes_with_an_entry_is_written_with_it_or_not_at_all(house: House, logs: Logs) -> None:
    def also(txn: Transaction, entry: Entry) -> None:
        txn.put(META, b"index", bytes((entry.number,)) + (entry.body or b""))

    def refuse(txn: Transaction, head: Head) -> None:
        raise Refusal("role")

    await logs.append(LOG, draft(b"x"), also=also)
    assert house.store.read(lambda txn: txn.get(META, b"index")) == b"\1x"
    with refused("role"):
        await logs.append(LOG, draft(b"y"), check=refuse, also=also)
    assert house.store.read(lambda txn: txn.get(META, b"index")) == b"\1x"
    assert (await logs.page(LOG)).last == 1


async def test_removing_is_told_with_the_entry_as_it_is_now(events: EventBook, logs: Logs) -> None:
    for body in (b"one", b"two"):
        await logs.append(LOG, draft(body))
    bob = events.open(BOB)
    logs.watch(BOB, WatchLogs([LOG]))
    assert await logs.remove(LOG, 1, "author")
    assert not await logs.remove(LOG, 1, "author")
    [told] = news(bob)
    assert told.last == 2
    assert [(one.number, one.body, one.removed) for one in told.entries or []] == [(1, None, "author")]


async def test_pages_have_bounds_and_hide_what_is_over(clock: Time, logs: Logs) -> None:
    await logs.append(LOG, draft(until=clock.hour + 2))
    await logs.append(LOG, draft())
    page = await logs.page(LOG)
    assert [entry.until for entry in page.entries] == [clock.hour + 2, None]
    clock.pass_hours(2)
    assert [entry.number for entry in (await logs.page(LOG)).entries] == [2]
    for limit in (0, 257):
        with refused("malformed"):
            await logs.page(LOG, limit=limit)


async def test_the_sweep_takes_what_is_too_old_and_tells_the_user_in_the_same_commit(
    house: House, clock: Time, logs: Logs
) -> None:
    await house.store.write(lambda txn: store_logs.retain(txn, LOG, 24, 0))
    await logs.append(LOG, draft())
    clock.pass_hours(20)
    await logs.append(LOG, draft(until=clock.hour + 5))
    await logs.append(LOG, draft())
    assert await logs.sweep() == 0
    clock.pass_hours(5)
    assert await logs.sweep() == 2
    assert house.store.read(lambda txn: txn.get(META, b"gone")) == b"\2\1"
    assert await logs.sweep() == 0
    await house.store.write(lambda txn: store_logs.doom(txn, LOG))
    while await logs.sweep():
        pass
    assert [log for log, _ in house.store.read(store_logs.list_all)] == [ROOM]


async def test_the_sweep_goes_through_many_logs(house: House, clock: Time, logs: Logs) -> None:
    names = [bytes((number,)) * 15 + b"-" for number in range(150)]
    for name in names:
        await logs.create(name, CHANNEL, sealed=False, hours=1)
        await logs.append(name, draft())
    clock.pass_hours(1)
    steps = 0
    while await logs.sweep():
        steps += 1
    assert steps < 20
    rows = house.store.read(store_logs.list_all)
    assert sum(head.held for log, head in rows if log in names) == 0
