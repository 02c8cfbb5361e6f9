"""Scrubbing: what was deleted is gone from the file itself, and everything else stays as it was."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given, settings

from appliance.errors import Refusal
from appliance.store import scrub as module
from appliance.store.engine import DATA_FILE, Store, Table
from appliance.store.scrub import UnknownLayout

ONE, TWO = Table("one"), Table("two")
STEP = 64


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    store = Store.open(folder, (ONE, TWO), reserve=256 * 1024)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            yield store
            nursery.cancel_scope.cancel()
    finally:
        store.close()


async def scrub_all(store: Store, step: int = STEP) -> tuple[int, int]:
    at = pages = gaps = 0
    while True:
        done = await store.scrub(at, step)
        pages, gaps, at = pages + done.pages, gaps + done.gaps, done.following
        if not at:
            return pages, gaps


def holds(folder: Path, mark: bytes) -> bool:
    return mark in (folder / DATA_FILE).read_bytes()


@pytest.mark.parametrize("size", [40, 700, 3000, 20_000], ids=lambda size: f"{size}-octets")
async def test_what_was_deleted_is_gone_from_the_file(tmp_path: Path, size: int) -> None:
    secret = os.urandom(24)
    async with opened(tmp_path) as store:
        for number in range(200):
            key = b"%04d" % number
            value = (secret if number % 7 == 0 else b"") + os.urandom(size)
            await store.write(lambda txn, k=key, v=value: txn.put(ONE, k, v))
        keep = store.read(lambda txn: {k: v for k, v in txn.range(ONE) if secret not in v})
        for number in range(0, 200, 7):
            await store.write(lambda txn, k=b"%04d" % number: txn.delete(ONE, k))
        assert holds(tmp_path, secret), "LMDB leaves it there"
        await scrub_all(store)
        assert not holds(tmp_path, secret)
        assert store.read(lambda txn: dict(txn.range(ONE))) == keep
        assert await scrub_all(store) == (0, 0), "a second time there is nothing to do"
    async with opened(tmp_path) as store:
        assert store.read(lambda txn: dict(txn.range(ONE))) == keep


async def test_keys_and_overwritten_values_are_gone_too(tmp_path: Path) -> None:
    key, old = b"key " + os.urandom(24), b"old " + os.urandom(24)
    async with opened(tmp_path) as store:
        for number in range(30):
            await store.write(lambda txn, n=number: txn.put(ONE, b"%04d" % n, b"neighbour"))
        await store.write(lambda txn: txn.put(ONE, key, b"value"))
        await store.write(lambda txn: txn.put(ONE, b"0007", old))
        await store.write(lambda txn: txn.put(ONE, b"0007", b"new"))
        await store.write(lambda txn: txn.delete(ONE, key))
        await scrub_all(store)
        assert not holds(tmp_path, key) and not holds(tmp_path, old)


async def test_the_store_goes_on_meanwhile(tmp_path: Path) -> None:
    """Writers, readers in threads and scrubbing at once: every value that was acknowledged is there."""
    async with opened(tmp_path) as store:
        expected: dict[bytes, bytes] = {}
        chance = random.Random(1)

        async def write() -> None:
            for number in range(400):
                key, value = b"%03d" % chance.randrange(150), os.urandom(chance.choice((20, 900, 5000)))
                if number % 3 == 2:
                    await store.write(lambda txn, k=key: txn.delete(ONE, k))
                    expected.pop(key, None)
                else:
                    await store.write(lambda txn, k=key, v=value: txn.put(ONE, k, v))
                    expected[key] = value

        async def read() -> None:
            while True:
                found = await store.read_cold(lambda txn: list(txn.range(ONE)))
                assert all(len(value) in (20, 900, 5000) and any(value) for _, value in found)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            async with trio.open_nursery() as writers:
                writers.start_soon(write)
                for _ in range(15):
                    await scrub_all(store, 32)
            nursery.cancel_scope.cancel()
        assert store.read(lambda txn: dict(txn.range(ONE))) == expected


Acts = st.lists(
    st.tuples(
        st.sampled_from([ONE, TWO]), st.integers(0, 40), st.sampled_from([None, 0, 9, 300, 2100, 9000])
    ),
    max_size=60,
)


@settings(max_examples=40)
@given(Acts, st.integers(1, 40), st.integers(1, 12))
def test_nothing_live_is_lost(acts: list[tuple[Table, int, int | None]], step: int, each: int) -> None:
    import tempfile

    async def play(folder: Path) -> None:
        expected: dict[Table, dict[bytes, bytes]] = {ONE: {}, TWO: {}}
        async with opened(folder) as store:
            for number, (table, key, size) in enumerate(acts):
                name, value = b"%02d" % key, b"" if size is None else os.urandom(size)
                if size is None:
                    await store.write(lambda txn, t=table, k=name: txn.delete(t, k))
                    expected[table].pop(name, None)
                else:
                    await store.write(lambda txn, t=table, k=name, v=value: txn.put(t, k, v))
                    expected[table][name] = value
                if number % each == 0:
                    await scrub_all(store, step)
            await scrub_all(store, step)
            assert {t: store.read(lambda txn, t=t: dict(txn.range(t))) for t in expected} == expected
        async with opened(folder) as store:
            assert {t: store.read(lambda txn, t=t: dict(txn.range(t))) for t in expected} == expected

    with tempfile.TemporaryDirectory() as folder:
        trio.run(play, Path(folder))


async def test_a_file_that_is_laid_out_otherwise_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        await store.write(lambda txn: txn.put(ONE, b"a", b"b"))
        before = (tmp_path / DATA_FILE).read_bytes()
        monkeypatch.setattr(module, "_FORMAT", 2)
        with pytest.raises(UnknownLayout):
            await store.scrub(0, STEP)
        assert (tmp_path / DATA_FILE).read_bytes() == before
        await store.write(lambda txn: txn.put(ONE, b"a", b"c"))


async def test_pages_in_memory_bring_nothing_back(tmp_path: Path) -> None:
    """LMDB uses buffers of pages again, whose gaps still hold what stood there: rinsed, they do not."""
    secret = os.urandom(24)
    async with opened(tmp_path) as store:
        for number in range(60):
            await store.write(lambda txn, n=number: txn.put(ONE, b"%04d" % n, secret + os.urandom(200)))
        for number in range(60):
            await store.write(lambda txn, n=number: txn.delete(ONE, b"%04d" % n))
        held = store.read(lambda txn: list(txn.range(TWO)))
        await store.rinse()
        await scrub_all(store)
        for number in range(40):
            await store.write(lambda txn, n=number: txn.put(TWO, b"%04d" % n, b"x"))
            assert not holds(tmp_path, secret)
        assert held == [] and store.read(lambda txn: txn.count(TWO)) == 40


async def test_rinsing_harms_nobody_who_reads_and_writes(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:

        async def write(name: int) -> None:
            for number in range(60):
                await store.write(lambda txn, k=b"%d %d" % (name, number): txn.put(ONE, k, b"v"))

        async def read() -> None:
            while True:
                await store.read_cold(lambda txn: list(txn.range(ONE)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            async with trio.open_nursery() as writers:
                for name in range(3):
                    writers.start_soon(write, name)
                for _ in range(20):
                    await store.rinse()
                    store.read(lambda txn: txn.count(ONE))
            nursery.cancel_scope.cancel()
        assert store.read(lambda txn: txn.count(ONE)) == 180
    with pytest.raises(Refusal, match="busy"):
        await store.rinse()
