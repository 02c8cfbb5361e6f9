from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol.keys import SigningKey
from appliance.store import directory, log_tree, prekeys
from appliance.store.engine import Store
from appliance.store.schema import BUNDLES, DIRECTORY, DIRECTORY_NAMES, PREKEY_STOCKS, PREKEYS, open_store
from tests.persons import HOUR, Gadget, Person
from tests.services import refused

BOX = SigningKey(bytes(range(32))).public


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store whose committer does not run: these tests write at once."""
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def ada() -> Person:
    return Person("ada", BOX)


def publish(store: Store, who: Person, signed: bytes, hour: int = HOUR) -> list[bytes]:
    return store.write_now(lambda txn: directory.publish(txn, who.account, signed, hour))


def stock(store: Store, who: Person, device: int = 0) -> None:
    """A bundle and two prekeys of a device."""
    gadget = who.devices[device]
    bundle, given = who.bundle(device), gadget.prekeys(2)
    store.write_now(lambda txn: directory.save_bundle(txn, who.account, gadget.id, bundle))
    store.write_now(lambda txn: prekeys.add(txn, who.account, gadget.id, given, replace=False))


def size(store: Store) -> int:
    return store.read(log_tree.size)


def present(store: Store, name: str) -> bytes:
    return store.read(lambda txn: directory.signed_entry(txn, directory.find(txn, name)))


def test_every_change_of_an_entry_is_a_leaf_of_the_log(store: Store, ada: Person) -> None:
    first = ada.entry()
    assert publish(store, ada, first) == []
    ada.devices.append(Gadget())
    second = ada.entry()
    assert publish(store, ada, second) == []
    assert present(store, "ada") == second
    assert store.read(lambda txn: list(log_tree.leaves(txn, 0))) == [first, second]
    assert store.read(lambda txn: directory.find_name(txn, ada.account)) == "ada"
    assert store.read(lambda txn: directory.entry(txn, ada.account)) == second


def test_the_same_entry_again_changes_nothing(store: Store, ada: Person) -> None:
    signed = ada.entry()
    publish(store, ada, signed)
    assert publish(store, ada, signed) == [] and size(store) == 1


@pytest.mark.parametrize("revision", [1, 2, 4, 99])
def test_a_revision_that_does_not_follow_is_old(store: Store, ada: Person, revision: int) -> None:
    publish(store, ada, ada.entry())
    publish(store, ada, ada.entry())
    with refused("old_entry"):
        publish(store, ada, ada.entry(revision=revision, issued_hour=HOUR + 1))
    assert size(store) == 2


def test_a_name_begins_with_revision_one(store: Store, ada: Person) -> None:
    with refused("bad_entry"):
        publish(store, ada, ada.entry(revision=2))
    assert size(store) == 0
    with refused("no_account"):
        present(store, "ada")


def test_a_name_keeps_its_identity_while_its_account_lives(store: Store, ada: Person) -> None:
    publish(store, ada, ada.entry())
    ada.identity = SigningKey(os.urandom(32))
    with refused("bad_entry"):
        publish(store, ada, ada.entry())
    other = Person("ada", BOX)
    with refused("name_taken"):
        publish(store, other, other.entry())
    assert size(store) == 1


def test_a_name_that_is_registered_again_shows_its_new_identity_in_the_log(store: Store, ada: Person) -> None:
    first = ada.entry()
    publish(store, ada, first)
    stock(store, ada)
    store.write_now(lambda txn: directory.forget(txn, ada.account))
    with refused("no_account"):
        present(store, "ada")
    assert store.read(lambda txn: directory.entry(txn, ada.account)) is None
    for table in (DIRECTORY, DIRECTORY_NAMES, BUNDLES, PREKEYS, PREKEY_STOCKS):
        assert store.read(lambda txn, table=table: txn.count(table)) == 0
    other = Person("ada", BOX)
    again = other.entry()
    publish(store, other, again)
    assert store.read(lambda txn: list(log_tree.leaves(txn, 0))) == [first, again]
    store.write_now(lambda txn: directory.forget(txn, os.urandom(16)))
    assert present(store, "ada") == again


def test_a_device_that_goes_takes_its_bundle_and_prekeys_along(store: Store, ada: Person) -> None:
    ada.devices.append(Gadget())
    phone, laptop = ada.devices
    publish(store, ada, ada.entry())
    stock(store, ada, 0)
    stock(store, ada, 1)
    assert len(store.read(lambda txn: directory.bundles(txn, ada.account))) == 2
    ada.devices.remove(laptop)
    assert publish(store, ada, ada.entry()) == [laptop.id]
    assert len(store.read(lambda txn: directory.bundles(txn, ada.account))) == 1
    assert store.read(lambda txn: prekeys.find_stock(txn, ada.account, phone.id)).left == 2
    assert store.read(lambda txn: prekeys.find_stock(txn, ada.account, laptop.id)).left == 0


def test_a_device_with_other_keys_is_another_device(store: Store, ada: Person) -> None:
    publish(store, ada, ada.entry())
    stock(store, ada)
    phone = ada.devices[0]
    phone.key = SigningKey(os.urandom(32))
    assert publish(store, ada, ada.entry()) == [phone.id]
    assert store.read(lambda txn: directory.bundles(txn, ada.account)) == []


def test_an_account_can_end_with_an_entry_without_devices(store: Store, ada: Person) -> None:
    publish(store, ada, ada.entry())
    assert publish(store, ada, ada.entry(devices=[])) == [ada.devices[0].id]
    assert directory.entry_of(present(store, "ada")).devices == []


def test_changes_of_a_day_are_bounded_since_the_log_keeps_them(store: Store, ada: Person) -> None:
    hour = HOUR - HOUR % 24
    for _ in range(directory.MAX_CHANGES_DAY):
        publish(store, ada, ada.entry(), hour)
    late = ada.entry()
    with pytest.raises(Refusal) as caught:
        publish(store, ada, late, hour + 23)
    assert (caught.value.code, caught.value.details) == ("too_many", {"retry_after": 3600})
    assert publish(store, ada, late, hour + 24) == []
