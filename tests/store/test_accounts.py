"""Accounts in the store: names are taken once, owners counted, and the last one is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from appliance.errors import Refusal
from appliance.store import accounts, engine
from appliance.store.accounts import Account, BackupCode, Plate, Verifier
from appliance.store.engine import Store, Transaction
from appliance.store.schema import ACCOUNT, KEYS, SESSIONS, open_store
from appliance.store.storekey import Sealer

MOST = 100


def account(name: str, role: str = "member", **fields: object) -> Account:
    verifier = Verifier(b"s" * 16, 8, 1, b"d" * 32)
    return Account(os.urandom(16), name, role, 5, b"k" * 16, 8, 1, verifier, b"w" * 72, **fields)  # type: ignore[arg-type]


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.code == code


async def test_an_account_is_found_by_id_and_name(store: Store, sealer: Sealer) -> None:
    ann = account("ann", codes=(BackupCode(b"p" * 32, b"w" * 72),), totp=b"t" * 20, totp_step=7)

    def job(txn: Transaction) -> None:
        assert (
            accounts.by_name(txn, sealer, "ann") is None and accounts.find(txn, sealer, ann.account) is None
        )
        accounts.create(txn, sealer, ann, MOST)
        accounts.create(txn, sealer, account("bob"), MOST)

    await store.write(job)
    assert store.read(lambda txn: accounts.by_name(txn, sealer, "ann")) == ann
    assert store.read(lambda txn: accounts.require(txn, sealer, ann.account)) == ann
    assert [one.name for one in store.read(lambda txn: accounts.list_all(txn, sealer))] == ["ann", "bob"]


async def test_a_name_and_an_id_are_taken_once(store: Store, sealer: Sealer) -> None:
    ann = account("ann")
    await store.write(lambda txn: accounts.create(txn, sealer, ann, MOST))
    with refused("name_taken"):
        await store.write(lambda txn: accounts.create(txn, sealer, account("ann"), MOST))
    with refused("wrong_state"):
        await store.write(
            lambda txn: accounts.create(txn, sealer, msgspec.structs.replace(ann, name="eve"), MOST)
        )
    with refused("registration"):
        await store.write(lambda txn: accounts.create(txn, sealer, account("bob"), 1))
    with refused("no_account"):
        await store.write(lambda txn: accounts.save(txn, sealer, account("ghost")))
    assert store.read(lambda txn: accounts.list_all(txn, sealer)) == [ann]


async def test_a_removed_name_is_free_again(store: Store, sealer: Sealer) -> None:
    ann, eve = account("ann"), account("ann")
    await store.write(lambda txn: accounts.create(txn, sealer, ann, MOST))
    assert await store.write(lambda txn: accounts.remove(txn, sealer, ann.account)) == ann
    with refused("no_account"):
        await store.write(lambda txn: accounts.remove(txn, sealer, ann.account))
    await store.write(lambda txn: accounts.create(txn, sealer, eve, MOST))
    assert store.read(lambda txn: accounts.find_name(txn, sealer, "ann")) == eve.account


async def test_the_last_owner_stays(store: Store, sealer: Sealer) -> None:
    ann, bob = account("ann", "owner"), account("bob", "owner")
    fallen = [msgspec.structs.replace(bob, role="admin"), msgspec.structs.replace(bob, suspended=True)]
    await store.write(lambda txn: accounts.create(txn, sealer, ann, MOST))
    await store.write(lambda txn: accounts.create(txn, sealer, bob, MOST))
    assert store.read(lambda txn: accounts.plate(txn, sealer)).owners == (ann.account, bob.account)
    await store.write(lambda txn: accounts.remove(txn, sealer, ann.account))
    for changed in fallen:
        with refused("last_owner"):
            await store.write(lambda txn, changed=changed: accounts.save(txn, sealer, changed))
    with refused("last_owner"):
        await store.write(lambda txn: accounts.remove(txn, sealer, bob.account))
    assert store.read(lambda txn: accounts.find(txn, sealer, bob.account)) == bob
    assert store.read(lambda txn: accounts.plate(txn, sealer)).owners == (bob.account,)


async def test_a_suspended_owner_does_not_count_until_they_are_back(store: Store, sealer: Sealer) -> None:
    ann, bob = account("ann", "owner"), account("bob", "owner")
    for one in (ann, bob):
        await store.write(lambda txn, one=one: accounts.create(txn, sealer, one, MOST))
    for suspended, owners in ((True, (bob.account,)), (False, (bob.account, ann.account))):
        changed = msgspec.structs.replace(ann, suspended=suspended)
        await store.write(lambda txn, changed=changed: accounts.save(txn, sealer, changed))
        assert store.read(lambda txn: accounts.plate(txn, sealer)).owners == owners


async def test_the_title_stays_when_owners_change(store: Store, sealer: Sealer) -> None:
    assert store.read(lambda txn: accounts.plate(txn, sealer)) == Plate()
    await store.write(lambda txn: accounts.create(txn, sealer, account("ann", "owner"), MOST))
    await store.write(lambda txn: accounts.rename(txn, sealer, "Home"))
    await store.write(lambda txn: accounts.create(txn, sealer, account("bob", "owner"), MOST))
    plate = store.read(lambda txn: accounts.plate(txn, sealer))
    assert (plate.title, len(plate.owners)) == ("Home", 2)


def test_no_secret_shows() -> None:
    assert "w" * 8 not in repr(account("ann")) and "ann" not in repr(account("ann"))


def _write(folder: Path, version: int, rows: dict[engine.Table, bytes]) -> None:
    old = open_store(folder, version=version)
    for table, key in rows.items():
        old.write_now(lambda txn, table=table, key=key: txn.put(table, key, b"old"))
    old.close()


def test_a_store_of_one_owner_is_claimed_anew(tmp_path: Path) -> None:
    _write(tmp_path, 1, {ACCOUNT: b"owner", SESSIONS: bytes(32), KEYS: b"store"})
    store = open_store(tmp_path)
    assert [store.read(lambda txn, t=t: txn.count(t)) for t in (ACCOUNT, SESSIONS, KEYS)] == [0, 0, 1]
    store.close()
