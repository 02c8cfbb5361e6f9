"""Power goes while members' envelopes travel: what was answered for arrives, and nothing comes twice."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROUNDS = 15
SECONDS = 0.7
ROOT = Path(__file__).parent.parent.parent

CHILD = """
import os, sys, time, trio
from pathlib import Path
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.envelope import envelope_id
from appliance.protocol.post import Settle
from appliance.store import legs, places
from tests.posts import Far, carry, dispatch, member, posts, routes_of
from tests.services import Time, envelope

ADA, BOB, CLEO = member("ada"), member("bob"), member("cleo")
ENDING = sys.argv[2] == "end"

def say(word, one):
    os.write(1, word + envelope_id(one))

async def send(a, b, routes, near):
    while not ENDING:
        sent = [envelope() for _ in range(3)]
        try:
            await a.post.dispatch.send(ADA, dispatch(routes, near, envelopes=sent))
        except Refusal as refusal:
            assert refusal.code == "outbox_full", refusal
            await trio.sleep(0.05)
            continue
        for one in sent:
            say(b"+", one)
        await trio.sleep(0.002)

async def carry_on(a, far, address):
    turn = 0
    while True:
        turn += 1
        far.off = {address} if turn % 3 else set()
        far.lose_answers = turn % 2
        await a.post.carrier.hasten()
        await carry(a)
        await trio.sleep(0.001)

async def collect(b):
    while True:
        await b.post.collection.collect()
        await b.relay.sweep()
        await trio.sleep(0.001)

async def read(house, who, got, gone):
    while True:
        found = (await house.post.queue.read(who, 0, 8)).envelopes
        for one in found:
            say(got, one.envelope)
        await house.post.queue.settle(who, Settle([one.number for one in found]))
        for one in found:
            say(gone, one.envelope)
        await trio.sleep(0.001)

async def main():
    far = Far()
    wide = {"relays_wanted": 1, "contact_envelopes": 100000, "contact_octets": 10**9,
            "dispatch_envelopes": 300}
    async with posts(Path(sys.argv[1]), Time(time.time()), far, "a", "b", "relay", **wide) as (a, b, relay):
        if not b.house.store.read(lambda txn: places.list_relays(txn, b.house.ring.require())):
            await b.use(relay)
        await routes_of(b, BOB)
        await b.post.mailboxes.settle()
        routes, near = await routes_of(b, BOB), await routes_of(a, CLEO)
        assert len(routes) == 2
        os.write(1, b"!" + bytes(16))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, a, b, routes, near)
            nursery.start_soon(carry_on, a, far, onion.address(b.onion))
            nursery.start_soon(collect, b)
            nursery.start_soon(read, b, BOB, b"f", b"-")
            nursery.start_soon(read, a, CLEO, b"n", b"=")
            if ENDING:
                while a.house.store.read(legs.list_all):
                    await trio.sleep(0.05)
                for _ in range(3):
                    await b.post.collection.collect()
                await trio.sleep(0.5)
                os.write(1, b"#" + bytes(16))
                await trio.sleep_forever()

trio.run(main)
"""


@pytest.mark.slow
def test_what_was_answered_arrives_once_through_kills(tmp_path: Path) -> None:
    said: list[tuple[bytes, bytes]] = []
    for _ in range(ROUNDS):
        said += run(tmp_path, SECONDS * random.uniform(0.2, 1.0))
    said += run(tmp_path, 120, end=True)
    assert said[-1][0] == b"#"
    sent = [id for word, id in said if word == b"+"]
    assert len(sent) > 200
    for got, gone in ((b"f", b"-"), (b"n", b"=")):
        arrived = {id for word, id in said if word == got}
        assert set(sent) <= arrived
        settled: set[bytes] = set()
        for word, id in said:
            assert word != got or id not in settled, "an envelope came again after it was settled"
            if word == gone:
                settled.add(id)


def run(folder: Path, seconds: float, end: bool = False) -> list[tuple[bytes, bytes]]:
    """Let the child work for so long once it is ready, kill it, and tell what it said."""
    command = [sys.executable, "-c", CHILD, str(folder), "end" if end else "go"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT) as child:
        assert child.stdout is not None
        assert os.read(child.stdout.fileno(), 17) == b"!" + bytes(16)
        if end:
            said = b""
            while not said.endswith(b"#" + bytes(16)):
                more = os.read(child.stdout.fileno(), 65_536)
                assert more, "the child ended by itself"
                said += more
            child.send_signal(signal.SIGKILL)
        else:
            timer = time.monotonic() + seconds
            said = _read_until(child, timer)
    whole = said[: len(said) // 17 * 17]
    return [(whole[at : at + 1], whole[at + 1 : at + 17]) for at in range(0, len(whole), 17)]


def _read_until(child: subprocess.Popen[bytes], deadline: float) -> bytes:
    """What the child says until the deadline, when it is killed, and what was still in the pipe."""
    assert child.stdout is not None
    said = b""
    killed = False
    while True:
        left = max(0.0, deadline - time.monotonic())
        if not killed and left == 0:
            child.send_signal(signal.SIGKILL)
            killed = True
        ready, _, _ = select.select([child.stdout], [], [], None if killed else left)
        if ready:
            more = os.read(child.stdout.fileno(), 65_536)
            if not more:
                return said
            said += more
