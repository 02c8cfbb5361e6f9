from __future__ import annotations

import os

import pytest

from appliance.protocol.envelope import envelope_id
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import capability_hash
from appliance.store import device_mailboxes, grants, mailboxes, queue
from appliance.store.device_mailboxes import REQUESTS, Owner
from appliance.store.engine import Store, Transaction
from appliance.store.mailboxes import Bounds, Limits
from appliance.store.schema import INDEX, QUEUE
from appliance.store.storekey import Sealer
from appliance.store.sweep import sweep
from tests.services import envelope, refused

HOUR = 500_000
HERE = SigningKey(bytes(32)).public
GRANT = grants.GrantId(b"G" * 16)
LIMITS = Limits(Bounds(2, 4096), Bounds(1, 960), 1 << 30, Bounds(100, 1 << 20))
ACCOUNT, DEVICE = b"A" * 16, b"D" * 16


def owner(handle: bytes = b"handle-1", device: bytes = DEVICE, account: bytes = ACCOUNT) -> Owner:
    return Owner(account, device, handle)


def make(txn: Transaction, sealer: Sealer, whose: Owner) -> device_mailboxes.Place:
    device_mailboxes.ensure_grant(txn, GRANT, 1 << 20, HOUR)
    return device_mailboxes.create_here(txn, sealer, whose, HERE, GRANT, HOUR)


def put(txn: Transaction, place: device_mailboxes.Place, *envelopes: bytes, hours: int = 10) -> list[str]:
    hashed = capability_hash(place.capability)
    outcomes = mailboxes.deposit(txn, place.mailbox, hashed, envelopes, HOUR + hours, LIMITS, HOUR)
    return [outcome.state for outcome in outcomes]


def numbers(store: Store, device: bytes = ACCOUNT + DEVICE, **kind: int) -> list[int]:
    found, _, _ = store.read(lambda txn: queue.read(txn, device, kind.get("after", 0), 100, HOUR))
    return [one.number for one in found]


async def test_a_queue_merges_the_mailboxes_of_a_device_in_order_of_arrival(
    store: Store, sealer: Sealer
) -> None:
    def job(txn: Transaction) -> list[bytes]:
        places = [make(txn, sealer, owner(b"handle-%d" % n)) for n in range(3)]
        other = make(txn, sealer, owner(device=b"E" * 16))
        sent = []
        for turn in (2, 0, 1, 0):
            sent.append(envelope())
            put(txn, places[turn], sent[-1])
            put(txn, other, envelope())
        return sent

    sent = await store.write(job)
    found, more, _ = store.read(lambda txn: queue.read(txn, ACCOUNT + DEVICE, 0, 100, HOUR))
    assert [one.envelope for one in found] == sent
    assert [one.handle for one in found] == [b"handle-2", b"handle-0", b"handle-1", b"handle-0"]
    assert not more
    assert [one.number for one in found] == sorted(one.number for one in found)
    first, more, _ = store.read(lambda txn: queue.read(txn, ACCOUNT + DEVICE, 0, 2, HOUR))
    assert [one.envelope for one in first] == sent[:2]
    assert more
    rest, more, _ = store.read(lambda txn: queue.read(txn, ACCOUNT + DEVICE, first[-1].number, 9, HOUR))
    assert [one.envelope for one in rest] == sent[2:]
    assert not more
    one, more, _ = store.read(lambda txn: queue.read(txn, ACCOUNT + DEVICE, 0, 100, HOUR, octets=1))
    assert (len(one), more) == (1, True)


async def test_numbers_stay_until_settled_and_settling_again_changes_nothing(
    store: Store, sealer: Sealer
) -> None:
    place = await store.write(lambda txn: make(txn, sealer, owner()))
    await store.write(lambda txn: put(txn, place, *(envelope() for _ in range(4))))
    before = numbers(store)
    assert len(before) == 4
    settle = [before[1], before[3], before[1], 9_999_999, -1, 0, 1 << 70]
    assert await store.write(lambda txn: queue.settle(txn, ACCOUNT + DEVICE, settle, HOUR)) == 2
    assert numbers(store) == [before[0], before[2]]
    assert await store.write(lambda txn: queue.settle(txn, ACCOUNT + DEVICE, settle, HOUR)) == 0
    while await store.write(lambda txn: sweep(txn, HOUR, 100)):
        pass
    assert numbers(store) == [before[0], before[2]]


async def test_nobody_settles_what_waits_for_another_device(store: Store, sealer: Sealer) -> None:
    place = await store.write(lambda txn: make(txn, sealer, owner()))
    await store.write(lambda txn: put(txn, place, envelope()))
    (number,) = numbers(store)
    for stranger in (ACCOUNT + b"E" * 16, b"B" * 16 + DEVICE):
        assert await store.write(lambda txn, who=stranger: queue.settle(txn, who, [number], HOUR)) == 0
    assert numbers(store) == [number]


async def test_a_settled_envelope_that_comes_again_is_not_shown_again(store: Store, sealer: Sealer) -> None:
    place, one = await store.write(lambda txn: make(txn, sealer, owner())), envelope()
    assert await store.write(lambda txn: put(txn, place, one)) == ["held"]
    await store.write(lambda txn: queue.settle(txn, ACCOUNT + DEVICE, numbers(store), HOUR))
    assert await store.write(lambda txn: put(txn, place, one)) == ["already held"]
    assert not numbers(store)
    assert store.read(lambda txn: queue.is_seen(txn, place.mailbox, envelope_id(one)))
    # After the time for which any relay could bring it, it is forgotten.
    later = -(-(HOUR + queue.SEEN_HOURS) // 24) * 24  # the end of that day
    assert not store.read(lambda txn: queue.is_over(txn, later))
    assert await store.write(lambda txn: queue.forget_old(txn, later, 10)) == 0
    assert store.read(lambda txn: queue.is_over(txn, later + 1))
    assert await store.write(lambda txn: queue.forget_old(txn, later + 1, 10)) == 1
    assert not store.read(lambda txn: queue.is_seen(txn, place.mailbox, envelope_id(one)))
    assert await store.write(lambda txn: put(txn, place, one)) == ["held"]


async def test_mailboxes_of_members_have_bounds_of_their_own(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> tuple[list[str], list[str]]:
        contact, strangers = make(txn, sealer, owner()), make(txn, sealer, owner(REQUESTS))
        return (
            put(txn, contact, *(envelope() for _ in range(3))),
            put(txn, strangers, envelope(), envelope()),
        )

    contact, strangers = await store.write(job)
    assert contact == ["held"] * 3
    assert strangers == ["held", "mailbox_full"]


async def test_the_grant_bounds_what_waits_for_the_whole_account(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> list[str]:
        first, second = (make(txn, sealer, owner(b"handle-%d" % n)) for n in range(2))
        device_mailboxes.ensure_grant(txn, GRANT, 2000, HOUR)
        return put(txn, first, envelope(), envelope()) + put(txn, second, envelope())

    assert await store.write(job) == ["held", "held", "grant_full"]


async def test_news_are_told_whole_only_when_they_are_few_and_small(
    store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await store.write(lambda txn: make(txn, sealer, owner()))

    def news(after: int) -> tuple[int, list[queue.Waiting] | None]:
        return store.read(lambda txn: queue.news(txn, ACCOUNT + DEVICE, after, HOUR, limit=2, largest=1984))

    assert news(0) == (0, [])
    other = await store.write(lambda txn: make(txn, sealer, owner(device=b"E" * 16)))
    await store.write(lambda txn: put(txn, other, envelope()))
    assert news(0) == (1, [])  # that was another's
    small = [envelope(), envelope(1984)]
    await store.write(lambda txn: put(txn, place, *small))
    last, found = news(0)
    assert [one.envelope for one in found or []] == small
    await store.write(lambda txn: put(txn, place, envelope(4032)))
    later, found = news(last)
    assert later > last
    assert found is None
    assert news(later) == (later, [])
    await store.write(lambda txn: put(txn, place, *(envelope() for _ in range(3))))
    latest, found = news(later)
    assert latest == numbers(store)[-1]
    assert found is None
    # Where very much waits nobody looks through it for what is new.
    monkeypatch.setattr(queue, "MOST_NEWS", len(numbers(store)))
    assert news(latest) == (latest, [])
    monkeypatch.setattr(queue, "MOST_NEWS", len(numbers(store)) - 1)
    assert news(latest) == (latest, None)


def counted(txn: Transaction) -> int:
    """How many envelopes the mailboxes of devices say they hold."""
    found = [mailboxes.find(txn, mailbox) for _, mailbox in device_mailboxes.list_here(txn, b"")]
    return sum(record.held for record in found if record is not None)


async def test_a_queue_holds_what_its_mailboxes_hold_through_everything(store: Store, sealer: Sealer) -> None:
    def agree(rest: int = 0) -> int:
        rows, held = store.read(lambda txn: (txn.count(QUEUE), counted(txn)))
        assert rows == held + rest
        assert store.read(lambda txn: txn.count(INDEX)) == 0
        return rows

    first, second = [
        await store.write(lambda txn, at=at: make(txn, sealer, owner(at)))
        for at in (b"handle-1", b"handle-2")
    ]
    soon = [envelope() for _ in range(3)]
    await store.write(lambda txn: put(txn, first, *soon, hours=1))
    await store.write(lambda txn: put(txn, second, *(envelope() for _ in range(5)), hours=50))
    assert agree() == 8
    # One is settled, one comes again after its time but before the sweep, the rest is swept away.
    await store.write(lambda txn: queue.settle(txn, ACCOUNT + DEVICE, numbers(store)[:1], HOUR))
    assert agree() == 7
    hashed = capability_hash(first.capability)
    late = HOUR + 2
    await store.write(
        lambda txn: mailboxes.deposit(txn, first.mailbox, hashed, soon[1:2], late + 9, LIMITS, late)
    )
    assert agree() == 7
    assert len(store.read(lambda txn: queue.read(txn, ACCOUNT + DEVICE, 0, 100, late))[0]) == 6
    while await store.write(lambda txn: sweep(txn, late, 2)):
        pass
    assert agree() == 6
    await store.write(lambda txn: device_mailboxes.drop_here(txn, owner(b"handle-2")))
    assert agree() == 1
    # A mailbox too large to be emptied at once is not shown any more, nor settled, and goes with the sweep.
    many = mailboxes.DELETED_AT_ONCE + 10
    third = await store.write(lambda txn: make(txn, sealer, owner(b"handle-3")))
    wide = LIMITS._replace(member=Bounds(many, 1 << 20))
    hashed = capability_hash(third.capability)
    await store.write(
        lambda txn: mailboxes.deposit(
            txn, third.mailbox, hashed, [envelope() for _ in range(many)], late + 9, wide, late
        )
    )
    given_up = numbers(store)[-1]
    await store.write(lambda txn: device_mailboxes.drop_here(txn, owner(b"handle-3")))
    assert agree(rest=many) == many + 1
    assert len(numbers(store)) == 1
    assert store.read(lambda txn: queue.find(txn, ACCOUNT + DEVICE, given_up)) is None
    while await store.write(lambda txn: sweep(txn, late, 100)):
        pass
    assert agree() == 1


async def test_any_number_may_be_asked_after(store: Store, sealer: Sealer) -> None:
    place = await store.write(lambda txn: make(txn, sealer, owner()))
    await store.write(lambda txn: put(txn, place, envelope()))
    assert numbers(store, after=-5) == numbers(store)
    for after in ((1 << 64) - 1, 1 << 80):
        assert numbers(store, after=after) == []


async def test_hours_of_arrival_are_known_from_marks(store: Store, sealer: Sealer) -> None:
    place = await store.write(lambda txn: make(txn, sealer, owner()))
    for hour in (HOUR, HOUR + 1):
        assert await store.write(lambda txn, at=hour: queue.mark_hour(txn, at))
        assert not await store.write(lambda txn, at=hour: queue.mark_hour(txn, at))
        await store.write(lambda txn: put(txn, place, envelope(), envelope()))
    found, _, _ = store.read(lambda txn: queue.read(txn, ACCOUNT + DEVICE, 0, 10, HOUR + 2))
    assert [one.hour for one in found] == [HOUR, HOUR, HOUR + 1, HOUR + 1]
    # Old marks go, but not the one that tells of the oldest numbers still told of.
    await store.write(lambda txn: queue.forget_old(txn, HOUR + queue.SEEN_HOURS + 2, 10))
    found, _, _ = store.read(lambda txn: queue.read(txn, ACCOUNT + DEVICE, 0, 10, HOUR + 2))
    assert [one.hour for one in found][2:] == [HOUR + 1, HOUR + 1]


async def test_a_dropped_handle_takes_what_waits_with_it(store: Store, sealer: Sealer) -> None:
    place = await store.write(lambda txn: make(txn, sealer, owner()))
    await store.write(lambda txn: put(txn, place, envelope()))
    assert await store.write(lambda txn: device_mailboxes.drop_here(txn, owner())) == place.mailbox
    assert await store.write(lambda txn: device_mailboxes.drop_here(txn, owner())) is None
    assert not numbers(store)
    assert store.read(lambda txn: device_mailboxes.owner_of(txn, place.mailbox)) is None
    assert await store.write(lambda txn: put(txn, place, envelope())) == ["no_mailbox"]


async def test_places_are_sealed_and_change_only_from_the_states_named(store: Store, sealer: Sealer) -> None:
    relay = os.urandom(32)
    place = device_mailboxes.fresh(owner(), relay)
    await store.write(lambda txn: device_mailboxes.save(txn, sealer, place))
    rows = store.read(lambda txn: list(txn.range(device_mailboxes.DEVICE_PLACES)))
    for secret in (place.fetch_seed, place.capability, place.mailbox, relay):
        assert all(secret not in key + value for key, value in rows)
    change = device_mailboxes.change
    assert not await store.write(lambda txn: change(txn, sealer, place, "wanted", "ready"))
    assert await store.write(lambda txn: device_mailboxes.place(txn, sealer, place, b"under one"))
    (now,) = store.read(lambda txn: device_mailboxes.list_places(txn, sealer, ACCOUNT))
    assert (now.state, now.under, now.owner) == ("ready", b"under one", owner())
    assert await store.write(lambda txn: change(txn, sealer, place, "dropped", "ready", "wanted"))
    assert not await store.write(lambda txn: device_mailboxes.place(txn, sealer, place, b"another"))
    await store.write(lambda txn: device_mailboxes.remove(txn, sealer, place))
    assert not store.read(lambda txn: device_mailboxes.list_places(txn, sealer))
    assert not await store.write(lambda txn: change(txn, sealer, place, "wanted", "dropped"))


@pytest.mark.parametrize("length", [0, 16, 32, 40])
async def test_mailboxes_are_listed_by_account_device_and_handle(
    store: Store, sealer: Sealer, length: int
) -> None:
    others = [owner(b"handle-2"), owner(device=b"E" * 16), owner(account=b"B" * 16)]

    def job(txn: Transaction) -> None:
        for whose in [owner(), *others]:
            make(txn, sealer, whose)

    await store.write(job)
    prefix = b"".join(owner())[:length]
    assert (
        len(store.read(lambda txn: device_mailboxes.list_here(txn, prefix)))
        == {0: 4, 16: 3, 32: 2, 40: 1}[length]
    )
    assert store.read(lambda txn: device_mailboxes.count(txn, prefix, 2)) == min(
        2, {0: 4, 16: 3, 32: 2, 40: 1}[length]
    )


async def test_a_second_mailbox_for_a_full_grant_is_refused(store: Store, sealer: Sealer) -> None:
    await store.write(lambda txn: make(txn, sealer, owner()))
    await store.write(lambda txn: grants.revoke(txn, GRANT))
    with refused("grant"):
        await store.write(
            lambda txn: device_mailboxes.create_here(txn, sealer, owner(b"handle-2"), HERE, GRANT, HOUR)
        )


async def test_places_here_are_opened_once_and_those_at_relays_each_time(
    store: Store, sealer: Sealer
) -> None:
    relay, here = os.urandom(32), os.urandom(32)
    near, far = (device_mailboxes.fresh(owner(), where) for where in (here, relay))
    for place in (near, far):
        await store.write(lambda txn, place=place: device_mailboxes.save(txn, sealer, place))

    def look(known: frozenset[bytes] = frozenset()) -> tuple[list[bytes], frozenset[bytes]]:
        found, seen = store.read(lambda txn: device_mailboxes.list_far(txn, sealer, here, known))
        return [place.mailbox for place in found], seen

    found, known = look()
    assert (found, len(known)) == ([far.mailbox], 1)
    # What cannot be opened any more is not looked at.
    (key,) = known
    await store.write(lambda txn: txn.put(device_mailboxes.DEVICE_PLACES, key, b"spoilt"))
    assert look(known) == (found, known)
    await store.write(lambda txn: device_mailboxes.remove(txn, sealer, near))
    await store.write(lambda txn: device_mailboxes.change(txn, sealer, far, "ready", "wanted"))
    assert look(known) == (found, frozenset())
