"""Logs: numbers without gaps, appending again, both directions, removal, retention, and the disk."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
from hypothesis import given, settings

from appliance.protocol.log import MAX_BODY
from appliance.store import logs
from appliance.store.engine import Store, Transaction
from appliance.store.logs import Appended, Draft, Entry, Head
from appliance.store.schema import LOG_ENTRIES, LOG_EXPIRY, LOG_IDS, LOGS, open_store
from appliance.store.storekey import Sealer
from tests.services import refused

LOG, OTHER = b"L" * 16, b"\xff" * 16
SEALER = Sealer(bytes(range(32)))
ADA = b"A" * 16


def draft(number: int, body: bytes = b"body", **fields: object) -> Draft:
    return Draft(number.to_bytes(16, "big"), 1, body, **fields)  # type: ignore[arg-type]


def make(txn: Transaction, count: int = 0, log: bytes = LOG, hour: int = 10, **fields: object) -> None:
    logs.create(txn, log, 1, sealed=True, **fields)  # type: ignore[arg-type]
    for number in range(1, count + 1):
        logs.append(txn, SEALER, log, draft(number, b"body %d" % number), hour)


def read(txn: Transaction, log: bytes = LOG, **fields: object) -> logs.Span:
    return logs.read(txn, SEALER, log, **({"limit": 100, "octets": 1 << 20} | fields))  # type: ignore[arg-type]


def numbers(span: logs.Span) -> list[int]:
    return [entry.number for entry in span.entries]


def head_of(store: Store, log: bytes = LOG) -> Head:
    head = store.read(lambda txn: logs.find(txn, log))
    assert head is not None
    return head


async def test_numbers_rise_without_gaps_and_the_same_id_is_answered_alike(store: Store) -> None:
    def job(txn: Transaction) -> list[Appended]:
        make(txn)
        make(txn, log=OTHER)
        first = [logs.append(txn, SEALER, LOG, draft(n), 10) for n in (7, 3, 7)]
        return [*first, logs.append(txn, SEALER, OTHER, draft(7), 10)]

    assert await store.write(job) == [(1, True), (2, True), (1, False), (1, True)]
    again = await store.write(lambda txn: logs.append(txn, SEALER, LOG, draft(3, b"other words"), 99))
    assert again == (2, False)
    entry = store.read(lambda txn: logs.get(txn, SEALER, LOG, 2))
    assert entry is not None and (entry.body, entry.hour) == (b"body", 10)
    assert head_of(store)[3:7] == (2, 1, 2, 2 * (4 + logs.ENTRY_COST))


async def test_pages_go_both_ways_and_say_when_there_is_more(store: Store) -> None:
    await store.write(lambda txn: make(txn, 9, OTHER))
    await store.write(lambda txn: make(txn, 9))
    for log in (LOG, OTHER):
        page = store.read(lambda txn, log=log: read(txn, log, after=2, limit=3))
        assert (numbers(page), page.more) == ([3, 4, 5], True)
        page = store.read(lambda txn, log=log: read(txn, log, after=6, limit=3))
        assert (numbers(page), page.more) == ([7, 8, 9], False)
        page = store.read(lambda txn, log=log: read(txn, log, before=6, limit=3))
        assert (numbers(page), page.more) == ([3, 4, 5], True)
        page = store.read(lambda txn, log=log: read(txn, log, before=4, limit=3))
        assert (numbers(page), page.more) == ([1, 2, 3], False)
        page = store.read(lambda txn, log=log: read(txn, log, after=2, before=5))
        assert (numbers(page), page.more) == ([3, 4], False)
    page = store.read(lambda txn: read(txn, octets=1))
    assert (numbers(page), page.more) == ([1], True), "the first is there whatever its size"
    assert not store.read(lambda txn: read(txn, after=9)).entries


async def test_what_is_refused(store: Store) -> None:
    with refused("no_log"):
        await store.write(lambda txn: logs.append(txn, SEALER, LOG, draft(1), 1))
    with refused("no_log"):
        store.read(read)
    await store.write(make)
    with refused("too_large"):
        await store.write(lambda txn: logs.append(txn, SEALER, LOG, draft(1, bytes(MAX_BODY + 1)), 1))
    await store.write(lambda txn: logs.append(txn, SEALER, LOG, draft(1, bytes(MAX_BODY)), 1))
    with refused("locked"):
        await store.write(lambda txn: logs.append(txn, None, LOG, draft(2), 1))
    with refused("locked"):
        store.read(lambda txn: logs.get(txn, None, LOG, 1))
    assert head_of(store).last == 1


async def test_a_removed_entry_keeps_its_place_and_loses_its_body(store: Store) -> None:
    await store.write(lambda txn: make(txn, 3))
    assert await store.write(lambda txn: logs.remove(txn, LOG, 2, "moderator"))
    for number in (2, 9):
        assert not await store.write(lambda txn, number=number: logs.remove(txn, LOG, number, "author"))
    page = store.read(read)
    assert [(one.number, one.body, one.removed) for one in page.entries] == [
        (1, b"body 1", None),
        (2, None, "moderator"),
        (3, b"body 3", None),
    ]
    assert head_of(store).octets == 2 * 6 + 3 * logs.ENTRY_COST
    assert await store.write(lambda txn: logs.append(txn, SEALER, LOG, draft(2), 1)) == (2, False)


async def test_retention_by_age_and_by_count_drops_the_oldest(store: Store) -> None:
    def fill(txn: Transaction) -> None:
        make(txn, hours=24, entries=0)
        for number in range(1, 7):
            logs.append(txn, SEALER, LOG, draft(number), 10 + number)

    await store.write(fill)
    assert await store.write(lambda txn: logs.trim(txn, LOG, 34, 100)) == []
    gone = await store.write(lambda txn: logs.trim(txn, LOG, 37, 2))
    assert [entry.number for entry in gone] == [1, 2]
    assert [entry.number for entry in await store.write(lambda txn: logs.trim(txn, LOG, 37, 2))] == [3]
    assert head_of(store)[3:6] == (6, 4, 3)
    await store.write(lambda txn: logs.retain(txn, LOG, 0, 1))
    assert len(await store.write(lambda txn: logs.trim(txn, LOG, 9999, 100))) == 2
    assert numbers(store.read(read)) == [6]
    await store.write(lambda txn: logs.retain(txn, LOG, 1, 0))
    await store.write(lambda txn: logs.trim(txn, LOG, 9999, 100))
    assert head_of(store)[3:7] == (6, 7, 0, 0)
    # The last number never goes back, and the dropped id is free again.
    assert await store.write(lambda txn: logs.append(txn, SEALER, LOG, draft(6), 9999)) == (7, True)
    assert head_of(store).first == 7


async def test_an_entry_with_an_end_of_its_own_goes_at_that_hour(store: Store) -> None:
    def fill(txn: Transaction) -> None:
        make(txn)
        for number, until in ((1, 0), (2, 30), (3, 20), (4, 20)):
            logs.append(txn, SEALER, LOG, draft(number, until=until), 10)
        logs.remove(txn, LOG, 4, "author")

    await store.write(fill)
    assert not store.read(lambda txn: logs.has_overdue(txn, 19))
    assert await store.write(lambda txn: logs.expire(txn, 19, 10)) == []
    [(log, kind, entry)] = await store.write(lambda txn: logs.expire(txn, 20, 10))
    assert (log, kind, entry.number) == (LOG, 1, 3)
    assert numbers(store.read(read)) == [1, 2, 4]
    assert len(await store.write(lambda txn: logs.expire(txn, 9999, 10))) == 1
    assert store.read(lambda txn: txn.count(LOG_EXPIRY)) == 0


async def test_a_deleted_log_is_gone_at_once_and_its_rows_follow(store: Store) -> None:
    await store.write(lambda txn: make(txn, 5))
    await store.write(lambda txn: make(txn, 2, OTHER))
    assert await store.write(lambda txn: logs.doom(txn, LOG))
    assert not await store.write(lambda txn: logs.doom(txn, LOG))
    assert store.read(lambda txn: logs.find(txn, LOG)) is None
    for left in (3, 1):
        await store.write(lambda txn: logs.trim(txn, LOG, 0, 2))
        assert store.read(lambda txn: txn.count(LOG_ENTRIES)) == left + 2
    await store.write(lambda txn: logs.trim(txn, LOG, 0, 2))
    assert [log for log, _ in store.read(logs.list_all)] == [OTHER]
    assert store.read(lambda txn: (txn.count(LOG_ENTRIES), txn.count(LOG_IDS))) == (2, 2)


def test_the_disk_shows_neither_bodies_nor_authors(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    body = b"nobody may read this in the file"

    def job(txn: Transaction) -> None:
        make(txn)
        for number in range(1, 4):
            author = logs.author_of(SEALER, LOG, ADA)
            logs.append(txn, SEALER, LOG, draft(number, body, author=author), 10)
        logs.create(txn, OTHER, 2, sealed=False)
        logs.append(txn, None, OTHER, draft(1, b"sealed by its author already"), 10)

    store.write_now(job)
    one, two = (logs.author_of(SEALER, log, ADA) for log in (LOG, OTHER))
    assert one != two and logs.author_of(Sealer(bytes(32)), LOG, ADA) != one
    store.close()
    data = (tmp_path / "store.mdb").read_bytes()
    assert body not in data and ADA not in data
    assert b"sealed by its author already" in data


def test_a_sealed_body_belongs_to_its_place(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    def job(txn: Transaction) -> None:
        make(txn, 2)
        (one, first), (_, second) = txn.range(LOG_ENTRIES)
        txn.put(LOG_ENTRIES, one, first[: logs.ENTRY.size] + second[logs.ENTRY.size :])

    store.write_now(job)
    with refused("damaged_store"):
        store.read(lambda txn: logs.get(txn, SEALER, LOG, 1))
    store.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 12)),
        st.tuples(st.just("remove"), st.integers(1, 12)),
        st.tuples(st.just("drop"), st.integers(1, 12)),
        st.tuples(st.just("trim"), st.integers(0, 4)),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(STEPS)
def test_counters_agree_with_the_rows_whatever_happens(steps) -> None:
    with TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        try:
            store.write_now(lambda txn: run(txn, steps))
        finally:
            store.close()


def run(txn: Transaction, steps: list[tuple[str, int]]) -> None:
    make(txn)
    held: dict[int, int | None] = {}
    last = 0
    for hour, (word, value) in enumerate(steps):
        if word == "append":
            number, fresh = logs.append(txn, SEALER, LOG, draft(value, os.urandom(value)), hour)
            assert number == last + 1 if fresh else number in held
            last = max(last, number)
            held.setdefault(number, value)
        elif word == "remove":
            assert logs.remove(txn, LOG, value, "author") == (held.get(value) is not None)
            if value in held:
                held[value] = None
        elif word == "drop":
            assert (logs.drop(txn, LOG, value) is not None) == (value in held)
            held.pop(value, None)
        else:
            logs.retain(txn, LOG, 0, value)
            gone = [entry.number for entry in logs.trim(txn, LOG, 0, 3)]
            excess = len(held) - value if value else 0
            assert gone == sorted(held)[: max(0, min(3, excess))]
            for number in gone:
                del held[number]
        check(txn, held, last)


def check(txn: Transaction, held: dict[int, int | None], last: int) -> None:
    head = logs.find(txn, LOG)
    assert head is not None
    assert list(held) == [] or head.first == min(held)
    assert (head.last, head.held) == (last, len(held))
    assert head.octets == sum((size or 0) + logs.ENTRY_COST for size in held.values())
    entries: list[Entry] = read(txn).entries
    assert [entry.number for entry in entries] == sorted(held)
    assert [entry.body is None for entry in entries] == [held[n] is None for n in sorted(held)]
    assert txn.count(LOG_IDS) == len(held) and txn.count(LOGS) == 1
