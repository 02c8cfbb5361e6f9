"""Power goes while many take prekeys: none is ever given twice, and one that was given does not come back."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.store.schema import PREKEY_STOCKS, PREKEYS, open_store

ROUNDS = 25
SECONDS = 0.12

CHILD = """
import os, sys, trio
from pathlib import Path
from appliance.protocol.directory import OneTimePrekey
from appliance.store import prekeys
from appliance.store.schema import open_store

ada, kem = b"A" * 16, bytes(1184)
store = open_store(Path(sys.argv[1]))
devices = [bytes((number,)) * 16 for number in range(4)]

async def fill(device):
    while True:
        highest = store.read(lambda txn: prekeys.find_stock(txn, ada, device).highest)
        fresh = [OneTimePrekey(highest + n, os.urandom(32), kem, bytes(64)) for n in range(1, 21)]
        # Said twice, as a device does that lost its answer.
        for _ in range(2):
            await store.write(lambda txn: prekeys.add(txn, ada, device, fresh, replace=False))

async def take(device):
    while True:
        got = await store.write(lambda txn: prekeys.take(txn, ada, device, 5))
        if got is not None:
            os.write(1, b"+" + device[:1] + got.id.to_bytes(4, "big") + got.key)

async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        os.write(1, b"!" + bytes(37))
        for device in devices:
            nursery.start_soon(fill, device)
            for _ in range(6):
                nursery.start_soon(take, device)

trio.run(main)
"""


@pytest.mark.slow
def test_no_prekey_is_given_twice_whenever_the_power_goes(tmp_path: Path) -> None:
    given: set[bytes] = set()
    keys: set[bytes] = set()
    for _ in range(ROUNDS):
        for line in run_and_kill(tmp_path / "data"):
            assert line[1:6] not in given and line[6:] not in keys, "given twice"
            given.add(line[1:6])
            keys.add(line[6:])
        store = open_store(tmp_path / "data")
        held = store.read(lambda txn: list(txn.range(PREKEYS)))
        assert not given & {at[16:17] + at[32:] for at, _ in held}, "given and still there"
        assert not keys & {value[:32] for _, value in held}
        stocks = store.read(
            lambda txn: sum(int.from_bytes(v[:2], "big") for _, v in txn.range(PREKEY_STOCKS))
        )
        assert stocks == len(held)
        store.close()
    assert len(given) > ROUNDS * 10


def run_and_kill(folder: Path) -> list[bytes]:
    """Lines of 38 octets that the child wrote before it was killed under load."""
    with subprocess.Popen([sys.executable, "-c", CHILD, folder], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(38) == b"!" + bytes(37)
        try:
            child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        output = child.stdout.read()
    assert child.returncode == -signal.SIGKILL
    return [output[at : at + 38] for at in range(0, len(output) - 37, 38)]
