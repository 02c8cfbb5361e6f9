"""Random histories of one vault: whoever follows it has its true picture, or is told to read everything."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from appliance.errors import Refusal
from appliance.protocol.vault import Change, Put, Remove
from appliance.store import vault
from appliance.store.engine import Transaction
from appliance.store.schema import VAULT_INDEX, VAULT_RECORDS, VAULT_TOMBS, open_store

ADA = b"A" * 16
LIMIT = 12 * (vault.RECORD_COST + 40)
records = st.integers(0, 11)
readers = st.integers(0, 2)


def rid(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Reader:
    """A device that was away: what it has, and the revision it has it from."""

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        self.has: dict[bytes, tuple[int, bytes]] = {}
        self.at = 0
        self.began = 0


class Vault(RuleBasedStateMachine):
    """Twelve records, three readers that follow page by page; hours pass and old removals are forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name))
        self.hour = 1000
        self.live: dict[int, tuple[int, bytes]] = {}
        self.tombs: dict[int, int] = {}
        self.readers = [Reader() for _ in range(3)]

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def version(self, number: int) -> int:
        return self.live[number][0] if number in self.live else self.tombs.get(number, 0)

    @rule(
        put=st.dictionaries(records, st.binary(max_size=40), max_size=5),
        remove=st.sets(records, max_size=3),
        wrong=st.sets(records, max_size=1),
    )
    def change(self, put: dict[int, bytes], remove: set[int], wrong: set[int]) -> None:
        remove = remove - put.keys()
        base = {number: self.version(number) + (number in wrong) for number in put.keys() | remove}
        wanted = Change(
            [Put(rid(number), base[number], data) for number, data in put.items()],
            [Remove(rid(number), base[number]) for number in remove],
        )
        conflicts = {rid(n) for n in (put.keys() | remove) & wrong} | {
            rid(n) for n in remove - self.live.keys()
        }
        after = {**self.live, **{number: (0, data) for number, data in put.items()}}
        octets = [
            sum(len(d) + vault.RECORD_COST for _, d in each.values())
            for each in ({n: v for n, v in after.items() if n not in remove}, self.live)
        ]
        try:
            self.store.write_now(lambda txn: vault.change(txn, ADA, wanted, LIMIT, self.hour))
        except Refusal as refusal:
            if refusal.code == "vault_conflict":
                assert set(refusal.details["ids"]) == conflicts != set()
            else:
                assert refusal.code == "vault_full" and octets[0] > LIMIT and octets[0] > octets[1]
            return
        assert not conflicts
        for number in remove:
            self.tombs[number] = base[number] + 1
            del self.live[number]
        for number, data in put.items():
            self.live[number] = (base[number] + 1, data)
            self.tombs.pop(number, None)

    @rule(hours=st.integers(1, 3))
    def pass_hours(self, hours: int) -> None:
        self.hour += hours

    @rule(age=st.integers(0, 4))
    def forget_removals(self, age: int) -> None:
        self.store.write_now(lambda txn: vault.sweep_tombs(txn, [ADA], self.hour - age, 3))
        page = self.store.read(lambda txn: vault.changes(txn, ADA, 0, 0, 1 << 30))
        there = {int.from_bytes(one.id, "big") for one in page.records if one.data is None}
        self.tombs = {number: version for number, version in self.tombs.items() if number in there}

    @rule(number=readers, octets=st.sampled_from([1, 200, 1 << 20]))
    def follow_one_page(self, number: int, octets: int) -> None:
        reader = self.readers[number]
        try:
            page = self.store.read(lambda txn: vault.changes(txn, ADA, reader.at, reader.began, octets))
        except Refusal as refusal:
            assert refusal.code == "vault_old"
            reader.start_over()
            return
        reader.began = reader.began or page.head.revision
        for one in page.records:
            if one.data is None:
                reader.has.pop(one.id, None)
            else:
                reader.has[one.id] = (one.version, one.data)
        reader.at = page.records[-1].revision if page.more else page.head.revision
        if not page.more:
            # From here on it is up to date, and not in the middle of its first reading.
            reader.began = reader.at
            assert reader.has == {rid(number): value for number, value in self.live.items()}

    @invariant()
    def tables_agree(self) -> None:
        def job(txn: Transaction) -> None:
            head = vault.figures(txn, ADA)
            assert (head.records, head.tombs) == (len(self.live), len(self.tombs))
            assert head.octets == sum(len(data) + vault.RECORD_COST for _, data in self.live.values())
            rows = len(self.live) + len(self.tombs)
            assert txn.count(VAULT_RECORDS) == txn.count(VAULT_INDEX) == rows
            assert txn.count(VAULT_TOMBS) == len(self.tombs)

        self.store.read(job)


TestVault = Vault.TestCase
TestVault.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
