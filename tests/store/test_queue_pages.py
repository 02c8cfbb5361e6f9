"""Pages of a queue: what they cost, and that they go on where the last one ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from appliance.store import device_mailboxes, queue
from appliance.store.engine import Store, Table, Transaction
from appliance.store.storekey import Sealer
from tests.services import envelope
from tests.store.test_queue import ACCOUNT, DEVICE, HOUR, make, numbers, owner, put


class Counting:
    """A transaction that counts what is asked of it."""

    def __init__(self, txn: Transaction) -> None:
        self._txn = txn
        self.asked = 0

    def get(self, table: Table, key: bytes) -> bytes | None:
        self.asked += 1
        return self._txn.get(table, key)

    def range(self, *what: Any, **how: Any) -> Iterator[tuple[bytes, bytes]]:
        for pair in self._txn.range(*what, **how):
            self.asked += 1
            yield pair

    def keys(self, *what: Any, **how: Any) -> Iterator[bytes]:
        for key in self._txn.keys(*what, **how):
            self.asked += 1
            yield key


async def test_mailboxes_that_are_empty_cost_nothing_and_a_page_opens_what_it_holds(
    store: Store, sealer: Sealer
) -> None:
    def job(txn: Transaction) -> None:
        for n in range(200):
            place = make(txn, sealer, owner(b"%08d" % n))
            if n < 20:
                put(txn, place, envelope(), envelope())

    await store.write(job)

    def cost(txn: Transaction, limit: int, ahead: queue.Ahead | None = None) -> tuple[int, int, queue.Ahead]:
        counting = Counting(txn)
        page = queue.read(counting, ACCOUNT + DEVICE, 10, limit, HOUR, ahead=ahead)  # type: ignore[arg-type]
        assert page.more == (limit < 30)
        return len(page.envelopes), counting.asked, page.ahead

    # 40 rows are gone through; of each envelope its row, mailbox and body are looked at, and one beyond.
    for limit in (1, 5, 30):
        found, asked, ahead = store.read(lambda txn, limit=limit: cost(txn, limit))
        assert (found, asked) == (limit, 40 + 3 * min(limit + 1, 30))
    found, asked, _ = store.read(lambda txn: cost(txn, 5, ahead))
    assert (found, asked) == (5, 3 * 6)


@pytest.mark.parametrize("looked", [1, 3, 7, 100])
async def test_pages_that_go_on_where_the_last_one_ended_miss_and_repeat_nothing(
    store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch, looked: int
) -> None:
    monkeypatch.setattr(queue, "AHEAD", looked)
    places = await store.write(lambda txn: [make(txn, sealer, owner(b"%08d" % n)) for n in range(3)])
    for turn in range(20):
        await store.write(lambda txn, turn=turn: put(txn, places[turn % 3], envelope()))
    expected = numbers(store)
    assert len(expected) == 20
    ahead: queue.Ahead | None = None
    seen: list[int] = []
    page = queue.Page([], True, queue.Ahead(0, [], False))
    while page.more:
        after = seen[-1] if seen else 0
        page = store.read(
            lambda txn, after=after, ahead=ahead: queue.read(
                txn, ACCOUNT + DEVICE, after, 3, HOUR, ahead=ahead
            )
        )
        seen += [one.number for one in page.envelopes]
        ahead = page.ahead
        if len(seen) == 6:  # settled by another way, given up, and new, while the device reads
            gone = expected[7:9]
            await store.write(lambda txn, gone=gone: queue.settle(txn, ACCOUNT + DEVICE, gone, HOUR))
            await store.write(lambda txn: device_mailboxes.drop_here(txn, owner(b"%08d" % 2)))
            await store.write(lambda txn: put(txn, places[0], envelope()))
    left = [number for number in expected[6:] if number not in gone and (number - expected[0]) % 3 != 2]
    assert seen == [*expected[:6], *left, numbers(store)[-1]]
    # Whoever begins anew gets all of it.
    again = store.read(lambda txn: queue.read(txn, ACCOUNT + DEVICE, 0, 100, HOUR, ahead=ahead))
    assert [one.number for one in again.envelopes] == numbers(store)
