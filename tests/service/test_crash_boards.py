"""Power goes while members post, edit and delete and the index follows: what was answered is there, and all
indexes agree with the log."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from appliance.protocol import board as wire
from appliance.service import words
from appliance.store import board_index, boards, logs
from appliance.store.schema import BOARD_ACTIVITY, BOARD_INDEXED, BOARD_POSTS, BOARD_THREADS, BOARD_VERSIONS
from appliance.store.storekey import Sealer
from appliance.store.transaction import Transaction
from tests.boards import BOARD, BoardHouse, postings
from tests.services import Time, opened

ROUNDS = 12
SECONDS = 0.6
LINE = 33

# Eight writers post in threads of their own, edit and delete; the index runs beside them. A line is written
# for each that was answered: what was done, and the post's id and number.
CHILD = """
import os, random, sys, trio
from dataclasses import replace
from pathlib import Path
from appliance.protocol import board as wire
from tests.boards import BOARD, BoardHouse, postings
from tests.services import Time, opened

def tell(word, id, body):
    os.write(1, word + id + body)

async def write(box, ada, word):
    thread = await box.post(ada, "begin", subject="Subject")
    tell(b"+", thread, b"begin".ljust(16))
    while True:
        body = "word%d" % random.randrange(50)
        id = await box.post(ada, body, thread)
        tell(b"+", id, body.encode().ljust(16))
        chance = random.random()
        if chance < 0.3:
            body = "edit%d" % random.randrange(50)
            await box.edit(ada, id, body)
            tell(b"~", id, body.encode().ljust(16))
        elif chance < 0.5:
            await box.delete(ada, id)
            tell(b"-", id, bytes(16))

async def main():
    async with opened(Path(sys.argv[1]), Time()) as house:
        house.config = replace(house.config, posts_minute=1 << 40)
        box = BoardHouse(house)
        ada = await box.author("ada%d" % random.randrange(1 << 30), "owner")
        await box.boards.make(ada.caller, wire.NewBoard(BOARD, "Garden"))
        async with trio.open_nursery() as nursery:
            os.write(1, b"!" + bytes(32))
            for number in range(8):
                nursery.start_soon(write, box, ada, number)
            while True:
                if not await box.search.step():
                    await trio.sleep(0.001)

trio.run(main)
"""


@pytest.mark.slow
async def test_answered_posts_are_there_and_indexes_agree(tmp_path: Path) -> None:
    said: dict[bytes, str | None] = {}
    for _ in range(ROUNDS):
        lines = await trio.to_thread.run_sync(run_and_kill, tmp_path / "data")
        for line in lines:
            said[line[1:17]] = None if line[:1] == b"-" else line[17:].decode().strip()
        async with opened(tmp_path / "data", Time()) as house:
            box = BoardHouse(house)
            sealer = house.ring.require()
            house.store.read(lambda txn, sealer=sealer: check(txn, sealer, said))
            await box.index()
            house.store.read(lambda txn, sealer=sealer: check_index(txn, sealer))
    assert len(said) > ROUNDS * 10


def run_and_kill(folder: Path) -> list[bytes]:
    """Lines that the child wrote before it was killed under load."""
    with subprocess.Popen([sys.executable, "-c", CHILD, folder], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(LINE) == b"!" + bytes(32)
        try:
            child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        output = child.stdout.read()
    assert child.returncode == -signal.SIGKILL
    return [output[at : at + LINE] for at in range(0, len(output) - LINE + 1, LINE)]


def newest(txn: Transaction, sealer: Sealer, id: bytes) -> str | None:
    """What a post says now; None when it was removed."""
    number = logs.number_of(txn, BOARD, id)
    assert number is not None, "answered and lost"
    entry = logs.get(txn, sealer, BOARD, number)
    assert entry is not None
    if entry.body is None:
        return None
    post = wire.value_of(entry.body)
    assert isinstance(post, wire.Post)
    newest = boards.newest_edit(txn, BOARD, post.thread or post.id, number)
    edit = logs.get(txn, sealer, BOARD, newest) if newest else None
    value = post if edit is None or edit.body is None else wire.value_of(edit.body)
    assert isinstance(value, wire.Post | wire.Edit)
    return value.body


def check(txn: Transaction, sealer: Sealer, said: dict[bytes, str | None]) -> None:
    """Everything that was answered is there; a change that was under way may be there as well."""
    for id, body in said.items():
        now = newest(txn, sealer, id)
        assert now == body or (body is not None and (now is None or now.startswith("edit")))
    head, row = logs.require(txn, BOARD), boards.find(txn, sealer, BOARD)
    entries = list(logs.scan(txn, BOARD))
    assert [entry.number for entry in entries] == list(range(1, head.last + 1)) and row is not None
    posts = sum(entry.kind == wire.KINDS["post"][0] for entry in entries)
    others = len(entries) - posts
    assert (row.posts, row.threads) == (posts, txn.count(BOARD_THREADS))
    assert txn.count(BOARD_ACTIVITY) == row.threads
    threads = boards.list_threads(txn, sealer, BOARD, None, 1000)
    assert txn.count(BOARD_POSTS) == posts + others - sum(len(thread.fresh) for thread in threads)
    assert txn.count(BOARD_VERSIONS) == sum(entry.kind == wire.KINDS["edit"][0] for entry in entries)
    for thread in threads:
        numbers = [post.number for post in boards.list_posts(txn, BOARD, thread, 0, None, 20_000)]
        assert (len(numbers), numbers[-1]) == (thread.posts, thread.last)


def check_index(txn: Transaction, sealer: Sealer) -> None:
    """The index has the words of every post as it stands, and no others."""
    right: dict[str, list[int]] = {}
    count = 0
    for entry in logs.scan(txn, BOARD):
        if entry.kind != wire.KINDS["post"][0]:
            continue
        text = newest(txn, sealer, entry.id)
        if text is None:
            continue
        count += 1
        for word in words.weights(text):
            right.setdefault(word, []).append(entry.number)
    assert board_index.mark(txn, BOARD).posts == txn.count(BOARD_INDEXED) == count
    for word in [f"word{n}" for n in range(50)] + [f"edit{n}" for n in range(50)]:
        assert list(postings(txn, sealer, word)) == right.get(word, [])
