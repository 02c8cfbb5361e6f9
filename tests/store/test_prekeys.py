from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from appliance.protocol.directory import MAX_ONE_TIME, OneTimePrekey
from appliance.protocol.keys import KEM_PUBLIC_SIZE
from appliance.store import prekeys
from appliance.store.engine import Store
from appliance.store.prekeys import Stock
from appliance.store.schema import PREKEY_STOCKS, PREKEYS, open_store

ADA, BOB = b"A" * 16, b"B" * 16
PHONE, LAPTOP = b"P" * 16, b"L" * 16
HOUR = 24 * 20_000


def prekey(id: int) -> OneTimePrekey:
    return OneTimePrekey(id, os.urandom(32), os.urandom(KEM_PUBLIC_SIZE), os.urandom(64))


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Store]:
    """A store whose committer does not run: these tests write at once."""
    opened = open_store(tmp_path / "still")
    yield opened
    opened.close()


def add(store: Store, *given: OneTimePrekey, device: bytes = PHONE, replace: bool = False) -> Stock:
    return store.write_now(lambda txn: prekeys.add(txn, ADA, device, given, replace=replace))


def take(store: Store, device: bytes = PHONE, hour: int = HOUR) -> OneTimePrekey | None:
    return store.write_now(lambda txn: prekeys.take(txn, ADA, device, hour))


def test_prekeys_go_out_once_as_they_came_in_the_order_of_their_ids(still: Store) -> None:
    given = [prekey(number) for number in (300, 2, 70_000)]
    assert add(still, *given).left == 3
    assert [take(still) for _ in range(4)] == [given[1], given[0], given[2], None]
    assert still.read(lambda txn: txn.count(PREKEYS)) == 0


def test_what_was_there_once_does_not_come_back(still: Store) -> None:
    first, second = prekey(1), prekey(2)
    add(still, first, second)
    assert take(still) == first
    # The device did not hear the answer and says it again, with a new one.
    third = prekey(3)
    assert add(still, first, second, third).left == 2
    assert [take(still) for _ in range(3)] == [second, third, None]


def test_a_stock_is_bounded_and_replaced_as_a_whole(still: Store) -> None:
    many = [prekey(number) for number in range(1, MAX_ONE_TIME + 10)]
    assert add(still, *many).left == MAX_ONE_TIME
    fresh = [prekey(500), prekey(501)]
    assert add(still, *fresh, replace=True).left == 2
    assert [take(still) for _ in range(3)] == [*fresh, None]
    assert add(still, prekey(499)).left == 0


def test_devices_have_stocks_of_their_own_and_dropping_one_leaves_the_others(still: Store) -> None:
    phone, laptop = prekey(1), prekey(1)
    add(still, phone)
    add(still, laptop, device=LAPTOP)
    still.write_now(lambda txn: prekeys.drop(txn, ADA, PHONE))
    still.write_now(lambda txn: prekeys.drop(txn, BOB, LAPTOP))
    assert take(still) is None
    assert take(still, LAPTOP) == laptop
    assert still.read(lambda txn: txn.count(PREKEY_STOCKS)) == 1


def test_takings_are_counted_by_the_hour_and_by_the_day(still: Store) -> None:
    add(still, *(prekey(number) for number in range(1, 20)))

    def counts(hour: int) -> tuple[int, int]:
        stock = still.read(lambda txn: prekeys.find_stock(txn, ADA, PHONE)).at(hour)
        return stock.in_hour, stock.in_day

    for hour in (HOUR, HOUR, HOUR + 1, HOUR + 24):
        take(still, hour=hour)
        if hour == HOUR + 1:
            assert counts(hour) == (1, 3)
    assert counts(HOUR + 24) == (1, 1)
    assert counts(HOUR + 25) == (0, 1)
    assert counts(HOUR + 48) == (0, 0)


async def test_many_takers_at_once_never_get_the_same(store: Store) -> None:
    given = [prekey(number) for number in range(1, 81)]
    await store.write(lambda txn: prekeys.add(txn, ADA, PHONE, given, replace=False))
    got: list[OneTimePrekey | None] = []

    async def taker() -> None:
        for _ in range(3):
            got.append(await store.write(lambda txn: prekeys.take(txn, ADA, PHONE, HOUR)))

    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(taker)
    found = [one for one in got if one is not None]
    assert len(got) == 120 and len(found) == 80
    assert {one.id for one in found} == set(range(1, 81))
