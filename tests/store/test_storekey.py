from __future__ import annotations

from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from appliance.errors import Refusal
from appliance.protocol.keys import SigningKey
from appliance.store import engine, storekey
from appliance.store.engine import Store, Table
from appliance.store.schema import open_store
from appliance.store.storekey import KeyRing, Sealer, open_keys

TABLE = Table("things")
OTHER = Table("other")
SEED = bytes(range(32))


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storekey, "MEMORY_KIB", 64)
    monkeypatch.setattr(storekey, "PASSES", 1)


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_what_is_sealed_opens_at_its_place_only(value: bytes, key: bytes) -> None:
    sealer = Sealer(SEED)
    sealed = sealer.seal(TABLE, key, value)
    assert len(sealed) == len(value) + 41
    assert sealer.open(TABLE, key, sealed) == value
    for table, at, by in ((OTHER, key, sealer), (TABLE, key + b"x", sealer), (TABLE, key, Sealer(bytes(32)))):
        with pytest.raises(Refusal) as caught:
            by.open(table, at, sealed)
        assert caught.value.code == "damaged_store"


def test_sealing_differs_each_time_and_blinding_does_not() -> None:
    sealer = Sealer(SEED)
    assert sealer.seal(TABLE, b"k", b"v") != sealer.seal(TABLE, b"k", b"v")
    assert sealer.blind(TABLE, b"k") == Sealer(SEED).blind(TABLE, b"k")
    blinded = {
        sealer.blind(TABLE, b"k"),
        sealer.blind(TABLE, b"l"),
        sealer.blind(OTHER, b"k"),
        Sealer(bytes(32)).blind(TABLE, b"k"),
    }
    assert len(blinded) == 4 and {len(each) for each in blinded} == {16}


@pytest.mark.parametrize("sealed", [b"", b"\1", bytes(60), b"\1" + bytes(10), b"\2" + bytes(60)])
def test_rubbish_does_not_open(sealed: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        Sealer(SEED).open(TABLE, b"k", sealed)
    assert caught.value.code == "damaged_store"


async def test_keys_are_made_once_and_found_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ring = open_keys(tmp_path, store)
    assert (tmp_path / storekey.MACHINE_FILE).stat().st_mode & 0o777 == 0o600
    assert not ring.locked and not ring.protected
    sealed = ring.require().seal(TABLE, b"k", b"v")
    store.close()
    store = open_store(tmp_path)
    again = open_keys(tmp_path, store)
    assert again.identity.public == ring.identity.public
    assert again.require().open(TABLE, b"k", sealed) == b"v"
    assert again.derive(b"sealing", 96) == ring.derive(b"sealing", 96) != ring.derive(b"other", 96)
    store.close()


def test_a_given_identity_is_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert open_keys(tmp_path, store, SEED).identity.public == SigningKey(SEED).public
    assert open_keys(tmp_path, store, bytes(32)).identity.public == SigningKey(SEED).public
    store.close()


@pytest.mark.parametrize("damage", ["missing", "short", "other"])
def test_without_its_machine_key_a_store_is_refused(tmp_path: Path, damage: str) -> None:
    store = open_store(tmp_path)
    open_keys(tmp_path, store)
    path = tmp_path / storekey.MACHINE_FILE
    path.unlink() if damage == "missing" else path.write_bytes(bytes(31 if damage == "short" else 32))
    with pytest.raises(Refusal) as caught:
        open_keys(tmp_path, store)
    assert caught.value.code == "damaged_store"
    assert (damage == "missing") != path.exists()  # and no new key was made in its place
    store.close()


def test_a_machine_key_from_an_interrupted_first_start_is_used(tmp_path: Path) -> None:
    (tmp_path / storekey.MACHINE_FILE).write_bytes(SEED)
    store = open_store(tmp_path)
    open_keys(tmp_path, store)
    assert (tmp_path / storekey.MACHINE_FILE).read_bytes() == SEED
    store.close()


async def rewrap(store: Store, ring: KeyRing, secret: bytes | None) -> None:
    wrapping = await ring.wrap(secret)
    assert "horse" not in repr(wrapping) and repr(wrapping.value) not in repr(wrapping)
    await store.write(wrapping.write)
    ring.adopt(wrapping)


async def test_a_protected_store_starts_locked_and_opens_by_its_key(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ring = open_keys(tmp_path, store)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        sealed = ring.require().seal(TABLE, b"k", b"v")
        await rewrap(store, ring, b"correct horse")
        assert ring.protected and not ring.locked

        locked = open_keys(tmp_path, store)
        assert locked.locked and locked.protected and locked.sealer is None
        assert locked.identity.public == ring.identity.public
        machine_sealed = ring.machine.seal(TABLE, b"k", b"v")
        assert locked.machine.open(TABLE, b"k", machine_sealed) == b"v"
        for refused in (locked.require, lambda: locked.derive(b"x", 32)):
            with pytest.raises(Refusal) as caught:
                refused()
            assert caught.value.code == "locked"
        for secret in (b"new", None):
            with pytest.raises(Refusal) as caught:
                await locked.wrap(secret)
            assert caught.value.code == "locked"
        with pytest.raises(Refusal) as caught:
            await locked.unlock(b"wrong horse")
        assert caught.value.code == "wrong_passphrase" and locked.locked

        await locked.unlock(b"correct horse")
        assert locked.require().open(TABLE, b"k", sealed) == b"v"
        await rewrap(store, locked, b"another horse")
        changed = open_keys(tmp_path, store)
        with pytest.raises(Refusal):
            await changed.unlock(b"correct horse")
        await changed.unlock(b"another horse")
        await rewrap(store, changed, None)
        plain = open_keys(tmp_path, store)
        assert not plain.locked and plain.require().open(TABLE, b"k", sealed) == b"v"
        await plain.unlock(b"anything")  # nothing to unlock
        nursery.cancel_scope.cancel()
    store.close()


def test_no_secret_shows(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ring = open_keys(tmp_path, store, SEED)
    shown = repr(ring) + repr(ring.machine) + repr(ring.sealer)
    assert SEED.hex() not in shown and repr(SEED) not in shown and "key" not in repr(ring.machine)
    store.close()


def test_the_file_holds_no_seed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    open_keys(tmp_path, store, SEED)
    store.close()
    assert SEED not in (tmp_path / engine.DATA_FILE).read_bytes()


def test_blinding_is_libsodiums_keyed_hash() -> None:
    # Stores were written with the binding; what they hold is found again.

    sealer = Sealer(bytes(range(32)))
    for key in (b"", b"x", bytes(500)):
        data = b"mailboxes\0" + key
        kept = bindings.crypto_generichash_blake2b_salt_personal(data, digest_size=16, key=sealer._blind)
        assert sealer.blind(Table("mailboxes"), key) == kept
