"""What a device hears, in which order, and what becomes of who does not listen."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from appliance.protocol import codec, onion
from appliance.protocol.envelope import envelope_id
from appliance.protocol.log import LogNews
from appliance.protocol.mailbox import MailboxId
from appliance.protocol.messages import Deposit, DepositGroup
from appliance.protocol.post import Event, Keep, ReadKept, RelaySignal, Settle, Signal
from appliance.service import events as module
from appliance.service import feed as feed_module
from appliance.service.dispatch import deposit_here, share_of
from appliance.service.feed import Feed
from appliance.store.transaction import Transaction
from tests.posts import HANDLE, Far, PostHouse, Seat, dispatch, member, posts, routes_of, settle_all, waiting
from tests.services import Time, envelope, refused

ADA, BOB = member("ada"), member("bob")


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
async def house(tmp_path: Path, clock: Time, far: Far) -> AsyncIterator[PostHouse]:
    async with posts(tmp_path, clock, far, "home", kept_octets=40_000) as (found,):
        yield found


def heard(feed: Feed, after: int = 1) -> list[Event]:
    return [entry.event for entry in feed.after(after)]


def kinds(feed: Feed, after: int = 1) -> list[str]:
    return [event.kind for event in heard(feed, after)]


async def test_small_mail_travels_with_the_event(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    feed = house.post.events.open(BOB)
    sent = [envelope(4032), envelope()]
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=sent))
    (event,) = heard(feed)
    assert event.number == 2
    assert [one.envelope for one in event.queued or []] == sent
    assert event.queued == await waiting(house, BOB)
    await house.post.queue.settle(BOB, Settle([one.number for one in event.queued or []]))
    assert not await waiting(house, BOB)


async def test_much_or_large_mail_is_announced_once_until_somebody_reads(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    feed = house.post.events.open(BOB)
    for _ in range(3):
        await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope(16320)]))
    (event,) = heard(feed)
    assert (event.kind, event.queued) == ("mail", None)
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope() for _ in range(3)]))
    assert kinds(feed, event.number) == ["mail"]


async def test_what_waits_already_is_not_told_again(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope()]))
    feed = house.post.events.open(BOB)
    late = envelope()
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[late]))
    (event,) = heard(feed)
    assert [one.envelope for one in event.queued or []] == [late]


async def test_mail_of_strangers_and_of_new_mailboxes_is_told(house: PostHouse) -> None:
    feed = house.post.events.open(BOB)
    (route,) = await routes_of(house, BOB, bytes(8))
    group = DepositGroup(route.mailbox, route.capability, 24, [envelope()])
    await house.relay.deposit(Deposit([group]))
    await house.relay.deposit(Deposit([group]))  # again: nothing new
    assert kinds(feed) == ["mail"]


async def test_what_comes_by_several_mailboxes_at_once_is_told_in_the_order_of_arrival(
    house: PostHouse,
) -> None:
    # A device takes what it was told of by number; what came before a number it has read, it takes for read.
    first, second = [(await routes_of(house, BOB, handle))[0] for handle in (b"handle-1", b"handle-2")]
    feed = house.post.events.open(BOB)

    def put(txn: Transaction) -> None:
        for route in (first, second):
            share = share_of(route, route.onion, [envelope()], [0])
            deposit_here(txn, house.relay, share, int(house.house.clock()))

    await house.house.store.write(put)
    house.relay.arrivals.announce([MailboxId(second.mailbox)])
    house.relay.arrivals.announce([MailboxId(first.mailbox)])
    assert [one for event in heard(feed) for one in event.queued or []] == await waiting(house, BOB) != []


async def test_only_the_device_meant_hears_of_it(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    phone = member("bob", device=b"P" * 16)
    mine, others, adas = (house.post.events.open(who) for who in (BOB, phone, ADA))
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope()]))
    house.post.on_low(BOB.account, b"P" * 16, 3)
    house.post.on_vault_changed(BOB.account, 7, BOB.device)
    house.post.on_vault_changed(ADA.account, 9)
    assert kinds(mine) == ["mail"]
    assert [(one.kind, one.left, one.revision) for one in heard(others)] == [
        ("prekeys", 3, None),
        ("vault", None, 7),
    ]
    assert [(one.kind, one.revision) for one in heard(adas)] == [("vault", 9)]


async def test_two_sign_ins_of_one_device_hear_the_same(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    again = replace(BOB, session=os.urandom(16))
    feeds = [house.post.events.open(who) for who in (BOB, again)]
    assert feeds[0] is not feeds[1]
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope()]))
    assert heard(feeds[0]) == heard(feeds[1]) != []


async def test_who_falls_behind_hears_reset_and_goes_on(house: PostHouse) -> None:
    feed = house.post.events.open(BOB)
    for revision in range(feed_module.KEPT_EVENTS + 5):
        house.post.on_vault_changed(BOB.account, revision)
    (event,) = heard(feed)
    assert event.kind == "reset"
    assert event.number == feed.last
    house.post.on_vault_changed(BOB.account, 1)
    assert kinds(feed, event.number) == ["vault"]
    assert heard(feed, feed.last + 5) == []
    # Nobody's reading does not fill the memory.
    assert len(feed._entries) == feed_module.KEPT_EVENTS


async def test_unread_mail_is_bounded_in_octets(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    feed = house.post.events.open(BOB)
    for _ in range(200):
        await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope(4032), envelope(4032)]))
        await settle_all(house, BOB)
    assert feed._octets <= feed_module.KEPT_OCTETS
    assert sum(event.queued is not None for event in heard(feed)) <= feed_module.INLINE_BEHIND + 1
    assert heard(feed) == [] or heard(feed)[-1].number == feed.last


async def test_tickets_open_once_and_not_for_long(house: PostHouse, clock: Time) -> None:
    events = house.post.events
    ticket = events.ticket(BOB).ticket
    assert events.redeem(ticket) == BOB
    for text in (ticket, "", "nonsense"):
        with refused("session_ended"):
            events.redeem(text)
    late = events.ticket(BOB).ticket
    clock.now += module.TICKET_SECONDS
    with refused("session_ended"):
        events.redeem(late)
    with refused("no_device"):
        events.ticket(replace(BOB, device=None))


async def test_tickets_are_bounded(house: PostHouse, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TICKETS", 2)
    events = house.post.events
    for who in (BOB, ADA):
        events.ticket(who)
    with refused("busy"):
        events.ticket(BOB)
    clock.now += module.TICKET_SECONDS
    # One sign-in cannot take them all: its oldest go.
    monkeypatch.setattr(module, "SOCKETS", 1)
    first, second = events.ticket(BOB).ticket, events.ticket(BOB).ticket
    with refused("session_ended"):
        events.redeem(first)
    assert events.redeem(second) == BOB


async def test_a_sign_in_that_ends_is_told_and_its_tickets_are_void(house: PostHouse) -> None:
    events = house.post.events
    feed, ticket = events.open(BOB), events.ticket(BOB).ticket
    house.post.end_session(os.urandom(16))
    house.post.end_session(BOB.session)
    assert kinds(feed) == ["session"]
    assert feed.ended
    with refused("session_ended"):
        events.redeem(ticket)
    await feed.wait(feed.last)  # nobody waits on an ended feed
    assert not events.is_here(feed.device)
    assert events.mailboxes == {}


async def test_the_long_poll_waits_for_news_and_gives_up(house: PostHouse, mock_clock: MockClock) -> None:
    mock_clock.autojump_threshold = 0.01
    first = await house.post.events.wait(BOB, b"", 0)
    assert [event.kind for event in first.events] == ["hello"]
    last = first.events[-1].number
    before = trio.current_time()
    quiet = await house.post.events.wait(BOB, first.stream, last)
    assert quiet.events == []
    assert trio.current_time() - before >= module.POLL_SECONDS
    async with trio.open_nursery() as nursery:

        async def poll() -> None:
            found = await house.post.events.wait(BOB, first.stream, last)
            assert [(event.kind, event.revision) for event in found.events] == [("vault", 5)]

        nursery.start_soon(poll)
        await trio.testing.wait_all_tasks_blocked()
        house.post.on_vault_changed(BOB.account, 5)
    async with trio.open_nursery() as nursery:

        async def released() -> None:
            before = trio.current_time()
            assert (await house.post.events.wait(BOB, first.stream, last + 1)).events == []
            assert trio.current_time() == before

        nursery.start_soon(released)
        await trio.testing.wait_all_tasks_blocked(0.001)
        house.post.events.release()
    other = await house.post.events.wait(BOB, b"another!", 40)
    assert [event.kind for event in other.events] == ["reset"]
    assert other.stream == first.stream


async def test_feeds_that_nobody_reads_go(house: PostHouse, mock_clock: MockClock) -> None:
    await routes_of(house, BOB)
    feed = house.post.events.open(BOB)
    kept = house.post.events.open(ADA)
    seat = Seat()
    house.post.events.enter(kept, seat)
    mock_clock.jump(module.IDLE_SECONDS + 1)
    assert house.post.events.open(BOB) is feed  # it was used in time after all
    mock_clock.jump(module.IDLE_SECONDS + 1)
    house.post.events._close_idle()
    assert house.post.events.live() == [kept]
    assert not house.post.events.mailboxes
    assert house.post.events.open(BOB) is not feed
    house.post.events.leave(kept, seat)


async def test_a_sign_in_has_a_few_sockets_only(house: PostHouse) -> None:
    feed = house.post.events.open(BOB)
    seats = [Seat() for _ in range(module.SOCKETS + 2)]
    for seat in seats:
        house.post.events.enter(feed, seat)
    assert [seat.evicted for seat in seats] == [1, 1] + [0] * module.SOCKETS
    assert feed.readers == module.SOCKETS
    for seat in seats:
        house.post.events.leave(feed, seat)
    assert feed.readers == 0


async def test_sockets_are_given_mail_and_logs_at_once_and_the_rest_when_they_come_by(
    house: PostHouse,
) -> None:
    feed, seat = house.post.events.open(BOB), Seat()
    house.post.events.enter(feed, seat)
    house.post.on_vault_changed(BOB.account, 1)
    assert (seat.woken, seat.taken) == (1, 0)
    feed.add("mail")
    house.post.events.tell_log(LogNews(bytes(16), 7), [BOB.account])
    assert (seat.woken, seat.taken) == (1, 2)
    house.post.end_session(BOB.session)
    assert seat.woken > 1


async def test_an_event_is_written_once_and_can_be_read(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    feed = house.post.events.open(BOB)
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope()]))
    (entry,) = feed.after(1)
    assert entry.data is entry.data
    assert codec.read(entry.data, Event) == entry.event


async def test_signals_are_passed_on_and_kept_nowhere(tmp_path: Path, clock: Time, far: Far) -> None:
    async with posts(tmp_path, clock, far, "a", "b") as (a, b):
        routes = [*await routes_of(a, BOB), *await routes_of(b, member("cleo"))]
        near, distant = a.post.events.open(BOB), b.post.events.open(member("cleo"))
        sign = envelope()
        before = [one.house.store.read(lambda txn: txn.count("bodies")) for one in (a, b)]  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.post.signals.run)
            a.post.signals.send(ADA, Signal(routes, sign))
            with trio.fail_after(5):
                await distant.wait(1)
            nursery.cancel_scope.cancel()
        for feed in (near, distant):
            (event,) = heard(feed)
            assert (event.kind, event.handle, event.envelope) == ("signal", HANDLE, sign)
        assert [one.house.store.read(lambda txn: txn.count("bodies")) for one in (a, b)] == before  # type: ignore[arg-type]
        # On the circuit on which dispatches to that mailbox go.
        assert far.purposes == [(onion.address(b.onion), f"device {routes[1].mailbox.hex()}")]


async def test_a_signal_wants_the_capability_and_is_limited(house: PostHouse, clock: Time) -> None:
    (route,) = await routes_of(house, BOB)
    signals, sign = house.post.signals, envelope()
    with refused("no_mailbox"):
        signals.receive(RelaySignal(os.urandom(20), route.capability, sign), 1)
    with refused("capability"):
        signals.receive(RelaySignal(route.mailbox, bytes(32), sign), 1)
    for circuit in range(2, 40):  # who only knows its name does not use up what it may get
        with refused("capability"):
            signals.receive(RelaySignal(route.mailbox, bytes(32), sign), circuit)
    signals.receive(RelaySignal(route.mailbox, route.capability, sign), 40)
    feed = house.post.events.open(BOB)
    clock.now += 60
    with refused("too_many"):
        for _ in range(100):
            signals.receive(RelaySignal(route.mailbox, route.capability, sign), None)
    assert 10 <= len(heard(feed)) <= 20
    with refused("too_many"):  # another mailbox does not help one circuit
        for _ in range(100):
            (other,) = await routes_of(house, BOB, os.urandom(8))
            signals.receive(RelaySignal(other.mailbox, other.capability, sign), 9)
    clock.now += 60
    signals.receive(RelaySignal(route.mailbox, route.capability, sign), 9)
    with refused("too_many"):
        for _ in range(100):
            signals.send(ADA, Signal([route], sign))


async def test_who_is_here_is_told_when_they_let_it_be_seen(house: PostHouse, mock_clock: MockClock) -> None:
    mock_clock.autojump_threshold = 0.01
    presence, events = house.post.presence, house.post.events
    async with trio.open_nursery() as nursery:
        nursery.start_soon(presence.run)
        watcher = events.open(ADA)
        events.enter(watcher, Seat())
        feed, seat = events.open(BOB), Seat()
        events.enter(feed, seat)
        await trio.sleep(10)
        assert presence.here().names == []
        presence.show(BOB, True)
        await watcher.wait(1)
        assert [(one.kind, one.names) for one in heard(watcher)] == [("here", ["bob"])]
        # A page that is loaded again does not come and go.
        events.leave(feed, seat)
        events.enter(feed, seat)
        await trio.sleep(10)
        assert heard(watcher, watcher.last) == []
        number = watcher.last
        presence.show(BOB, False)
        await watcher.wait(number)
        assert [one.names for one in heard(watcher, number)] == [[]]
        presence.show(BOB, True)
        await watcher.wait(watcher.last)
        number = watcher.last
        events.end_session(BOB.session)
        await watcher.wait(number)
        assert [one.names for one in heard(watcher, number)] == [[]]
        nursery.cancel_scope.cancel()


async def test_settling_keeps_attachments_for_the_whole_account(house: PostHouse) -> None:
    routes = await routes_of(house, BOB)
    sent = [envelope(16320), envelope(16320), envelope()]
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=sent))
    numbers = [one.number for one in await waiting(house, BOB)]
    message = Settle([numbers[2]], numbers[:2])
    for _ in range(2):
        await house.post.queue.settle(BOB, message)
    assert not await waiting(house, BOB)
    phone = member("bob", device=b"P" * 16)
    ids = [envelope_id(one) for one in sent]
    assert (await house.post.queue.read_kept(phone, ReadKept(ids))).envelopes == [sent[0], sent[1], None]
    assert (await house.post.queue.lacking(phone, ReadKept(ids))).ids == [ids[2]]
    assert (await house.post.queue.lacking(ADA, ReadKept(ids))).ids == ids
    # Without room nothing of it happens.
    await house.post.dispatch.send(ADA, dispatch(routes, envelopes=[envelope(16320), envelope()]))
    one, two = [row.number for row in await waiting(house, BOB)]
    with refused("kept_full"):
        await house.post.queue.settle(BOB, Settle([two], [one]))
    assert len(await waiting(house, BOB)) == 2
    with refused("kept_full"):
        await house.post.queue.keep(BOB, Keep([envelope(16320)]))
    with refused("wrong_size"):
        await house.post.queue.keep(BOB, Keep([b"\1" * 5]))
