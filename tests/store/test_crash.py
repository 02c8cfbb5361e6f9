"""Power goes at any moment: a child under load is killed, and nothing it had answered for may be missing.

It sweeps and blanks its data file all the while.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.protocol.envelope import envelope_id
from appliance.store import counters
from appliance.store.engine import Transaction
from appliance.store.schema import BODIES, EXPIRY, INDEX, QUEUE, RECLAIM, open_store
from appliance.store.sweep import sweep

ROUNDS = 50
SECONDS = 0.12

CHILD = """
import os, sys, trio
from pathlib import Path
from appliance.protocol.envelope import envelope_id
from appliance.store import grants, mailboxes
from appliance.store.mailboxes import Bounds, Limits
from appliance.store.schema import open_store
from appliance.store.sweep import sweep

limits = Limits(*[Bounds(10**9, 10**15)] * 2, 10**15, Bounds(10**9, 10**15))
grant, capability = grants.grant_id(b"grant"), bytes(32)
store = open_store(Path(sys.argv[1]))

def setup(txn):
    grants.create(txn, grant, origin="owner", mailboxes=99, octets=10**15, now_hour=1, expires_hour=10**6)
    made = []
    for n in range(8):  # the last four are one device's: what waits in them stands in its queue
        made.append(
            mailboxes.create(
                txn, fetch_key=bytes((n,)) * 32, capability_hash=capability, kind="contact", grant=grant,
                now_hour=1, owner=b"A" * 16 + b"D" * 16 + b"handle-%d" % n if n >= 4 else b"",
            ).mailbox
        )
    return made

boxes = store.write_now(setup)

async def load(number):
    box = boxes[number % 8]
    while True:
        batch = [b"\\1" + os.urandom(1983) for _ in range(4)]
        deposit = lambda txn: mailboxes.deposit(txn, box, capability, batch, 100, limits, 1)
        outcomes = await store.write(deposit)
        assert {outcome.state for outcome in outcomes} == {"held"}
        gone = envelope_id(batch[0])
        # Said before the acknowledgement is asked for: it may be held or not.
        os.write(1, b"".join(b"?" + box + envelope_id(each) for each in batch[:1]))
        os.write(1, b"".join(b"+" + box + envelope_id(each) for each in batch[1:]))
        await store.write(lambda txn: mailboxes.acknowledge(txn, box, [gone]), freeing=True)
        os.write(1, b"-" + box + gone)

async def clean():
    while True:
        await store.write(lambda txn: sweep(txn, 1, 100), freeing=True)
        await trio.sleep(0.005)

async def blank():
    at = 0
    while True:
        at = (await store.scrub(at, 64)).following
        if not at:
            await store.rinse()
        await trio.sleep(0.002)

async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        os.write(1, b"!" + bytes(36))
        nursery.start_soon(clean)
        nursery.start_soon(blank)
        for number in range(16):
            nursery.start_soon(load, number)

trio.run(main)
"""


@pytest.mark.slow
def test_nothing_acknowledged_is_missing_after_fifty_kills(tmp_path: Path) -> None:
    present: set[bytes] = set()
    absent: set[bytes] = set()
    for _ in range(ROUNDS):
        lines = run_and_kill(tmp_path / "data")
        present |= {line[1:] for line in lines if line[:1] == b"+"}
        absent |= {line[1:] for line in lines if line[:1] == b"-"}
        store = open_store(tmp_path / "data")
        held = {key for key, _ in store.read(indexed)}
        assert not present - held, "acknowledged and lost"
        assert not absent & held, "came back after its acknowledgement"
        store.close()
    assert len(present) > ROUNDS * 10 and len(absent) > ROUNDS
    store = open_store(tmp_path / "data")
    store.write_now(check_whole)
    store.close()


def run_and_kill(folder: Path) -> list[bytes]:
    """Lines of 37 octets that the child wrote before it was killed under load; a torn last one is dropped."""
    with subprocess.Popen([sys.executable, "-c", CHILD, folder], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(37) == b"!" + bytes(36)
        try:
            child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        output = child.stdout.read()
    assert child.returncode == -signal.SIGKILL
    return [output[at : at + 37] for at in range(0, len(output) - 36, 37)]


def indexed(txn: Transaction) -> list[tuple[bytes, bytes]]:
    """Mailbox ‖ id and entry of all that is held, for devices and others."""
    return [*txn.range(INDEX), *((key[32:], value) for key, value in txn.range(QUEUE))]


def check_whole(txn: Transaction) -> None:
    """Every table agrees with every other, and every body is what its index says."""
    while sweep(txn, 1, 10_000):
        pass
    rows = indexed(txn)
    assert len(rows) == txn.count(BODIES) == txn.count(EXPIRY) and txn.count(RECLAIM) == 0
    assert txn.count(INDEX) and txn.count(QUEUE)
    for key, value in rows:
        body = txn.get(BODIES, value[:8])
        assert body is not None and body[:20] == key[:20] and envelope_id(body[24:]) == key[20:]
    held = len(rows)
    load = counters.load(txn)
    assert (load.held, load.octets, load.hours) == (held, held * 1984, [(100, held, held * 1984)])
