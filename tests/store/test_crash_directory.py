"""Power goes while members publish: an answered entry is in the log, and log, tree and names agree."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.protocol import transparency
from appliance.store import directory, log_tree
from appliance.store.engine import Transaction
from appliance.store.schema import BUNDLES, DIRECTORY, open_store

ROUNDS = 20
SECONDS = 0.3

# Everybody publishes entry and bundle together: first with their device, then without, in turns.
CHILD = """
import os, sys, trio
from pathlib import Path
from appliance.store import directory
from appliance.store.schema import open_store
from tests.persons import Person

store = open_store(Path(sys.argv[1]))
box = Person("box", bytes(32)).identity.public
run = os.urandom(3).hex()

async def live(number):
    person = Person(f"{run}.{number}", box)
    row, bundle, day = person.devices[0].row, person.bundle(), 0
    while True:
        day += 24
        devices = [row] if person.revision % 2 == 0 else []
        signed = person.entry(devices=devices)
        def job(txn):
            directory.publish(txn, person.account, signed, day)
            if devices:
                directory.save_bundle(txn, person.account, row.device, bundle)
        await store.write(job)
        os.write(1, b"+" + person.name.encode().ljust(12) + person.revision.to_bytes(4, "big"))

async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        os.write(1, b"!" + bytes(16))
        for number in range(10):
            nursery.start_soon(live, number)

trio.run(main)
"""


@pytest.mark.slow
def test_what_was_published_is_in_the_log_whenever_the_power_goes(tmp_path: Path) -> None:
    answered: dict[str, int] = {}
    root, size = b"", 0
    for _ in range(ROUNDS):
        for line in run_and_kill(tmp_path / "data"):
            answered[line[1:13].decode().strip()] = int.from_bytes(line[13:], "big")
        store = open_store(tmp_path / "data")
        # What was signed once stays a prefix of what is there.
        assert not size or store.read(lambda txn, size=size: log_tree.root(txn, size)) == root
        root, size = store.read(lambda txn: check_whole(txn, answered))
        store.close()
    assert len(answered) > ROUNDS * 5


def run_and_kill(folder: Path) -> list[bytes]:
    """Lines of 17 octets that the child wrote before it was killed under load."""
    with subprocess.Popen([sys.executable, "-c", CHILD, folder], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(17) == b"!" + bytes(16)
        try:
            child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        output = child.stdout.read()
    assert child.returncode == -signal.SIGKILL
    return [output[at : at + 17] for at in range(0, len(output) - 16, 17)]


def check_whole(txn: Transaction, answered: dict[str, int]) -> tuple[bytes, int]:
    """Names and bundles agree with the log, and the tree with its leaves; root and size."""
    leaves = list(log_tree.leaves(txn, 0))
    node = transparency.nodes_of([transparency.leaf_hash(leaf) for leaf in leaves])
    root = transparency.root(node, len(leaves))
    assert log_tree.root(txn, len(leaves)) == root and log_tree.size(txn) == len(leaves)
    latest = {}
    for leaf in leaves:
        entry = directory.entry_of(leaf)
        assert entry.revision == latest.get(entry.name, 0) + 1
        latest[entry.name] = entry.revision
    assert txn.count(DIRECTORY) == len(latest)
    for name, revision in answered.items():
        assert latest[name] >= revision, "answered and lost"
    with_device = 0
    for name, revision in latest.items():
        row = directory.find(txn, name)
        entry = directory.entry_of(directory.signed_entry(txn, row))
        assert entry.revision == revision
        assert len(directory.bundles(txn, row.account)) == len(entry.devices)
        with_device += len(entry.devices)
    assert txn.count(BUNDLES) == with_device
    return root, len(leaves)
