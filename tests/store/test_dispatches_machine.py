"""Dispatches under random histories: the counters always say what the rows say."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from appliance.errors import Refusal
from appliance.protocol.post import Leg
from appliance.protocol.route import Route
from appliance.store import dispatches, legs
from appliance.store.dispatches import Head, Underway
from appliance.store.engine import Transaction
from appliance.store.legs import DispatchKey, LegKey, RouteKey, Target
from appliance.store.schema import (
    DISPATCH_ENVELOPES,
    DISPATCH_HELD,
    DISPATCH_LEGS,
    DISPATCH_NEXT,
    DISPATCH_PENDING,
    open_store,
    prefix_end,
)
from appliance.store.storekey import Sealer

ACCOUNT, DEVICE = b"A" * 16, b"D" * 16
NOW, HOUR = 1_800_000_000, 500_000
ENVELOPES = [bytes([1, n]) + bytes(958) for n in range(4)]
TARGET = Target(b"handle-0", [Route(b"O" * 32, b"M" * 20, b"C" * 32)])
NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True)
IDS = st.integers(0, 2)


class Machine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name), map_size=1 << 24)
        self.sealer = Sealer(bytes(32))
        self.hour = HOUR

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def key(self, id: int) -> DispatchKey:
        return dispatches.key_of(ACCOUNT, bytes([id]) * 16)

    def change(self, leg: LegKey, act) -> None:
        """A step of the carrier: place, and note what became of it."""

        def job(txn: Transaction) -> None:
            try:
                progress = act(txn)
            except Refusal as refusal:
                assert refusal.code == "no_item"
                return
            done = progress.direct == progress.total
            dispatches.note(txn, self.sealer, leg, progress, NOW, done=done)

        self.store.write_now(job)

    @rule(id=IDS, first=NUMBERS, second=NUMBERS)
    def send(self, id: int, first: list[int], second: list[int]) -> None:
        def job(txn: Transaction) -> None:
            if dispatches.find(txn, self.sealer, self.key(id)) is None:
                rows = [Leg(b"handle-%d" % n, "waiting") for n in range(2)]
                underway = {n: Underway(TARGET, each, 4) for n, each in enumerate((first, second))}
                head = Head(NOW, NOW + 3600 * 1000, rows, DEVICE)
                dispatches.add(txn, self.sealer, self.key(id), head, ENVELOPES, underway, NOW)

        self.store.write_now(job)

    @rule(id=IDS, leg=st.integers(0, 1), numbers=NUMBERS)
    def direct(self, id: int, leg: int, numbers: list[int]) -> None:
        at = legs.key_of(self.key(id), leg)
        self.change(at, lambda txn: legs.place_direct(txn, at, self.of(txn, at, numbers)))

    @rule(id=IDS, leg=st.integers(0, 1), numbers=NUMBERS, route=st.integers(0, 2), hours=st.integers(1, 9))
    def relay(self, id: int, leg: int, numbers: list[int], route: int, hours: int) -> None:
        at, key = legs.key_of(self.key(id), leg), RouteKey(bytes([route]) * 8)
        self.change(
            at,
            lambda txn: legs.place_at(
                txn, at, self.of(txn, at, numbers), key, self.hour + hours, 2, self.hour
            ),
        )

    def of(self, txn: Transaction, leg: LegKey, numbers: list[int]) -> list[int]:
        """Those of the numbers that the leg has at all: others are never offered."""
        has = {key[34:] for table in (DISPATCH_PENDING, DISPATCH_HELD) for key in rows(txn, table, leg)}
        return [number for number in numbers if number.to_bytes(2, "big") in has]

    @rule(id=IDS, leg=st.integers(0, 1))
    def revive(self, id: int, leg: int) -> None:
        at = legs.key_of(self.key(id), leg)
        self.change(at, lambda txn: legs.revive(txn, at, 2, self.hour))

    @rule(hours=st.integers(1, 4))
    def wait(self, hours: int) -> None:
        self.hour += hours

    @rule(id=IDS)
    def remove(self, id: int) -> None:
        self.store.write_now(lambda txn: dispatches.remove(txn, self.sealer, self.key(id)))

    @rule()
    def sweep(self) -> None:
        self.store.write_now(lambda txn: dispatches.sweep(txn, NOW + 1, 2))

    @rule()
    def forget(self) -> None:
        def job(txn: Transaction) -> None:
            while dispatches.remove_some(txn, self.sealer, ACCOUNT, 1):
                pass

        self.store.write_now(job)
        for table in (
            dispatches.DISPATCH_LOAD,
            DISPATCH_ENVELOPES,
            DISPATCH_LEGS,
            DISPATCH_HELD,
            DISPATCH_PENDING,
            DISPATCH_NEXT,
        ):
            assert self.store.read(lambda txn, t=table: txn.count(t)) == 0

    @invariant()
    def counters_say_what_the_rows_say(self) -> None:
        if not hasattr(self, "store"):
            return

        def check(txn: Transaction) -> None:
            under_way = legs.list_all(txn)
            assert txn.count(DISPATCH_LEGS) == txn.count(DISPATCH_NEXT) == len(under_way)
            for leg in under_way:
                progress = legs.progress_of(txn, leg)
                assert progress.pending == len(rows(txn, DISPATCH_PENDING, leg)) > -1
                assert 0 <= progress.direct < progress.total
                head = dispatches.find(txn, self.sealer, DispatchKey(leg[:32]))
                assert head is not None
                assert not head.ended
                assert head.legs[legs.number_of(leg)].state in ("waiting", "partly", "relay")
            load = dispatches.load(txn, ACCOUNT)
            stored = [value for _, value in txn.range(DISPATCH_ENVELOPES)]
            assert (load.envelopes, load.octets) == (len(stored), sum(map(len, stored)))
            assert load.done == txn.count(dispatches.DISPATCH_ENDS)

        self.store.read(check)


def rows(txn: Transaction, table, leg: LegKey) -> list[bytes]:
    return list(txn.keys(table, leg, prefix_end(leg)))


TestDispatches = Machine.TestCase
TestDispatches.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
