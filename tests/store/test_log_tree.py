"""The log's tree against the definitions of RFC 6962 §2.1, written down as they stand there."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.store import log_tree
from appliance.store.engine import Store, Transaction
from appliance.store.schema import LOG_NODES, open_store


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], known: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962."""
    if m == len(leaves):
        return [] if known else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], known), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def split(count: int) -> int:
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


@contextmanager
def grown(count: int) -> Iterator[Store]:
    """A store whose log has so many leaves."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))

        def job(txn: Transaction) -> None:
            for number, entry in enumerate(entries(count)):
                assert log_tree.append(txn, entry) == number
                assert log_tree.size(txn) == number + 1

        store.write_now(job)
        yield store
        store.close()


def test_every_root_and_every_proof_of_small_trees() -> None:
    most = 34
    leaves = entries(most)

    def check(txn: Transaction) -> None:
        for count in range(most + 1):
            assert log_tree.root(txn, count) == mth(leaves[:count])
            for index in range(count):
                assert log_tree.inclusion(txn, index, count) == path(index, leaves[:count])
            for first in range(1, count + 1):
                expected = subproof(first, leaves[:count], True)
                assert log_tree.consistency(txn, first, count) == expected
            assert log_tree.consistency(txn, 0, count) == []

    with grown(most) as store:
        store.read(check)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(tmp_path_factory.mktemp("log"))
    store.write_now(lambda txn: [log_tree.append(txn, entry) for entry in entries(700)])
    yield store
    store.close()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_proof_at_any_size_of_a_larger_tree(large: Store, data: st.DataObject) -> None:
    leaves = entries(700)
    second = data.draw(st.integers(1, len(leaves)))
    first = data.draw(st.integers(1, second))
    index = data.draw(st.integers(0, second - 1))

    def check(txn: Transaction) -> None:
        assert log_tree.root(txn, second) == mth(leaves[:second])
        assert log_tree.inclusion(txn, index, second) == path(index, leaves[:second])
        assert log_tree.consistency(txn, first, second) == subproof(first, leaves[:second], True)

    large.read(check)


def test_the_leaves_come_back_in_order_and_cost_two_hashes_each() -> None:
    with grown(300) as store:
        assert store.read(lambda txn: list(log_tree.leaves(txn, 0))) == entries(300)
        assert store.read(lambda txn: list(log_tree.leaves(txn, 297))) == entries(300)[297:]
        assert store.read(lambda txn: list(log_tree.leaves(txn, 300))) == []
        assert store.read(lambda txn: log_tree.leaf(txn, 12)) == b"entry 12"
        assert store.read(lambda txn: log_tree.leaf(txn, 300)) is None
        assert store.read(lambda txn: txn.count(LOG_NODES)) < 2 * 300


async def test_writers_at_the_same_time_continue_one_log(store: Store) -> None:
    taken: dict[int, bytes] = {}

    async def add(entry: bytes) -> None:
        taken[await store.write(lambda txn: log_tree.append(txn, entry))] = entry

    async with trio.open_nursery() as nursery:
        for entry in entries(50):
            nursery.start_soon(add, entry)
    in_order = [taken[index] for index in range(50)]
    assert store.read(lambda txn: log_tree.root(txn, 50)) == mth(in_order)
