from __future__ import annotations

import os
from typing import Any

import pytest

from appliance.errors import Refusal
from appliance.store import deliveries, outbox
from appliance.store.engine import Store, Transaction
from appliance.store.outbox import PIECE, OutboxItem
from appliance.store.schema import (
    OUTBOX,
    OUTBOX_CONTENT,
    OUTBOX_HELD,
    OUTBOX_NEXT,
    OUTBOX_PARTS,
    OUTBOX_PENDING,
    OUTBOX_PROGRESS,
    OUTBOX_RECLAIM,
)
from appliance.store.storekey import Sealer

TABLES = (
    OUTBOX,
    OUTBOX_CONTENT,
    OUTBOX_HELD,
    OUTBOX_NEXT,
    OUTBOX_PARTS,
    OUTBOX_PENDING,
    OUTBOX_PROGRESS,
    OUTBOX_RECLAIM,
)
ID = b"i" * 16
NOW = 1_700_000_000


def item(size: int = 5, identifier: bytes = ID, **changes: Any) -> OutboxItem:
    values = {
        "contact": b"c" * 32,
        "kind": "file",
        "name": "holiday.jpg",
        "created": NOW,
        "horizon": NOW + 999,
    }
    return OutboxItem(id=identifier, size=size, **(values | changes))


def make_sending(
    txn: Transaction, sealer: Sealer, parts: int, identifier: bytes = ID, **changes: Any
) -> None:
    """An item whose envelopes are all made."""
    outbox.compose(txn, sealer, item(0, identifier, **changes))
    outbox.begin_sealing(txn, sealer, identifier, bytes(32), parts)
    outbox.add_envelopes(txn, identifier, 0, [b"envelope %d" % n for n in range(parts)], NOW)


def refusal(code: str, function: Any, *args: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        function(*args)
    assert caught.value.code == code
    return caught.value


async def test_an_item_goes_from_upload_to_sending(store: Store, sealer: Sealer) -> None:
    content = os.urandom(3 * PIECE + 1000)

    def job(txn: Transaction) -> None:
        started = outbox.compose(txn, sealer, item(len(content)))
        assert started.state == "uploading" and started.horizon == NOW + 999
        assert outbox.upload(txn, sealer, ID, 0, content[:100]) == 100
        assert outbox.upload(txn, sealer, ID, 100, content[100 : PIECE + 500]) == PIECE + 500
        refusal("wrong_state", outbox.begin_sealing, txn, sealer, ID, bytes(32), 3)
        assert outbox.upload(txn, sealer, ID, 200, content[200:]) == len(content)  # overlaps
        for offset, length in ((0, 10), (99, 2), (PIECE + 490, 2 * PIECE), (0, 10**7), (len(content), 5)):
            found = outbox.read_content(txn, sealer, ID, offset, length)
            assert found == content[offset : offset + length]
        outbox.begin_sealing(txn, sealer, ID, b"d" * 32, 3, b"card")
        outbox.begin_sealing(txn, sealer, ID, b"x" * 32, 9)  # again: what was fixed stays
        found_item = outbox.find(txn, sealer, ID)
        assert (found_item.digest, found_item.card, found_item.name) == (b"d" * 32, b"card", "holiday.jpg")
        assert outbox.list_states(txn, "sealing") == [ID]
        assert outbox.add_envelopes(txn, ID, 0, [b"0", b"1"], NOW).sealed == 2
        refusal("wrong_state", outbox.add_envelopes, txn, ID, 3, [b"3"], NOW)
        assert outbox.read_content(txn, sealer, ID, 0, 10) == content[:10]
        progress = outbox.add_envelopes(txn, ID, 0, [b"other 0", b"other 1", b"2", b"beyond"], NOW)
        assert (progress.state, progress.sealed, progress.pending) == ("sending", 3, 3)
        assert progress.next_try == NOW and deliveries.due(txn, NOW, 5) == [ID]
        assert [part.envelope for part in deliveries.pending(txn, ID, 9)] == [b"0", b"1", b"2"]
        assert txn.count(OUTBOX_CONTENT) == 0
        assert outbox.add_envelopes(txn, ID, 0, [b"late"], NOW + 5) == progress

    await store.write(job)


async def test_uploads_are_refused_where_they_do_not_fit(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        refusal("no_item", outbox.upload, txn, sealer, ID, 0, b"x")
        outbox.compose(txn, sealer, item(5))
        assert outbox.upload(txn, sealer, ID, 0, b"abc") == 3
        assert refusal("offset", outbox.upload, txn, sealer, ID, 4, b"x").details == {"offset": 3}
        refusal("too_large", outbox.upload, txn, sealer, ID, 3, b"xyz")
        assert outbox.upload(txn, sealer, ID, 0, b"XY") == 3  # known already
        assert outbox.upload(txn, sealer, ID, 3, b"") == 3
        assert outbox.upload(txn, sealer, ID, 3, b"de") == 5
        assert outbox.read_content(txn, sealer, ID, 0, 9) == b"abcde"
        outbox.begin_sealing(txn, sealer, ID, bytes(32), 1)
        refusal("wrong_state", outbox.upload, txn, sealer, ID, 5, b"")

    await store.write(job)


async def test_composing_again_changes_nothing(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        outbox.compose(txn, sealer, item(5))
        outbox.upload(txn, sealer, ID, 0, b"abc")
        assert outbox.compose(txn, sealer, item(7, name="other")).uploaded == 3
        assert outbox.find(txn, sealer, ID).name == "holiday.jpg"

    await store.write(job)


async def test_items_are_listed_newest_first_without_their_parts(store: Store, sealer: Sealer) -> None:
    class Watched:
        """A transaction that tells which tables are read."""

        def __init__(self, txn: Transaction) -> None:
            self.txn = txn
            self.tables: set[str] = set()

        def __getattr__(self, name: str) -> Any:
            def call(table: Any, *args: Any, **more: Any) -> Any:
                self.tables.add(table)
                return getattr(self.txn, name)(table, *args, **more)

            return call

    def job(txn: Transaction) -> None:
        for number in range(3):
            make_sending(txn, sealer, 4, bytes((number,)) * 16, created=NOW + number)
        watched = Watched(txn)
        rows = outbox.list_all(watched, sealer)  # type: ignore[arg-type]
        assert [row.created for row, _ in rows] == [NOW + 2, NOW + 1, NOW]
        assert [progress.parts for _, progress in rows] == [4, 4, 4]
        assert watched.tables == {OUTBOX, OUTBOX_PROGRESS}

    await store.write(job)


@pytest.mark.parametrize("state", ["delivered", "given_up"])
async def test_an_ended_item_stays_on_the_list_and_its_parts_go(
    store: Store, sealer: Sealer, state: Any
) -> None:
    def job(txn: Transaction) -> None:
        make_sending(txn, sealer, 50)
        deliveries.place_direct(txn, ID, range(10))
        assert outbox.end(txn, ID, state, NOW + 7, "why")
        assert not outbox.end(txn, ID, "delivered", NOW + 8)
        progress = outbox.progress_of(txn, ID)
        assert (progress.state, progress.ended, progress.reason) == (state, NOW + 7, "why")
        assert deliveries.due(txn, NOW + 10**9, 5) == [] and deliveries.next_due(txn) is None
        done = []
        while step := outbox.sweep(txn, NOW + 7, 20):
            done.append(step)
        assert max(done) <= 21 and sum(done) == 50 + 40 + 10 + 1
        assert [txn.count(table) for table in TABLES] == [1, 0, 0, 0, 0, 0, 1, 0]
        # What comes late changes nothing and leaves nothing behind.
        assert deliveries.place_direct(txn, ID, [1]) == progress
        assert deliveries.postpone(txn, ID, NOW + 50) == progress == deliveries.hasten(txn, ID, NOW)
        assert deliveries.revive(txn, ID, 1, 1, 10) is None
        assert outbox.sweep(txn, NOW + 8, 20) == 1
        assert [txn.count(table) for table in TABLES] == [0] * 8

    await store.write(job)


@pytest.mark.parametrize("stage", ["uploading", "sealing", "sending", "delivered"])
async def test_an_item_can_be_removed_in_any_state(store: Store, sealer: Sealer, stage: str) -> None:
    def job(txn: Transaction) -> None:
        outbox.compose(txn, sealer, item(3))
        outbox.upload(txn, sealer, ID, 0, b"abc")
        if stage != "uploading":
            outbox.begin_sealing(txn, sealer, ID, bytes(32), 2)
            outbox.add_envelopes(txn, ID, 0, [b"0"], NOW)
        if stage in ("sending", "delivered"):
            outbox.add_envelopes(txn, ID, 1, [b"1"], NOW)
        if stage == "delivered":
            outbox.end(txn, ID, "delivered", NOW)
        assert outbox.remove(txn, ID) and not outbox.remove(txn, ID)
        refusal("no_item", outbox.find, txn, sealer, ID)
        refusal("no_item", outbox.progress_of, txn, ID)
        assert outbox.list_all(txn, sealer) == []
        while outbox.sweep(txn, 0, 2):
            pass
        assert [txn.count(table) for table in TABLES] == [0] * 8

    await store.write(job)


async def test_a_long_reason_is_cut(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        make_sending(txn, sealer, 1)
        assert deliveries.postpone(txn, ID, NOW + 1, "x" * 100).reason == "x" * 100
        assert outbox.progress_of(txn, ID).reason == "x" * 24

    await store.write(job)
