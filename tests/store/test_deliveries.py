from __future__ import annotations

import struct

from appliance.store import deliveries, outbox
from appliance.store.deliveries import route_key
from appliance.store.engine import Store, Transaction
from appliance.store.outbox import OutboxItem
from appliance.store.schema import OUTBOX_PARTS
from appliance.store.storekey import Sealer

ID, OTHER = b"i" * 16, b"o" * 16
NOW, HOUR = 1_700_000_000, 1000
FIRST, SECOND, THIRD = (route_key(bytes((n,)) * 32, bytes(20)) for n in range(3))


def make_sending(txn: Transaction, sealer: Sealer, parts: int, item: bytes = ID, now: int = NOW) -> None:
    made = OutboxItem(item, b"c" * 32, "file", "name", 0, now, now + 999)
    outbox.compose(txn, sealer, made)
    outbox.begin_sealing(txn, sealer, item, bytes(32), parts)
    outbox.add_envelopes(txn, item, 0, [b"envelope %d" % n for n in range(parts)], now)


def waiting(txn: Transaction, item: bytes = ID) -> list[int]:
    return [part.part for part in deliveries.pending(txn, item, 10_000)]


async def test_direct_parts_are_placed_once(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        make_sending(txn, sealer, 5)
        assert deliveries.place_direct(txn, ID, [0, 2]).direct == 2
        progress = deliveries.place_direct(txn, ID, [0, 2, 3, 99])
        assert (progress.direct, progress.held, progress.pending) == (3, 0, 2)
        assert waiting(txn) == [1, 4]
        # A relay that took one of them before does not make it less direct.
        assert deliveries.place_at(txn, ID, [0, 1], FIRST, HOUR + 9, 1, HOUR).held == 1
        progress = deliveries.place_direct(txn, ID, [1])
        assert (progress.direct, progress.held, progress.pending) == (4, 0, 1)

    await store.write(job)


async def test_a_part_waits_until_enough_relays_hold_it(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        make_sending(txn, sealer, 3)
        progress = deliveries.place_at(txn, ID, [0, 1, 2], FIRST, HOUR + 9, 2, HOUR)
        assert (progress.held, progress.pending, progress.expires_hour) == (0, 3, HOUR + 9)
        assert deliveries.place_at(txn, ID, [0, 1, 2], FIRST, HOUR + 9, 2, HOUR).held == 0  # the same relay
        [first, *_] = deliveries.pending(txn, ID, 1)
        assert first == (0, b"envelope 0", {FIRST: HOUR + 9})
        progress = deliveries.place_at(txn, ID, [0, 2], SECOND, HOUR + 5, 2, HOUR)
        assert (progress.held, progress.expires_hour) == (2, HOUR + 5)
        assert waiting(txn) == [1]
        # The first relay's time is up when the third takes part 1: two live ones are wanted.
        progress = deliveries.place_at(txn, ID, [1], THIRD, HOUR + 30, 2, HOUR + 9)
        assert (progress.held, waiting(txn)) == (2, [1])

    await store.write(job)


async def test_parts_come_back_when_relays_run_out(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        make_sending(txn, sealer, 6)
        deliveries.place_direct(txn, ID, [0])
        deliveries.place_at(txn, ID, [1, 2, 3], FIRST, HOUR + 5, 1, HOUR)
        deliveries.place_at(txn, ID, [3, 4, 5], SECOND, HOUR + 20, 1, HOUR)
        assert waiting(txn) == [] and outbox.progress_of(txn, ID).held == 5
        after, steps = -1, 0
        while True:
            found = deliveries.revive(txn, ID, 1, HOUR + 5, 2, after)
            steps += 1
            if found is None:
                break
            after = found
        assert steps == 4 and waiting(txn) == [1, 2]
        progress = outbox.progress_of(txn, ID)
        assert (progress.direct, progress.held, progress.pending) == (1, 3, 2)
        assert progress.expires_hour == HOUR + 20
        assert deliveries.revive(txn, ID, 1, HOUR + 5, 100) is None
        assert outbox.progress_of(txn, ID) == progress
        deliveries.revive(txn, ID, 2, HOUR + 5, 100)  # more relays are wanted from now on
        assert waiting(txn) == [1, 2, 3, 4, 5] and outbox.progress_of(txn, ID).held == 0
        deliveries.revive(txn, ID, 1, HOUR + 20, 100)
        assert outbox.progress_of(txn, ID).expires_hour == 0

    await store.write(job)


async def test_items_come_due_in_order_of_time(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        assert deliveries.next_due(txn) is None
        make_sending(txn, sealer, 1, ID, NOW + 10)
        make_sending(txn, sealer, 1, OTHER, NOW + 5)
        assert deliveries.due(txn, NOW + 4, 9) == []
        assert deliveries.due(txn, NOW + 10, 9) == [OTHER, ID]
        assert deliveries.due(txn, NOW + 10, 1) == [OTHER]
        progress = deliveries.postpone(txn, OTHER, NOW + 60, "unreachable")
        assert (progress.tries, progress.reason, progress.next_try) == (1, "unreachable", NOW + 60)
        assert deliveries.postpone(txn, OTHER, NOW + 70, "unreachable", tried=False).tries == 1
        assert deliveries.due(txn, NOW + 69, 9) == [ID] and deliveries.next_due(txn) == NOW + 10
        assert deliveries.hasten(txn, OTHER, NOW).tries == 0
        assert deliveries.due(txn, NOW, 9) == [OTHER]
        deliveries.postpone(txn, ID, 0)
        assert deliveries.due(txn, NOW + 10**9, 9) == [OTHER]

    await store.write(job)


async def test_pages_of_a_large_item(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        make_sending(txn, sealer, 1000)
        make_sending(txn, sealer, 3, OTHER)
        page = deliveries.pending(txn, ID, 64)
        assert [part.part for part in page] == list(range(64))
        page = deliveries.pending(txn, ID, 64, page[-1].part)
        assert [part.part for part in page] == list(range(64, 128))
        assert deliveries.pending(txn, ID, 64, 999) == []
        for at in range(0, 1000, 64):
            deliveries.place_direct(txn, ID, range(at, at + 64))
        assert waiting(txn) == [] and waiting(txn, OTHER) == [0, 1, 2]
        assert outbox.progress_of(txn, ID).direct == 1000

    await store.write(job)


async def test_a_part_fills_its_pages(store: Store, sealer: Sealer) -> None:
    """The largest envelope takes four pages and not five."""

    def fill(txn: Transaction) -> None:
        for number in range(100):
            txn.put(OUTBOX_PARTS, ID + struct.pack(">I", number), bytes(16_320))

    before = store.used_bytes()
    await store.write(fill)
    assert (store.used_bytes() - before) / 100 < 4.2 * 4096
