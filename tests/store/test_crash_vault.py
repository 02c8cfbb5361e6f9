"""Power goes while devices change one vault: what was answered is there, and no change is there by half."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.store import vault
from appliance.store.engine import Transaction
from appliance.store.schema import VAULT_INDEX, VAULT_RECORDS, VAULT_TOMBS, open_store

ROUNDS = 25
SECONDS = 0.12
PAIRS = 8
ADA = b"A" * 16

# Each change moves both records of a pair to the next version and removes or makes a third; every pair has
# two writers that meet, so that half of the changes are refused.
CHILD = """
import os, sys, trio
from pathlib import Path
from appliance.errors import Refusal
from appliance.protocol.vault import Change, Put, Read, Remove
from appliance.store import vault
from appliance.store.schema import open_store

ada = b"A" * 16
store = open_store(Path(sys.argv[1]))

def versions(txn, ids):
    found = {one.id: one for one in vault.read(txn, ada, ids, 1 << 20).records}
    return [(found[i].version, found[i].data) if i in found else (0, None) for i in ids]

async def load(pair):
    ids = [bytes((pair, part)) * 8 for part in range(3)]
    while True:
        (one, _), (two, _), (third, data) = store.read(lambda txn: versions(txn, ids))
        puts = [Put(ids[0], one, os.urandom(700)), Put(ids[1], two, os.urandom(700))]
        removes = []
        if data is None:
            puts.append(Put(ids[2], third, b"here"))
        else:
            removes.append(Remove(ids[2], third))
        change = Change(puts, removes)
        try:
            await store.write(lambda txn: vault.change(txn, ada, change, 1 << 30, 5))
        except Refusal as refusal:
            assert refusal.code == "vault_conflict"
        else:
            os.write(1, b"+" + bytes((pair,)) + (one + 1).to_bytes(8, "big"))

async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        os.write(1, b"!" + bytes(9))
        for number in range(16):
            nursery.start_soon(load, number % 8)

trio.run(main)
"""


@pytest.mark.slow
def test_answered_changes_are_there_and_none_is_there_by_half(tmp_path: Path) -> None:
    answered: dict[int, int] = {}
    count = 0
    for _ in range(ROUNDS):
        for line in run_and_kill(tmp_path / "data"):
            pair, version = line[1], int.from_bytes(line[2:], "big")
            assert version > answered.get(pair, 0), "one version was given to two writers"
            answered[pair] = version
            count += 1
        store = open_store(tmp_path / "data")
        store.read(lambda txn: check_whole(txn, answered))
        store.close()
    assert count > ROUNDS * 10 and len(answered) == PAIRS


def run_and_kill(folder: Path) -> list[bytes]:
    """Lines of 10 octets that the child wrote before it was killed under load."""
    with subprocess.Popen([sys.executable, "-c", CHILD, folder], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(10) == b"!" + bytes(9)
        try:
            child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        output = child.stdout.read()
    assert child.returncode == -signal.SIGKILL
    return [output[at : at + 10] for at in range(0, len(output) - 9, 10)]


def check_whole(txn: Transaction, answered: dict[int, int]) -> None:
    page = vault.changes(txn, ADA, 0, 0, 1 << 30)
    found = {one.id: one for one in page.records}
    for pair, version in answered.items():
        one, two, third = (found[bytes((pair, part)) * 8] for part in range(3))
        assert one.version >= version, "answered and lost"
        assert one.version == two.version == third.version and one.revision == two.revision
        assert (third.data is None) == (third.version % 2 == 0)
    there = [one.data for one in page.records if one.data is not None]
    assert page.head.octets == sum(len(data) + vault.RECORD_COST for data in there)
    assert page.head.records == len(there) and page.head.tombs == txn.count(VAULT_TOMBS)
    assert txn.count(VAULT_RECORDS) == txn.count(VAULT_INDEX) == len(page.records)
