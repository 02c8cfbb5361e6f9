from __future__ import annotations

import os
import random
from typing import Any

import pytest

from appliance.errors import Refusal
from appliance.protocol.envelope import EnvelopeId
from appliance.protocol.item import Header, Part
from appliance.store import inbox
from appliance.store.engine import Store, Transaction
from appliance.store.schema import (
    INBOX,
    INBOX_FORGET,
    INBOX_PARTS,
    INBOX_PROGRESS,
    INBOX_RECLAIM,
    INBOX_SEEN,
    INBOX_TOMBS,
)
from appliance.store.storekey import Sealer

TABLES = (INBOX, INBOX_FORGET, INBOX_PARTS, INBOX_PROGRESS, INBOX_RECLAIM, INBOX_SEEN, INBOX_TOMBS)
SENDER, OTHER = b"s" * 32, b"o" * 32
ITEM = b"i" * 16
NOW, UNTIL = 1_700_000_000, 5000


def parts_of(content: bytes, count: int, item: bytes = ITEM, kind: Any = "file") -> list[Part]:
    size = -(-len(content) // count)
    header = Header(kind, "name", len(content), bytes(32), 1)
    return [
        Part(item, n, count, content[n * size : (n + 1) * size], header if n == 0 else None)
        for n in range(count)
    ]


def accept(txn: Transaction, sealer: Sealer, part: Part, **changes: Any) -> inbox.Accepted:
    values = {
        "sender": SENDER,
        "envelope": EnvelopeId(os.urandom(16)),
        "now": NOW,
        "until_hour": UNTIL,
        "octets_limit": 10**6,
    }
    return inbox.accept(txn, sealer, part=part, **(values | changes))


async def test_parts_in_any_order_make_the_item_once(store: Store, sealer: Sealer) -> None:
    content = os.urandom(1000)
    parts = parts_of(content, 7)

    def job(txn: Transaction) -> None:
        order = random.Random(4).sample(range(7), 7)
        results = []
        for place, index in enumerate(order):
            assert inbox.count_unseen(txn) == 0
            results.append(accept(txn, sealer, parts[index], now=NOW + place))
            assert accept(txn, sealer, parts[index]).state == "again"
        assert [result.state for result in results] == ["new"] * 7
        assert [result.complete for result in results] == [False] * 6 + [True]
        assert results[-1].kind == "file"
        [(item, arrival)] = inbox.list_all(txn, sealer)
        assert item.id == inbox.item_id(SENDER, ITEM) == results[0].id
        assert item.header == parts[0].header and (item.sender, item.item) == (SENDER, ITEM)
        assert arrival == (7, 7, 1000, NOW, False) and arrival.complete
        assert b"".join(inbox.read_parts(txn, sealer, item.id, 0, 100)) == content
        assert inbox.read_parts(txn, sealer, item.id, 5, 1) == [parts[5].data]
        assert accept(txn, sealer, parts[3]) == inbox.Accepted(item.id, "again", True)
        assert inbox.count_unseen(txn) == 1 and inbox.used_octets(txn) == 1000
        inbox.mark_seen(txn, item.id)
        assert inbox.count_unseen(txn) == 0

    await store.write(job)


async def test_an_item_of_one_part_is_whole_at_once(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        [part] = parts_of(b"hello", 1, kind="note")
        assert accept(txn, sealer, part) == (inbox.item_id(SENDER, ITEM), "new", True, "note")

    await store.write(job)


async def test_until_part_0_is_here_the_header_is_unknown(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        first, second = parts_of(b"hello", 2)
        accepted = accept(txn, sealer, second)
        assert (accepted.complete, accepted.kind) == (False, None)
        assert inbox.find(txn, sealer, accepted.id).header is None
        accept(txn, sealer, first)
        assert inbox.find(txn, sealer, accepted.id).header == first.header

    await store.write(job)


async def test_senders_do_not_touch_each_others_items(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        first, second = parts_of(b"hello", 2)
        mine = accept(txn, sealer, first)
        theirs = accept(txn, sealer, second, sender=OTHER)
        assert mine.id != theirs.id and not theirs.complete
        assert len(inbox.list_all(txn, sealer)) == 2

    await store.write(job)


async def test_a_part_that_contradicts_its_item_is_wrong(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        accept(txn, sealer, parts_of(b"hello", 2)[0])
        envelope = EnvelopeId(os.urandom(16))
        wrong = accept(txn, sealer, parts_of(b"hello", 3)[1], envelope=envelope)
        assert wrong.state == "wrong" and inbox.is_known(txn, envelope)
        arrival = inbox.find_arrival(txn, wrong.id)
        assert arrival is not None and (arrival.parts, arrival.parts_here) == (2, 1)

    await store.write(job)


async def test_a_full_inbox_takes_nothing_and_remembers_nothing(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        first, second = parts_of(bytes(1000), 2)
        accept(txn, sealer, first, octets_limit=999)
        envelope = EnvelopeId(os.urandom(16))
        with pytest.raises(Refusal) as caught:
            accept(txn, sealer, second, envelope=envelope, octets_limit=999)
        assert caught.value.code == "mailbox_full" and not inbox.is_known(txn, envelope)
        assert accept(txn, sealer, first, octets_limit=999).state == "again"
        assert accept(txn, sealer, second, envelope=envelope, octets_limit=1000).complete

    await store.write(job)


async def test_a_removed_item_does_not_come_again_until_its_hour(store: Store, sealer: Sealer) -> None:
    parts = parts_of(os.urandom(900), 30)

    def job(txn: Transaction) -> None:
        for part in parts[:25]:
            item = accept(txn, sealer, part).id
        inbox.remove(txn, item, UNTIL + 10)
        assert inbox.list_all(txn, sealer) == [] and inbox.used_octets(txn) == 0
        for gone in (lambda: inbox.remove(txn, item, UNTIL), lambda: inbox.mark_seen(txn, item)):
            with pytest.raises(Refusal) as caught:
                gone()
            assert caught.value.code == "no_item"
        late = EnvelopeId(os.urandom(16))
        assert accept(txn, sealer, parts[26], envelope=late) == (item, "again", True, None)
        assert inbox.is_known(txn, late)
        done = []
        while step := inbox.sweep(txn, UNTIL + 10, 8):
            done.append(step)
        assert max(done) <= 9
        assert txn.count(INBOX_PARTS) == txn.count(INBOX_RECLAIM) == 0
        assert accept(txn, sealer, parts[26]).state == "again"  # its hour is not over
        while inbox.sweep(txn, UNTIL + 11, 8):
            pass
        assert [txn.count(table) for table in TABLES] == [0] * 7
        assert accept(txn, sealer, parts[0]).state == "new"

    await store.write(job)


async def test_a_memory_lasts_as_long_as_the_longest_that_was_asked_for(store: Store) -> None:
    def job(txn: Transaction) -> None:
        envelope = EnvelopeId(b"e" * 16)
        inbox.remember(txn, envelope, 10)
        inbox.remember(txn, envelope, 20)
        inbox.remember(txn, envelope, 15)
        inbox.sweep(txn, 19, 100)
        assert inbox.is_known(txn, envelope)
        inbox.sweep(txn, 20, 100)
        assert inbox.is_known(txn, envelope)
        inbox.sweep(txn, 21, 100)
        assert not inbox.is_known(txn, envelope) and txn.count(INBOX_FORGET) == 0

    await store.write(job)


async def test_listing_and_counting_read_no_parts(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        for part in parts_of(os.urandom(4000), 40):
            item = accept(txn, sealer, part).id
        for key in list(txn.keys(INBOX_PARTS)):
            txn.put(INBOX_PARTS, key, b"damaged")
        assert len(inbox.list_all(txn, sealer)) == 1 and inbox.count_unseen(txn) == 1
        with pytest.raises(Refusal) as caught:
            inbox.read_parts(txn, sealer, item, 0, 1)
        assert caught.value.code == "damaged_store"

    await store.write(job)


async def test_a_job_that_fails_after_taking_a_part_leaves_no_trace(store: Store, sealer: Sealer) -> None:
    """The part, its memory and what the service writes with it come together or not at all."""
    [part] = parts_of(b"hello", 1)

    def job(txn: Transaction) -> None:
        accept(txn, sealer, part)
        raise Refusal("busy")

    with pytest.raises(Refusal):
        await store.write(job)
    assert store.read(lambda txn: [txn.count(table) for table in TABLES]) == [0] * 7
