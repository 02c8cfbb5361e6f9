from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from appliance.errors import Refusal
from appliance.store import engine
from appliance.store.engine import Store, Table, Transaction

THINGS = Table("things")
OTHERS = Table("others")
TABLES = (THINGS, OTHERS)


@pytest.fixture
async def small(tmp_path: Path) -> Any:
    store = Store.open(tmp_path, TABLES)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()
    store.close()


def put(key: bytes, value: bytes = b"") -> Any:
    return lambda txn: txn.put(THINGS, key, value)


def get(key: bytes) -> Any:
    return lambda txn: txn.get(THINGS, key)


async def test_write_answers_with_the_value_and_is_there_after_reopening(tmp_path: Path) -> None:
    store = Store.open(tmp_path, TABLES)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)

        def job(txn: Transaction) -> str:
            txn.put(THINGS, b"a", b"1")
            return "done"

        assert await store.write(job) == "done"
        assert store.read(get(b"a")) == b"1"
        nursery.cancel_scope.cancel()
    store.close()
    again = Store.open(tmp_path, TABLES)
    assert again.read(get(b"a")) == b"1"
    again.close()


async def test_jobs_that_wait_together_share_a_commit(small: Store) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(_: Transaction) -> None:
        begun.set()
        go.wait(5)

    order: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(small.write, slow)
        while not begun.is_set():
            await trio.lowlevel.checkpoint()
        before = small._env.info()["last_txnid"]

        async def write(number: int) -> None:
            await small.write(put(bytes((number,))))
            order.append(number)

        for number in range(100):
            nursery.start_soon(write, number)
        await trio.testing.wait_all_tasks_blocked()
        go.set()
    assert small._env.info()["last_txnid"] == before + 1  # the slow job itself wrote nothing
    assert sorted(order) == list(range(100))


async def run_together(store: Store, jobs: list[Any]) -> list[Any]:
    """Run jobs in one batch; their values or exceptions."""
    results: list[Any] = [None] * len(jobs)

    async def run(at: int) -> None:
        try:
            results[at] = await store.write(jobs[at])
        except Exception as error:
            results[at] = error

    gate = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.write, lambda txn: gate.wait(5))
        await trio.testing.wait_all_tasks_blocked(0.01)
        for at in range(len(jobs)):
            nursery.start_soon(run, at)
            await trio.testing.wait_all_tasks_blocked()
        gate.set()
    return results


@pytest.mark.parametrize("writes_first", [False, True])
async def test_a_failing_job_harms_no_neighbour(small: Store, writes_first: bool) -> None:
    def fails(txn: Transaction) -> None:
        if writes_first:
            txn.put(THINGS, b"torn", b"")
            txn.put(THINGS, b"a", b"overwritten")
        raise Refusal("mailbox_full")

    results = await run_together(small, [put(b"a", b"1"), fails, put(b"b", b"2")])
    assert results[0] is None and results[2] is None
    assert isinstance(results[1], Refusal) and results[1].code == "mailbox_full"
    rows = small.read(lambda txn: list(txn.range(THINGS)))
    assert rows == [(b"a", b"1"), (b"b", b"2")]


async def test_jobs_see_what_earlier_ones_of_the_batch_wrote(small: Store) -> None:
    def count(txn: Transaction) -> int:
        number = int.from_bytes(txn.get(THINGS, b"n") or b"\0")
        txn.put(THINGS, b"n", bytes((number + 1,)))
        return number

    assert await run_together(small, [count] * 20) == list(range(20))


async def test_an_impossible_key_is_the_fault_of_its_job_only(small: Store) -> None:
    results = await run_together(small, [put(b"a"), put(b"x" * 600), put(b"b")])
    assert results[0] is None and results[2] is None
    assert isinstance(results[1], Exception)
    await small.write(put(b"c"))


async def test_a_waiting_job_is_withdrawn_when_its_caller_is_cancelled(small: Store) -> None:
    gate = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(small.write, lambda txn: gate.wait(5))
        await trio.testing.wait_all_tasks_blocked(0.01)
        with trio.move_on_after(0) as scope:
            await small.write(put(b"withdrawn"))
        assert scope.cancelled_caught
        gate.set()
    assert small.read(get(b"withdrawn")) is None


async def test_a_job_that_runs_is_waited_for_when_its_caller_is_cancelled(small: Store) -> None:
    begun, gate = threading.Event(), threading.Event()

    def job(txn: Transaction) -> None:
        begun.set()
        gate.wait(5)
        txn.put(THINGS, b"kept", b"")

    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        finished = []

        async def write() -> None:
            with scope:
                await small.write(job)
                finished.append(True)

        nursery.start_soon(write)
        while not begun.is_set():
            await trio.lowlevel.checkpoint()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert not finished
        gate.set()
    assert finished and small.read(get(b"kept")) == b""


async def test_the_queue_is_bounded_and_everybody_gets_a_turn(small: Store) -> None:
    gate = threading.Event()
    total = engine.QUEUE_LIMIT + 200
    done = []

    async def write(number: int) -> None:
        await small.write(put(number.to_bytes(4, "big")))
        done.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(small.write, lambda txn: gate.wait(5))
        await trio.testing.wait_all_tasks_blocked(0.01)
        for number in range(total):
            nursery.start_soon(write, number)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert len(small._queue) == engine.QUEUE_LIMIT
        gate.set()
    assert len(done) == total == small.read(lambda txn: txn.count(THINGS))


async def test_heavy_jobs_do_not_hold_light_ones_up(small: Store) -> None:
    """Someone who always has large jobs waiting delays a small one by a batch or two, not by all of them."""
    heavy_done = 0
    block = bytes(1024 * 1024)

    async with trio.open_nursery() as nursery:

        async def heavy(name: int) -> None:
            nonlocal heavy_done
            while True:
                await small.write(
                    lambda txn: [txn.put(OTHERS, bytes((name, n)), block) for n in range(4)] and None
                )
                heavy_done += 1

        for name in range(16):
            nursery.start_soon(heavy, name)
        while heavy_done < 16:
            await trio.sleep(0.001)
        before = heavy_done
        await small.write(put(b"light"))
        assert heavy_done - before <= 32
        nursery.cancel_scope.cancel()


async def test_a_reader_keeps_its_snapshot(small: Store) -> None:
    await small.write(put(b"a", b"1"))
    begun, gate = threading.Event(), threading.Event()
    seen = []

    def job(txn: Transaction) -> None:
        seen.append(txn.get(THINGS, b"a"))
        begun.set()
        gate.wait(5)
        seen.append(txn.get(THINGS, b"a"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(small.read_cold, job)
        while not begun.is_set():
            await trio.lowlevel.checkpoint()
        await small.write(put(b"a", b"2"))
        assert small.read(get(b"a")) == b"2"
        gate.set()
    assert seen == [b"1", b"1"]


async def test_values_are_bytes_that_outlive_the_transaction(small: Store) -> None:
    await small.write(put(b"a", b"1" * 100))
    value = small.read(get(b"a"))
    [(key, same)] = small.read(lambda txn: list(txn.range(THINGS)))
    await small.write(put(b"a", b"2" * 100))
    assert type(value) is bytes and type(key) is bytes and value == same == b"1" * 100


async def test_the_map_grows_by_itself(tmp_path: Path) -> None:
    store = Store.open(tmp_path, TABLES, map_size=1024 * 1024, reserve=64 * 1024)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        for number in range(64):  # one job alone is larger than the first map, too
            await store.write(lambda txn, number=number: txn.put(THINGS, bytes((number,)), bytes(200_000)))
        await store.write(lambda txn: txn.put(OTHERS, b"large", bytes(60_000_000)))
        nursery.cancel_scope.cancel()
    assert store.read(lambda txn: txn.count(THINGS)) == 64
    assert store._map() > 64 * 1024 * 1024
    store.close()


async def test_growth_of_the_map_waits_for_cold_reads(tmp_path: Path) -> None:
    store = Store.open(tmp_path, TABLES, map_size=1024 * 1024, reserve=64 * 1024)
    begun, gate = threading.Event(), threading.Event()

    def job(txn: Transaction) -> int:
        begun.set()
        gate.wait(5)
        return len(txn.get(THINGS, b"a") or b"")

    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        await store.write(put(b"a", bytes(1000)))
        lengths = []

        async def read() -> None:
            lengths.append(await store.read_cold(job))

        nursery.start_soon(read)
        while not begun.is_set():
            await trio.lowlevel.checkpoint()
        nursery.start_soon(store.write, put(b"b", bytes(5_000_000)))
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert store._map() == 1024 * 1024 and store.read(get(b"b")) is None
        nursery.start_soon(read)  # comes while the map wants to grow, so it waits
        await trio.testing.wait_all_tasks_blocked(0.02)
        gate.set()
        while len(lengths) < 2 or store.read(get(b"b")) is None:
            await trio.sleep(0.001)
        nursery.cancel_scope.cancel()
    assert lengths == [1000, 1000]
    store.close()


async def test_copy_is_compact_and_consistent_while_writing_goes_on(small: Store, tmp_path: Path) -> None:
    for number in range(50):
        await small.write(put(bytes((number,)), bytes(5000)))
    folder = tmp_path / "copy"
    folder.mkdir()
    await small.copy(folder / engine.DATA_FILE)
    assert (folder / engine.DATA_FILE).stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        await small.copy(folder / engine.DATA_FILE)
    copied = Store.open(folder, TABLES)
    assert copied.read(lambda txn: txn.count(THINGS)) == 50
    copied.close()


def test_two_opens_of_one_folder_are_refused(tmp_path: Path) -> None:
    store = Store.open(tmp_path, TABLES)
    with pytest.raises(Refusal) as caught:
        Store.open(tmp_path, TABLES)
    assert caught.value.code == "in_use"
    store.close()
    Store.open(tmp_path, TABLES).close()


def test_a_damaged_file_is_refused_and_lets_the_lock_go(tmp_path: Path) -> None:
    (tmp_path / engine.DATA_FILE).write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            Store.open(tmp_path, TABLES)
        assert caught.value.code == "damaged_store"


def test_files_are_the_owners_only(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data", TABLES)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    for name in (engine.DATA_FILE, engine.LOCK_FILE):
        assert (tmp_path / "data" / name).stat().st_mode & 0o777 == 0o600
    store.close()


async def test_after_the_committer_writes_are_refused(tmp_path: Path) -> None:
    store = Store.open(tmp_path, TABLES)
    store.write_now(put(b"early", b"1"))
    refused = []
    async with trio.open_nursery() as outer:
        scope = await outer.start(run_until_cancelled, store)
        with pytest.raises(RuntimeError):
            store.write_now(put(b"late"))
        gate = threading.Event()

        async def write(job: Any) -> None:
            try:
                await store.write(job)
            except Refusal as refusal:
                refused.append(refusal.code)

        outer.start_soon(write, lambda txn: (gate.wait(5), txn.put(THINGS, b"taken", b""))[1])
        await trio.testing.wait_all_tasks_blocked(0.01)
        outer.start_soon(write, put(b"waiting"))
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        gate.set()
    assert refused == ["busy"]
    assert store.read(get(b"early")) == b"1" and store.read(get(b"taken")) == b""
    assert store.read(get(b"waiting")) is None
    with pytest.raises(Refusal) as caught:
        await store.write(put(b"late"))
    assert caught.value.code == "busy"
    store.close()


async def run_until_cancelled(store: Store, *, task_status: Any) -> None:
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            task_status.started(scope)
