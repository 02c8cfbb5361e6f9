from __future__ import annotations

from pathlib import Path

import lmdb
import pytest

from appliance.errors import Refusal
from appliance.store import grants, logs, schema
from appliance.store.engine import Store, Transaction
from appliance.store.mailboxes import INDEX_ENTRY, MAILBOX, find
from appliance.store.schema import (
    DOOMED,
    FORMER,
    INDEX,
    MAILBOX_OWNERS,
    MAILBOXES,
    META,
    QUEUE,
    RELAYS,
    TABLES,
    open_store,
    prefix_end,
)


def test_every_table_is_declared_once_and_described() -> None:
    assert len(set(TABLES)) == len(TABLES)
    described = {line.split("|")[1].strip() for line in (schema.__doc__ or "").splitlines() if "|" in line}
    assert set(TABLES) == described - {"table", "---"}


def step(txn: Transaction) -> None:
    for key, value in list(txn.range(MAILBOXES)):
        txn.put(MAILBOXES, key, value + b"!")


def make_old(folder: Path) -> None:
    store = open_store(folder, version=1)
    store.write_now(lambda txn: txn.put(MAILBOXES, b"a", b"1"))
    store.close()


def test_an_older_store_is_copied_then_taken_up_step_by_step(tmp_path: Path) -> None:
    make_old(tmp_path)
    store = open_store(tmp_path, version=3, steps={1: step, 2: step})
    assert store.read(lambda txn: txn.get(MAILBOXES, b"a")) == b"1!!"
    store.close()
    for version, value in ((1, b"1"), (2, b"1!")):
        folder = tmp_path / f"from{version}"
        folder.mkdir()
        (tmp_path / f"store.v{version}.mdb").rename(folder / "store.mdb")
        copy = open_store(folder, version=version)
        assert copy.read(lambda txn: txn.get(MAILBOXES, b"a")) == value
        copy.close()
    again = open_store(tmp_path, version=3, steps={})
    assert again.read(lambda txn: txn.get(MAILBOXES, b"a")) == b"1!!"
    again.close()


def test_a_failed_step_leaves_the_old_version_and_is_taken_again(tmp_path: Path) -> None:
    make_old(tmp_path)

    def fail(txn: Transaction) -> None:
        step(txn)
        raise RuntimeError("power failure")

    (tmp_path / "store.v1.part").write_bytes(b"half a copy")
    with pytest.raises(RuntimeError):
        open_store(tmp_path, version=2, steps={1: fail})
    store = open_store(tmp_path, version=2, steps={1: step})
    assert store.read(lambda txn: txn.get(MAILBOXES, b"a")) == b"1!"
    store.close()


def test_a_newer_store_is_refused_and_untouched(tmp_path: Path) -> None:
    open_store(tmp_path, version=2).close()
    with pytest.raises(Refusal) as caught:
        open_store(tmp_path, version=1)
    assert caught.value.code == "newer_store"
    assert caught.value.details == {"found": 2, "known": 1}
    open_store(tmp_path, version=2).close()


def test_what_boxes_sent_to_boxes_is_not_carried_on(tmp_path: Path) -> None:
    grant, theirs = grants.grant_id(b"the box itself"), grants.grant_id(b"somebody")

    def fill(txn: Transaction) -> None:
        for table in FORMER:
            txn.put(table, b"key", b"value" * 100)
        txn.put(RELAYS, b"a relay", b"sealed")
        txn.put(META, b"inbox", bytes(8))
        for one, origin in ((grant, "self"), (theirs, "owner")):
            grants.create(txn, one, origin=origin, mailboxes=1, octets=1, now_hour=1, expires_hour=1000)  # type: ignore[arg-type]

    open_store(tmp_path, version=1).close()
    old = Store.open(tmp_path, (*TABLES, *FORMER))
    old.write_now(fill)
    old.close()
    for _ in range(2):
        store = open_store(tmp_path)
        assert store.read(lambda txn: txn.get(RELAYS, b"a relay")) == b"sealed"
        assert store.read(lambda txn: txn.get(META, b"inbox")) is None
        assert [one.grant for one in store.read(grants.list_all)] == [theirs]
        store.close()
    assert table_names(tmp_path) == set(TABLES)


def table_names(folder: Path) -> set[str]:
    """The tables that are in the file."""
    path = str(folder / "store.mdb")
    with lmdb.open(path, subdir=False, readonly=True, max_dbs=200) as env, env.begin() as txn:
        return {bytes(name).decode() for name in txn.cursor().iternext(values=False)}


@pytest.mark.parametrize("version", [2, 5])
def test_what_waits_in_devices_mailboxes_is_gathered_in_their_queues(tmp_path: Path, version: int) -> None:
    device = b"A" * 16 + b"D" * 16
    row = MAILBOX.pack(1, 4, 9, bytes(32), bytes(32), bytes(16), 2, 1920)
    first, second, strange, doomed = b"m" * 20, b"n" * 20, b"x" * 20, b"y" * 20

    def fill(txn: Transaction) -> None:
        for mailbox, owner in ((first, device + b"handle-1"), (second, device + b"handle-2")):
            txn.put(MAILBOX_OWNERS, mailbox, owner)
        for mailbox in (first, second, strange):
            txn.put(MAILBOXES, mailbox, row)
        txn.put(DOOMED, doomed, b"\1" + device)
        for mailbox, number in ((first, 7), (first, 3), (second, 5), (strange, 4), (doomed, 6)):
            txn.put(INDEX, mailbox + number.to_bytes(16, "big"), INDEX_ENTRY.pack(number, 9, 960))
            if version == 5 and mailbox != strange:
                txn.put(QUEUE, device + number.to_bytes(8, "big"), b"")

    open_store(tmp_path, version=version).close()
    old = Store.open(tmp_path, (*TABLES, MAILBOX_OWNERS))
    old.write_now(fill)
    old.close()
    for _ in range(2):
        store = open_store(tmp_path)
        assert store.read(lambda txn: [(key[:52], value[7]) for key, value in txn.range(QUEUE)]) == [
            (device + mailbox, number)
            for mailbox, number in ((first, 3), (first, 7), (second, 5), (doomed, 6))
        ]
        assert store.read(lambda txn: [key[:20] for key in txn.keys(INDEX)]) == [strange]
        owners = [
            one and one.owner for one in store.read(lambda txn: [find(txn, m) for m in (first, strange)])
        ]
        assert owners == [device + b"handle-1", b""]
        store.close()
    assert set(TABLES) == table_names(tmp_path)


def test_a_table_that_was_added_is_there_in_an_older_store_of_the_same_version(tmp_path: Path) -> None:
    fewer = Store.open(tmp_path, tuple(table for table in TABLES if not table.startswith("log")))
    fewer.write_now(lambda txn: txn.put(META, b"schema", schema.VERSION.to_bytes(4, "big")))
    fewer.close()
    store = open_store(tmp_path)
    store.write_now(lambda txn: logs.create(txn, bytes(16), 1, sealed=False))
    assert store.read(lambda txn: logs.find(txn, bytes(16))) is not None
    store.close()


@pytest.mark.parametrize(
    ("prefix", "end"), [(b"a", b"b"), (b"a\xff", b"b"), (b"\xff\xff", None), (b"a\x00", b"a\x01")]
)
def test_prefix_end(prefix: bytes, end: bytes | None) -> None:
    assert prefix_end(prefix) == end


def test_a_prefix_takes_what_begins_with_it_and_no_more(tmp_path: Path) -> None:
    store: Store = open_store(tmp_path)

    def job(txn: Transaction) -> None:
        for key in (b"a\xfe", b"a\xff", b"a\xff\x00", b"a\xff\xff\xff", b"b", b"b\x00"):
            txn.put(MAILBOXES, key, b"")
        found = list(txn.keys(MAILBOXES, b"a\xff", prefix_end(b"a\xff")))
        assert found == [b"a\xff", b"a\xff\x00", b"a\xff\xff\xff"]

    store.write_now(job)
    store.close()
