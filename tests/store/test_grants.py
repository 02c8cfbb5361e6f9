from __future__ import annotations

import os
from typing import Any

import pytest

from appliance.errors import Refusal
from appliance.store import counters, grants, mailboxes
from appliance.store.engine import Store, Transaction
from appliance.store.grants import GrantId, grant_id
from appliance.store.schema import GRANT_ENDS, GRANT_LABELS, GRANTS
from appliance.store.storekey import Sealer
from appliance.store.sweep import sweep

GRANT = grant_id(bytes(32))
NOW = 1000


def make(txn: Transaction, grant: GrantId = GRANT, **changes: Any) -> grants.GrantRecord:
    values = {"origin": "owner", "mailboxes": 2, "octets": 10_000, "now_hour": NOW, "expires_hour": NOW + 10}
    return grants.create(txn, grant, **(values | changes))


def admit(txn: Transaction, grant: GrantId, octets: int = 0, now: int = NOW) -> bytes:
    mailbox = os.urandom(20)
    grants.admit(txn, grant, mailbox, octets, now)
    return mailbox


def refusal(code: str, function: Any, *args: Any) -> None:
    with pytest.raises(Refusal) as caught:
        function(*args)
    assert caught.value.code == code


async def test_a_grant_counts_its_mailboxes_and_octets(store: Store) -> None:
    def job(txn: Transaction) -> None:
        make(txn)
        first = admit(txn, GRANT, 4000)
        refusal("grant_full", admit, txn, GRANT, 6001)
        admit(txn, GRANT)
        refusal("grant_full", admit, txn, GRANT)
        record = grants.find(txn, GRANT)
        assert record is not None and (record.mailboxes, record.octets) == (2, 4000)
        assert grants.room(txn, GRANT, NOW + 10) is None and grants.room(txn, bytes(16), NOW) is None
        left, row = grants.room(txn, GRANT, NOW) or (0, ())
        assert left == 6000
        grants.charge(txn, GRANT, row, 1000)
        grants.release(txn, GRANT, 500)
        grants.dismiss(txn, GRANT, first, 4000)
        grants.dismiss(txn, GRANT, first, 4000)  # once only
        record = grants.find(txn, GRANT)
        assert record is not None and (record.mailboxes, record.octets) == (1, 500)

    await store.write(job)


async def test_unknown_and_expired_grants_are_refused(store: Store) -> None:
    def job(txn: Transaction) -> None:
        refusal("grant", admit, txn, GRANT)
        make(txn)
        admit(txn, GRANT, 0, NOW + 9)
        refusal("grant", admit, txn, GRANT, 0, NOW + 10)
        assert not grants.revoke(txn, grant_id(b"x" * 32))
        grants.release(txn, grant_id(b"x" * 32), 5)  # gone meanwhile: nothing to do

    await store.write(job)


async def test_again_sets_new_limits_and_keeps_what_was_used(store: Store) -> None:
    def job(txn: Transaction) -> None:
        make(txn)
        admit(txn, GRANT, 700)
        record = make(txn, mailboxes=5, octets=20_000, now_hour=NOW + 3, expires_hour=NOW + 50)
        assert (record.mailboxes, record.octets, record.created_hour) == (1, 700, NOW)
        assert (record.mailboxes_limit, record.octets_limit, record.expires_hour) == (5, 20_000, NOW + 50)
        assert txn.count(GRANT_ENDS) == 1
        assert grants.ended(txn, NOW + 49 + grants.GRACE_HOURS, 5) == []
        assert grants.ended(txn, NOW + 50 + grants.GRACE_HOURS, 5) == [GRANT]

    await store.write(job)


async def test_revoked_ones_are_not_listed_and_end_at_once(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        other = grant_id(b"x" * 32)
        make(txn)
        make(txn, other)
        grants.set_label(txn, sealer, GRANT, "Für Anna")
        grants.set_label(txn, sealer, other, "Bert")
        assert grants.labels(txn, sealer) == {GRANT: "Für Anna", other: "Bert"}
        assert b"Anna" not in b"".join(value for _, value in txn.range(GRANT_LABELS))
        assert grants.revoke(txn, GRANT) and not grants.revoke(txn, GRANT)
        assert [record.grant for record in grants.list_all(txn)] == [other]
        assert grants.labels(txn, sealer) == {other: "Bert"}
        assert grants.ended(txn, NOW, 5) == [GRANT]
        refusal("grant", admit, txn, GRANT)

    await store.write(job)


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_the_sweep_takes_an_ended_grant_with_its_mailboxes(store: Store, how: str) -> None:
    bounds = mailboxes.Bounds(1000, 10_000_000)
    limits = mailboxes.Limits(bounds, bounds, 10_000_000)

    def job(txn: Transaction) -> list[bytes]:
        make(txn, mailboxes=100, octets=10_000_000)
        made = []
        for number in range(5):
            key = bytes((number,)) * 32
            record = mailboxes.create(
                txn, fetch_key=key, capability_hash=key, kind="contact", grant=GRANT, now_hour=NOW
            )
            made.append(record.mailbox)
            envelopes = [os.urandom(960) for _ in range(10)]
            mailboxes.deposit(txn, record.mailbox, key, envelopes, NOW + 10_000, limits, NOW)
        if how == "revoked":
            grants.revoke(txn, GRANT)
        return made

    made = await store.write(job)
    later = NOW if how == "revoked" else NOW + 10 + grants.GRACE_HOURS
    if how == "expired":  # until then it can be read
        while await store.write(lambda txn: sweep(txn, later - 1, 100)):
            pass
        envelopes, _ = store.read(lambda txn: mailboxes.fetch(txn, made[0], 0, 100, NOW))
        assert len(envelopes) == 10
    while await store.write(lambda txn: sweep(txn, later, 100)):
        pass
    assert store.read(lambda txn: [mailboxes.find(txn, each) for each in made]) == [None] * 5
    assert store.read(lambda txn: txn.count(GRANTS) + txn.count(GRANT_ENDS)) == 0
    assert store.read(counters.load) == counters.Load(0, 0, 0, [])
