"""A disk that is really full: deposits are refused, everything that frees goes on, and the box recovers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol.envelope import envelope_id
from appliance.store import counters, grants, mailboxes
from appliance.store.engine import Store, Transaction
from appliance.store.mailboxes import Bounds, Limits
from appliance.store.schema import open_store
from appliance.store.sweep import sweep

MIB = 1024 * 1024
LIMITS = Limits(Bounds(10**6, 10**12), Bounds(10**6, 10**12), 10**12)
KEY = b"k" * 32
GRANT = grants.grant_id(KEY)
NOW = 1000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False, capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("needs to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def make_mailbox(txn: Transaction) -> bytes:
    grants.create(
        txn, GRANT, origin="owner", mailboxes=9, octets=10**12, now_hour=NOW, expires_hour=NOW + 10**5
    )
    record = mailboxes.create(
        txn, fetch_key=KEY, capability_hash=KEY, kind="contact", grant=GRANT, now_hour=NOW
    )
    return record.mailbox


async def fill(store: Store, box: bytes) -> list[bytes]:
    """Deposit until the disk is full; what was acknowledged as held."""
    held: list[bytes] = []
    while True:
        batch = [b"\1" + os.urandom(1983) for _ in range(16)]
        try:
            outcomes = await store.write(
                lambda txn, batch=batch: mailboxes.deposit(txn, box, KEY, batch, NOW + 9, LIMITS, NOW)
            )
        except Refusal as refusal:
            assert refusal.code == "disk_full"
            return held
        assert {outcome.state for outcome in outcomes} == {"held"}
        held += batch


async def fetch_all(store: Store, box: bytes) -> list[bytes]:
    found: list[bytes] = []
    after, more = 0, True
    while more:
        page, more = await store.read_cold(lambda txn: mailboxes.fetch(txn, box, after, 100, NOW))  # noqa: B023
        found += [each.envelope for each in page]
        after = page[-1].number
    return found


async def acknowledge(store: Store, box: bytes, envelopes: list[bytes]) -> None:
    for at in range(0, len(envelopes), 8):
        ids = [envelope_id(each) for each in envelopes[at : at + 8]]
        job = lambda txn, ids=ids: mailboxes.acknowledge(txn, box, ids)  # noqa: E731
        assert await store.write(job, freeing=True) == len(ids)


async def empty(store: Store, now: int = NOW) -> None:
    while await store.write(lambda txn: sweep(txn, now, 50), freeing=True):
        pass


async def test_freeing_goes_on_when_others_took_the_last_block(small_disk: Path) -> None:
    store = open_store(small_disk / "data", reserve=MIB)
    box = store.write_now(make_mailbox)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        held = await fill(store, box)
        assert len(held) * 1984 > 4 * MIB  # the reserve is not most of the disk
        stuffing = stuff(small_disk)
        assert await fetch_all(store, box) == held
        half = len(held) // 2
        await acknowledge(store, box, held[:half])
        await empty(store)
        # What was freed inside the file can be filled again, though the disk is still full.
        again = await fill(store, box)
        assert len(again) > half // 2
        assert await fetch_all(store, box) == held[half:] + again
        with pytest.raises(Refusal) as caught:
            await store.write(make_mailbox)
        assert caught.value.code == "disk_full"
        stuffing.unlink()
        await empty(store, NOW + 10)  # all of it expires
        assert await store.write(make_mailbox) == box
        assert await store.read_cold(counters.load) == counters.Load(1, 0, 0, [])
        nursery.cancel_scope.cancel()
    store.close()


async def test_a_job_larger_than_the_disk_harms_nobody(small_disk: Path) -> None:
    store = open_store(small_disk / "data", reserve=MIB)
    box = store.write_now(make_mailbox)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        huge = [b"\1" + os.urandom(16319) for _ in range(1000)]
        for _ in range(3):
            with pytest.raises(Refusal) as caught:
                await store.write(lambda txn: mailboxes.deposit(txn, box, KEY, huge, NOW, LIMITS, NOW))
            assert caught.value.code == "disk_full"
        held = await fill(store, box)
        await acknowledge(store, box, held)
        await empty(store)
        nursery.cancel_scope.cancel()
    store.close()


async def test_a_full_map_is_like_a_full_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path, map_size=4 * MIB, largest_map=6 * MIB, reserve=MIB)
    box = store.write_now(make_mailbox)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        held = await fill(store, box)
        assert len(held) * 1984 > 3 * MIB
        huge = [b"\1" + os.urandom(16319) for _ in range(200)]
        with pytest.raises(Refusal):
            await store.write(lambda txn: mailboxes.deposit(txn, box, KEY, huge, NOW, LIMITS, NOW))
        assert await fetch_all(store, box) == held
        await acknowledge(store, box, held)
        await empty(store)
        assert len(await fill(store, box)) > len(held) // 2
        nursery.cancel_scope.cancel()
    store.close()


async def test_a_box_starts_on_a_full_disk_and_frees(small_disk: Path) -> None:
    store = open_store(small_disk / "data", reserve=MIB)
    box = store.write_now(make_mailbox)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        held = await fill(store, box)
        nursery.cancel_scope.cancel()
    store.close()
    stuff(small_disk)
    store = open_store(small_disk / "data", reserve=MIB)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        assert await fetch_all(store, box) == held
        await acknowledge(store, box, held)
        await empty(store)
        assert len(await fill(store, box)) > len(held) // 2
        nursery.cancel_scope.cancel()
    store.close()


def test_a_disk_that_is_full_from_the_start_is_a_refusal(small_disk: Path) -> None:
    stuff(small_disk)
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            open_store(small_disk / "data")
        assert caught.value.code == "disk_full"


def stuff(disk: Path) -> Path:
    """Another program takes every block that is left."""
    path = disk / "stuffing"
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    assert os.statvfs(disk).f_bavail == 0
    return path
