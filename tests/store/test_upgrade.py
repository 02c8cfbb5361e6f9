"""A store of version 1 that its owner's passphrase locked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from argon2.low_level import Type, hash_secret_raw
from click.testing import CliRunner

from appliance.__main__ import cli
from appliance.commands import exits
from appliance.store import upgrade
from appliance.store.engine import Store, Transaction
from appliance.store.schema import ACCOUNT, KEYS, META, RELAYS, TABLES, open_store
from appliance.store.storekey import Sealer, open_keys
from tests.services import refused

PASSPHRASE = "älter als die neue"
LOCKED = b"store by passphrase"


def make_locked(folder: Path) -> tuple[bytes, bytes]:
    """What version 1 left: the store key wrapped by Argon2id (64 MiB, 3 passes) of the passphrase itself."""
    store = open_store(folder, version=1)
    ring = open_keys(folder, store)
    secret = ring.machine.open(KEYS, b"store", store.read(lambda txn: txn.get(KEYS, b"store")) or b"")
    salt = os.urandom(16)
    wrapping = Sealer(hash_secret_raw(PASSPHRASE.encode(), salt, 3, 64 * 1024, 1, 32, Type.ID))

    def job(txn: Transaction) -> None:
        txn.delete(KEYS, b"store")
        txn.put(KEYS, LOCKED, salt + wrapping.seal(KEYS, LOCKED, secret))
        txn.put(ACCOUNT, b"owner", b"sealed")
        txn.put(RELAYS, b"a relay", ring.require().seal(RELAYS, b"a relay", b"kept"))

    store.write_now(job)
    store.close()
    return secret, ring.identity.seed


def check(folder: Path, seed: bytes) -> None:
    store = open_store(folder)
    ring = open_keys(folder, store)
    assert (ring.locked, ring.protected, ring.identity.seed) == (False, False, seed)
    value = store.read(lambda txn: txn.get(RELAYS, b"a relay")) or b""
    assert ring.require().open(RELAYS, b"a relay", value) == b"kept"
    assert store.read(lambda txn: txn.get(ACCOUNT, b"owner")) is None
    store.close()


def test_it_is_refused_in_words_and_left_as_it_is(tmp_path: Path) -> None:
    make_locked(tmp_path)
    for _ in range(2):
        with refused("older_lock"):
            open_store(tmp_path)
    store = open_store(tmp_path, version=1)
    assert store.read(lambda txn: txn.get(KEYS, LOCKED)) is not None
    store.close()
    ran = subprocess.run(
        [sys.executable, "-m", "appliance", "run", "--data", tmp_path, "--tor", "off"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == exits.LOCKED
    assert "island upgrade" in ran.stderr


async def test_the_old_passphrase_brings_it_up_and_no_other(tmp_path: Path) -> None:
    _, seed = make_locked(tmp_path)
    assert upgrade.is_locked(tmp_path)
    with refused("wrong_passphrase"):
        await upgrade.bring_up(tmp_path, "wrong")
    await upgrade.bring_up(tmp_path, PASSPHRASE)
    check(tmp_path, seed)
    assert not upgrade.is_locked(tmp_path)
    # The copy of what was is as locked as it was.
    old = tmp_path / "old"
    old.mkdir()
    (tmp_path / "store.v1.mdb").rename(old / "store.mdb")
    copy = open_store(old, version=1)
    assert copy.read(lambda txn: [txn.get(KEYS, name) is None for name in (LOCKED, b"store")]) == [
        False,
        True,
    ]
    copy.close()


def test_the_command_asks_for_it_and_says_what_comes_next(tmp_path: Path) -> None:
    _, seed = make_locked(tmp_path)
    command = ["upgrade", "--data", str(tmp_path)]
    wrong = CliRunner().invoke(cli, command, input="wrong\n")
    assert (wrong.exit_code, "passphrase is wrong" in wrong.output) == (exits.FAILED, True)
    done = CliRunner().invoke(cli, command, input=PASSPHRASE + "\n")
    assert done.exit_code == 0
    assert "island claim" in done.output
    check(tmp_path, seed)
    again = CliRunner().invoke(cli, command)
    assert (again.exit_code, "Nothing is to be done" in again.output) == (0, True)
    nowhere = CliRunner().invoke(cli, ["upgrade", "--data", str(tmp_path / "nowhere")])
    assert (nowhere.exit_code, (tmp_path / "nowhere").exists()) == (exits.FAILED, False)


CHILD = """
import os, sys, trio
from pathlib import Path
from appliance.store import upgrade
os.write(1, b"!")
trio.run(upgrade.bring_up, Path(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    _, seed = make_locked(tmp_path)
    kills = 0
    for turn in range(60):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, tmp_path, PASSPHRASE], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.read(1)
            try:
                child.wait(0.02 + turn * 0.02)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                kills += 1
        if child.returncode == 0:
            break
        store = Store.open(tmp_path, tuple(TABLES))  # as it lies there: no step is taken
        locked, plain = store.read(lambda txn: (txn.get(KEYS, LOCKED), txn.get(KEYS, b"store")))
        assert (locked is None) == (plain is not None) == (store.read(_version) > 1)
        store.close()
        if locked is None:
            break
    assert kills > 2
    check(tmp_path, seed)


def _version(txn: Transaction) -> int:
    return int.from_bytes(txn.get(META, b"schema") or b"", "big")
