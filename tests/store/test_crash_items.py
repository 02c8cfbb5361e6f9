"""Power goes while an item travels from the outbox to the inbox: it arrives whole, once, and is receipted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.store import deliveries, inbox, outbox
from appliance.store.outbox import OutboxItem
from appliance.store.schema import OUTBOX_PENDING, open_store
from appliance.store.storekey import Sealer

ROUNDS = 25
PARTS = 400
SIZE = PARTS * 500
ID, SENDER, RECEIPT = b"i" * 16, b"s" * 32, b"r" * 16

CHILD = """
import hashlib, os, sys, trio
from pathlib import Path
from appliance.protocol.envelope import envelope_id
from appliance.protocol.item import Header, Part
from appliance.store import deliveries, inbox, outbox
from appliance.store.outbox import OutboxItem
from appliance.store.schema import open_store
from appliance.store.storekey import Sealer

ID, SENDER, RECEIPT, PARTS = b"i" * 16, b"s" * 32, b"r" * 16, int(sys.argv[2])
sealer = Sealer(bytes(32))
store = open_store(Path(sys.argv[1]))
header = Header("file", "name", PARTS * 500, bytes(32), 1)

def receive(txn, parts):
    for part in parts:
        index = int.from_bytes(part.envelope[:4], "big")
        taken = inbox.accept(
            txn, sealer, sender=SENDER, envelope=envelope_id(part.envelope),
            part=Part(ID, index, PARTS, part.envelope[20:], header if index == 0 else None),
            now=1, until_hour=900, octets_limit=10**9,
        )
        if taken.complete:  # the receipt is written with the completion, or again with a repetition
            outbox.compose(txn, sealer, OutboxItem(RECEIPT, SENDER, "receipt", "", 0, 1, 2, reply_to=ID))

async def step():
    progress = store.read(lambda txn: outbox.progress_of(txn, ID))
    if progress.state == "uploading" and progress.uploaded < PARTS * 500:
        data = content[progress.uploaded : progress.uploaded + 7000]
        await store.write(lambda txn: outbox.upload(txn, sealer, ID, progress.uploaded, data))
    elif progress.state == "uploading":
        await store.write(lambda txn: outbox.begin_sealing(txn, sealer, ID, bytes(32), PARTS))
    elif progress.state == "sealing":
        first = progress.sealed
        data = store.read(lambda txn: outbox.read_content(txn, sealer, ID, first * 500, 8 * 500))
        made = [
            (first + n).to_bytes(4, "big") + os.urandom(16) + data[n * 500 : n * 500 + 500]
            for n in range(len(data) // 500)
        ]
        await store.write(lambda txn: outbox.add_envelopes(txn, ID, first, made, 1))
    elif progress.pending:
        parts = store.read(lambda txn: deliveries.pending(txn, ID, 8))
        await store.write(lambda txn: receive(txn, parts))
        # Killed here, the parts go out a second time.
        await store.write(lambda txn: deliveries.place_direct(txn, ID, [part.part for part in parts]))
    else:
        os.write(1, b"#")
        await trio.sleep_forever()
    os.write(1, b".")

async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        while True:
            await step()

content = bytes(range(256)) * (PARTS * 500 // 256 + 1)
content = content[: PARTS * 500]
trio.run(main)
"""


@pytest.mark.slow
def test_an_item_arrives_whole_and_once_through_kills(tmp_path: Path) -> None:
    sealer = Sealer(bytes(32))
    content = (bytes(range(256)) * (SIZE // 256 + 1))[:SIZE]
    store = open_store(tmp_path)
    item = OutboxItem(ID, b"c" * 32, "file", "name", SIZE, 1, 2)
    store.write_now(lambda txn: outbox.compose(txn, sealer, item))
    store.close()
    kills = 0
    while run_until_steps(tmp_path, 2 + kills % 5):
        kills += 1
    assert kills >= ROUNDS
    store = open_store(tmp_path)
    progress = store.read(lambda txn: outbox.progress_of(txn, ID))
    assert (progress.state, progress.direct, progress.held) == ("sending", PARTS, 0)
    assert store.read(lambda txn: txn.count(OUTBOX_PENDING)) == 0
    assert store.read(lambda txn: deliveries.pending(txn, ID, 9)) == []
    [(arrived, arrival)] = store.read(lambda txn: inbox.list_all(txn, sealer))
    assert arrival.complete and arrival.octets == SIZE
    assert b"".join(store.read(lambda txn: inbox.read_parts(txn, sealer, arrived.id, 0, PARTS))) == content
    assert store.read(inbox.used_octets) == SIZE and store.read(inbox.count_unseen) == 1
    receipts = [row for row, _ in store.read(lambda txn: outbox.list_all(txn, sealer)) if row.reply_to]
    assert [receipt.id for receipt in receipts] == [RECEIPT]
    store.close()


def run_until_steps(folder: Path, steps: int) -> bool:
    """Kill the child after so many steps, at any point of the next; False when it said that it was done."""
    command = [sys.executable, "-c", CHILD, folder, str(PARTS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdout is not None
        said = b""
        while len(said) < steps and b"#" not in said:
            more = os.read(child.stdout.fileno(), steps - len(said))
            assert more, "the child ended by itself"
            said += more
        child.send_signal(signal.SIGKILL)
    return b"#" not in said
