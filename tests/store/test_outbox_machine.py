"""Random histories of one item's parts, with crashes: each part is placed once, counters are exact."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.store import deliveries, outbox
from appliance.store.deliveries import route_key
from appliance.store.engine import Store
from appliance.store.outbox import OutboxItem
from appliance.store.schema import OUTBOX_NEXT, open_store
from appliance.store.storekey import Sealer

ID = b"i" * 16
NOW = 1_700_000_000
ROUTES = [route_key(bytes((n,)) * 32, bytes(20)) for n in range(3)]
WANTED = 2
CONTENT = bytes(range(256)) * 4
some_parts = st.lists(st.integers(0, 7), max_size=6)


class Outbox(RuleBasedStateMachine):
    """One item of eight parts; every rule may be the repetition of an earlier one after a crash."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.sealer = Sealer(bytes(32))
        self.store: Store = open_store(Path(self.folder.name), reserve=65536)
        self.hour = 1000
        self.envelopes: list[bytes] = []
        self.direct: set[int] = set()
        self.holders: dict[int, dict[bytes, int]] = {}
        self.pending: set[int] = set()
        self.next_try = 0
        item = OutboxItem(ID, b"c" * 32, "file", "name", len(CONTENT), NOW, NOW + 999)
        self.store.write_now(lambda txn: outbox.compose(txn, self.sealer, item))
        self.state = "uploading"

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule()
    def crash(self) -> None:
        self.store.close()
        self.store = open_store(Path(self.folder.name), reserve=65536)

    @precondition(lambda self: self.state == "uploading")
    @rule(offset=st.integers(0, len(CONTENT)), length=st.integers(0, len(CONTENT)))
    def upload(self, offset: int, length: int) -> None:
        here = self.store.read(lambda txn: outbox.progress_of(txn, ID)).uploaded
        offset = min(offset, here)
        data = CONTENT[offset : offset + length]
        new = self.store.write_now(lambda txn: outbox.upload(txn, self.sealer, ID, offset, data))
        assert new == max(here, offset + len(data))

    @precondition(lambda self: self.state in ("uploading", "sealing"))
    @rule()
    def begin_sealing(self) -> None:
        if self.store.read(lambda txn: outbox.progress_of(txn, ID)).uploaded == len(CONTENT):
            self.store.write_now(lambda txn: outbox.begin_sealing(txn, self.sealer, ID, bytes(32), 8))
            content = self.store.read(lambda txn: outbox.read_content(txn, self.sealer, ID, 0, 9999))
            assert content == CONTENT
            self.state = "sealing"

    @precondition(lambda self: self.state in ("sealing", "sending"))
    @rule(back=st.integers(0, 3), count=st.integers(1, 8))
    def seal(self, back: int, count: int) -> None:
        first = max(0, len(self.envelopes) - back)
        made = [os.urandom(32) for _ in range(count)]  # sealing is random: a second try differs
        self.store.write_now(lambda txn: outbox.add_envelopes(txn, ID, first, made, NOW))
        if self.state == "sealing":
            self.envelopes += made[len(self.envelopes) - first :]
            del self.envelopes[8:]
            if len(self.envelopes) == 8:
                self.state, self.pending, self.next_try = "sending", set(range(8)), NOW

    @precondition(lambda self: self.state == "sending")
    @rule(parts=some_parts)
    def place_direct(self, parts: list[int]) -> None:
        self.store.write_now(lambda txn: deliveries.place_direct(txn, ID, parts))
        self.direct |= set(parts)
        self.pending -= set(parts)

    @precondition(lambda self: self.state == "sending")
    @rule(parts=some_parts, route=st.integers(0, 2), ttl=st.integers(1, 5))
    def place_at(self, parts: list[int], route: int, ttl: int) -> None:
        until = self.hour + ttl
        self.store.write_now(
            lambda txn: deliveries.place_at(txn, ID, parts, ROUTES[route], until, WANTED, self.hour)
        )
        for part in set(parts) - self.direct:
            live = {key: hour for key, hour in self.holders.get(part, {}).items() if hour > self.hour}
            self.holders[part] = live | {ROUTES[route]: until}
            if len(self.holders[part]) >= WANTED:
                self.pending.discard(part)

    @precondition(lambda self: self.state == "sending")
    @rule(hours=st.integers(1, 3), limit=st.integers(1, 9))
    def pass_hours(self, hours: int, limit: int) -> None:
        self.hour += hours
        after: int | None = -1
        while after is not None:
            after = self.store.write_now(
                lambda txn, after=after: deliveries.revive(txn, ID, WANTED, self.hour, limit, after)
            )
        for part in set(range(8)) - self.direct:
            if sum(hour > self.hour for hour in self.holders.get(part, {}).values()) < WANTED:
                self.pending.add(part)
        live = [
            hour
            for part, holders in self.holders.items()
            for hour in holders.values()
            if part not in self.direct and hour > self.hour
        ]
        assert self.progress().expires_hour == min(live, default=0)

    @precondition(lambda self: self.state == "sending")
    @rule(seconds=st.integers(0, 50))
    def postpone(self, seconds: int) -> None:
        self.next_try = NOW + seconds
        self.store.write_now(lambda txn: deliveries.postpone(txn, ID, self.next_try, "word"))

    def progress(self) -> outbox.Progress:
        return self.store.read(lambda txn: outbox.progress_of(txn, ID))

    @invariant()
    def agrees(self) -> None:
        progress = self.progress()
        assert progress.state == self.state
        assert progress.sealed == len(self.envelopes)
        if self.state != "sending":
            return
        assert progress.direct == len(self.direct)
        assert progress.pending == len(self.pending) and progress.held >= 0
        rows = self.store.read(lambda txn: deliveries.pending(txn, ID, 99))
        assert [row.part for row in rows] == sorted(self.pending)
        assert [row.envelope for row in rows] == [self.envelopes[row.part] for row in rows]
        assert progress.next_try == self.next_try
        assert self.store.read(lambda txn: txn.count(OUTBOX_NEXT)) == 1
        assert self.store.read(deliveries.next_due) == self.next_try


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
