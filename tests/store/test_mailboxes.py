from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

import pytest

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol.envelope import envelope_id
from appliance.protocol.mailbox import mailbox_id
from appliance.protocol.messages import Outcome
from appliance.store import counters, grants, mailboxes
from appliance.store.engine import Store, Transaction
from appliance.store.grants import grant_id
from appliance.store.mailboxes import Bounds, Limits
from appliance.store.schema import BODIES, DOOMED, EXPIRY, HOURS, INDEX, RECLAIM
from appliance.store.sweep import sweep

NOW = 1000
FAR = 10**6
KEY, CAPABILITY = b"k" * 32, b"c" * 32
BOX = mailbox_id(KEY)
GRANT, OWN = grant_id(b"g" * 32), grant_id(b"o" * 32)
LIMITS = Limits(Bounds(10, 12_000), Bounds(3, 3_000), 1_000_000)
WIDE = Limits(Bounds(FAR, FAR * FAR), Bounds(FAR, FAR * FAR), FAR * FAR)


def envelope(size: int = 960) -> bytes:
    return b"\1" + os.urandom(size - 1)


def setup(txn: Transaction, **changes: Any) -> None:
    values = {"origin": "owner", "mailboxes": 100, "octets": FAR * FAR, "now_hour": NOW, "expires_hour": FAR}
    grants.create(txn, GRANT, **(values | changes))
    grants.create(txn, OWN, **(values | {"origin": "self"}))
    create(txn)


def create(txn: Transaction, **changes: Any) -> mailboxes.MailboxRecord:
    values = {
        "fetch_key": KEY,
        "capability_hash": CAPABILITY,
        "kind": "contact",
        "grant": GRANT,
        "now_hour": NOW,
    }
    return mailboxes.create(txn, **(values | changes))


def deposit(
    txn: Transaction, envelopes: list[bytes], expiry: int = NOW + 24, limits: Limits = WIDE, now: int = NOW
) -> list[Outcome]:
    return mailboxes.deposit(txn, BOX, CAPABILITY, envelopes, expiry, limits, now)


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def fetch(txn: Transaction, after: int = 0, limit: int = 100, now: int = NOW) -> list[bytes]:
    return [found.envelope for found in mailboxes.fetch(txn, BOX, after, limit, now)[0]]


def clean(txn: Transaction, now: int = NOW) -> None:
    while sweep(txn, now, 50):
        pass


def refusal(code: str, function: Any, *args: Any, **changes: Any) -> None:
    with pytest.raises(Refusal) as caught:
        function(*args, **changes)
    assert caught.value.code == code


async def test_deposit_fetch_acknowledge(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn)
        sent = [envelope() for _ in range(5)]
        assert deposit(txn, sent[:3]) == [Outcome("held", NOW + 24)] * 3
        assert states(deposit(txn, sent[3:])) == ["held"] * 2
        found, more = mailboxes.fetch(txn, BOX, 0, 3, NOW)
        assert [each.envelope for each in found] == sent[:3] and more
        assert [each.expires_hour for each in found] == [NOW + 24] * 3
        rest, more = mailboxes.fetch(txn, BOX, found[-1].number, 3, NOW)
        assert [each.envelope for each in rest] == sent[3:] and not more
        ids = [envelope_id(each) for each in sent]
        assert mailboxes.acknowledge(txn, BOX, [*ids[:2], ids[0], os.urandom(16)]) == 2
        assert fetch(txn) == sent[2:]
        record = mailboxes.find(txn, BOX)
        assert record is not None and (record.held, record.octets) == (3, 3 * 960)
        assert counters.load(txn) == counters.Load(1, 3, 2880, [(NOW + 24, 3, 2880)])

    await store.write(job)


async def test_the_same_envelope_is_held_once(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn)
        one = envelope()
        assert states(deposit(txn, [one, one])) == ["held", "already held"]
        assert deposit(txn, [one], NOW + 99) == [Outcome("already held", NOW + 24)]
        assert fetch(txn) == [one]
        # After its acknowledgement it may come again, even before the sweep, under a new number.
        mailboxes.acknowledge(txn, BOX, [envelope_id(one)])
        assert fetch(txn) == []
        assert states(deposit(txn, [one])) == ["held"]
        clean(txn)
        assert fetch(txn) == [one]
        clean(txn, NOW + 25)
        assert fetch(txn) == [] and txn.count(BODIES) == txn.count(EXPIRY) == txn.count(INDEX) == 0

    await store.write(job)


async def test_an_expired_envelope_is_not_fetched_and_may_come_again_before_the_sweep(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn)
        one, other = envelope(), envelope()
        deposit(txn, [one, other], NOW + 1)
        assert fetch(txn, now=NOW + 1) == [one, other]
        assert fetch(txn, now=NOW + 2) == []
        again = deposit(txn, [envelope(), one, one], NOW + 9, WIDE, NOW + 2)
        assert again == [Outcome("held", NOW + 9), Outcome("held", NOW + 9), Outcome("already held", NOW + 9)]
        assert len(fetch(txn, now=NOW + 2)) == 2
        record = mailboxes.find(txn, BOX)
        assert record is not None and record.held == 3  # `other` is still there
        clean(txn, NOW + 2)
        record = mailboxes.find(txn, BOX)
        assert record is not None and (record.held, record.octets) == (2, 1920)
        assert counters.load(txn).hours == [(NOW + 9, 2, 1920)]
        assert fetch(txn, now=NOW + 2)[1] == one

    await store.write(job)


async def test_limits_of_mailbox_grant_and_relay(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn, octets=9_600)
        assert states(deposit(txn, [envelope() for _ in range(12)], limits=LIMITS)) == (
            ["held"] * 10 + ["mailbox_full"] * 2
        )
        refused = deposit(txn, [envelope()], limits=WIDE)
        assert states(refused) == ["grant_full"]
        mailboxes.acknowledge(txn, BOX, [envelope_id(each) for each in fetch(txn)[:4]])
        assert states(deposit(txn, [envelope(4032), envelope(1984)], limits=LIMITS)) == ["grant_full", "held"]
        grants.create(txn, GRANT, origin="owner", mailboxes=9, octets=FAR, now_hour=NOW, expires_hour=FAR)
        tight = WIDE._replace(relay_octets=6 * 960 + 1984 + 960)
        assert states(deposit(txn, [envelope() for _ in range(2)], limits=tight)) == ["held", "relay_full"]
        # What is refused for its size leaves room for a smaller one behind it.
        by_octets = Limits(Bounds(100, 9700), Bounds(100, 9700), FAR)
        outcomes = deposit(txn, [envelope(4032), envelope(960), envelope(960)], limits=by_octets)
        assert states(outcomes) == ["mailbox_full", "held", "mailbox_full"]

    await store.write(job)


async def test_kinds_have_their_own_bounds(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn)
        box = create(txn, fetch_key=b"r" * 32, kind="request").mailbox
        outcomes = mailboxes.deposit(txn, box, CAPABILITY, [envelope() for _ in range(4)], NOW, LIMITS, NOW)
        assert states(outcomes) == ["held"] * 3 + ["mailbox_full"]
        record = mailboxes.find(txn, box)
        assert record is not None and record.kind == "request" and not record.own

    await store.write(job)


async def test_refused_groups_say_why_for_each_envelope(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn, expires_hour=NOW + 5)
        two = [envelope(), envelope()]
        put = mailboxes.deposit
        assert states(put(txn, os.urandom(20), CAPABILITY, two, NOW, WIDE, NOW)) == ["no_mailbox"] * 2
        assert states(put(txn, BOX, b"x" * 32, two, NOW, WIDE, NOW)) == ["capability"] * 2
        assert states(put(txn, BOX, CAPABILITY, two, NOW, WIDE, NOW + 5)) == ["grant"] * 2
        refusal("no_mailbox", mailboxes.fetch, txn, os.urandom(20), 0, 1, NOW)
        refusal("no_mailbox", mailboxes.acknowledge, txn, os.urandom(20), [])
        assert counters.load(txn).held == 0

    await store.write(job)


async def test_create_again_is_answered_alike_and_contradictions_are_refused(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn, mailboxes=1)
        deposit(txn, [envelope()])
        assert create(txn).held == 1
        refusal("mailbox_exists", create, txn, capability_hash=b"x" * 32)
        refusal("mailbox_exists", create, txn, kind="request")
        refusal("grant_full", create, txn, fetch_key=b"x" * 32)
        refusal("grant", create, txn, fetch_key=b"x" * 32, grant=grant_id(b"unknown"))

    await store.write(job)


async def test_a_mailbox_moves_to_a_newer_grant(store: Store) -> None:
    newer = grant_id(b"n" * 32)

    def job(txn: Transaction) -> None:
        setup(txn)
        deposit(txn, [envelope()])
        grants.create(txn, newer, origin="peer", mailboxes=1, octets=960, now_hour=NOW, expires_hour=NOW + 9)
        assert create(txn, grant=newer).grant == newer
        old, new = grants.find(txn, GRANT), grants.find(txn, newer)
        assert old is not None and (old.mailboxes, old.octets) == (0, 0)
        assert new is not None and (new.mailboxes, new.octets) == (1, 960)
        assert grants.list_mailboxes(txn, GRANT) == [] and grants.list_mailboxes(txn, newer) == [BOX]

    await store.write(job)


async def test_own_mailboxes_are_not_held_for_others(store: Store) -> None:
    nothing = WIDE._replace(relay_octets=0)

    def job(txn: Transaction) -> None:
        setup(txn)
        box = create(txn, fetch_key=b"s" * 32, grant=OWN).mailbox
        sent = [envelope() for _ in range(3)]
        assert states(mailboxes.deposit(txn, box, CAPABILITY, sent, NOW, nothing, NOW)) == ["held"] * 3
        assert states(deposit(txn, [envelope()], limits=nothing)) == ["relay_full"]
        load = counters.load(txn)
        assert (load.held, load.octets, load.hours) == (0, 0, [])
        mailboxes.acknowledge(txn, box, [envelope_id(sent[0])])
        clean(txn, NOW + 1)
        own = grants.find(txn, OWN)
        assert own is not None and own.octets == 0
        assert counters.load(txn) == load

    await store.write(job)


async def test_what_lives_longest_ends_in_its_hour_without_a_row_of_its_own(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn)
        longest = NOW + mailboxes.LONGEST_HOURS
        first, brief, second, later = (envelope() for _ in range(4))
        deposit(txn, [first], longest)
        deposit(txn, [brief], longest - 1)
        deposit(txn, [second], longest)
        deposit(txn, [later], longest + 1, now=NOW + 1)
        assert (txn.count(EXPIRY), txn.count(BODIES)) == (1, 4)
        clean(txn, longest - 1)
        assert fetch(txn, now=longest - 1) == [first, brief, second, later]
        clean(txn, longest)
        assert fetch(txn, now=longest) == [first, second, later]
        assert counters.load(txn).hours == [(longest, 2, 1920), (longest + 1, 1, 960)]
        assert sweep(txn, longest + 1, 1) == 1
        clean(txn, longest + 1)
        assert fetch(txn, now=longest + 1) == [later]
        # What was acknowledged leaves as ever.
        mailboxes.acknowledge(txn, BOX, [envelope_id(later)])
        clean(txn, longest + 1)
        assert [txn.count(table) for table in (BODIES, INDEX, EXPIRY, RECLAIM, HOURS)] == [0] * 5

    await store.write(job)


def test_no_setting_lets_anything_live_longer_than_the_sweep_knows() -> None:
    (setting,) = [one for one in fields(Config) if one.name == "ttl_max_hours"]
    assert setting.metadata["most"] == mailboxes.LONGEST_HOURS


async def test_fetch_is_bounded_by_octets_but_always_gives_one(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn)
        sent = [envelope(16320), envelope(), envelope(16320), envelope()]
        deposit(txn, sent)
        found, more = mailboxes.fetch(txn, BOX, 0, 10, NOW, 20_000)
        assert [each.envelope for each in found] == sent[:2] and more
        found, more = mailboxes.fetch(txn, BOX, 0, 10, NOW, 1)
        assert [each.envelope for each in found] == sent[:1] and more
        assert mailboxes.fetch(txn, BOX, 0, 0, NOW) == ([], True)

    await store.write(job)


async def test_arrival_numbers_never_come_twice(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn)
        numbers = []
        for hour in range(NOW, NOW + 5):
            deposit(txn, [envelope(), envelope()], hour, WIDE, hour)
            numbers += [each.number for each in mailboxes.fetch(txn, BOX, 0, 9, hour)[0]]
            clean(txn, hour + 1)  # now everything is empty
        assert numbers == sorted(set(numbers)) and len(numbers) == 10 and numbers[0] > 0

    await store.write(job)


@pytest.mark.parametrize("count", [5, mailboxes.DELETED_AT_ONCE + 700])
async def test_delete_takes_everything_large_ones_by_the_sweep(store: Store, count: int) -> None:
    def fill(txn: Transaction) -> None:
        setup(txn)
        deposit(txn, [envelope() for _ in range(count)])
        assert mailboxes.delete(txn, BOX) and not mailboxes.delete(txn, BOX)

    await store.write(fill)

    def check(txn: Transaction) -> None:
        assert mailboxes.find(txn, BOX) is None
        refusal("no_mailbox", mailboxes.fetch, txn, BOX, 0, 1, NOW)
        grant = grants.find(txn, GRANT)
        assert grant is not None and (grant.mailboxes, grant.octets) == (0, 0)
        if txn.count(DOOMED):
            refusal("busy", create, txn)

    store.read(check)
    largest = 0
    while done := await store.write(lambda txn: sweep(txn, NOW, 100)):
        largest = max(largest, done)
        store.read(check)
    assert largest <= 101
    store.read(check)
    tables = (BODIES, INDEX, EXPIRY, RECLAIM, HOURS, DOOMED)
    assert store.read(lambda txn: [txn.count(table) for table in tables]) == [0] * 6
    assert store.read(counters.load) == counters.Load(0, 0, 0, [])

    def anew(txn: Transaction) -> None:
        create(txn)
        assert states(deposit(txn, [envelope()])) == ["held"] and len(fetch(txn)) == 1

    await store.write(anew)


async def test_a_deleted_large_mailbox_may_expire_before_it_is_swept(store: Store) -> None:
    def job(txn: Transaction) -> None:
        setup(txn)
        deposit(txn, [envelope() for _ in range(mailboxes.DELETED_AT_ONCE + 50)])
        mailboxes.delete(txn, BOX)
        while sweep(txn, NOW + 25, 30):
            pass
        assert counters.load(txn) == counters.Load(0, 0, 0, [])
        assert [txn.count(table) for table in (BODIES, INDEX, EXPIRY, RECLAIM, DOOMED)] == [0] * 5

    await store.write(job)
