"""Random histories of mailboxes against a plain model: nothing lost, nothing twice, counters exact."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.protocol.envelope import envelope_id
from appliance.protocol.mailbox import mailbox_id
from appliance.store import counters, grants, mailboxes
from appliance.store.grants import grant_id
from appliance.store.mailboxes import Bounds, Limits
from appliance.store.schema import BODIES, EXPIRY, INDEX, RECLAIM, open_store
from appliance.store.sweep import sweep

KEYS = [bytes((number,)) * 32 for number in range(3)]
GRANTS = [grant_id(b"owner"), grant_id(b"self")]
LIMITS = Limits(Bounds(6, 9000), Bounds(4, 9000), 15_000)
GRANT_OCTETS = 12_000
LONGEST = 4
boxes = st.integers(0, 2)


@dataclass
class Box:
    """What a mailbox should hold: envelopes in order of arrival with their hour; which came for longest."""

    grant: int
    live: dict[bytes, int] = field(default_factory=dict)
    longest: set[bytes] = field(default_factory=set)


class Mailboxes(RuleBasedStateMachine):
    """Three mailboxes under two grants; hours pass, and four are the longest time."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(mailboxes, "LONGEST_HOURS", LONGEST)
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name), reserve=65536)
        self.now = 100
        self.boxes: dict[int, Box] = {}

        def setup(txn):  # type: ignore[no-untyped-def]
            for grant, origin in zip(GRANTS, ("owner", "self"), strict=True):
                grants.create(
                    txn,
                    grant,
                    origin=origin,
                    mailboxes=5,
                    octets=GRANT_OCTETS,
                    now_hour=1,
                    expires_hour=10**6,
                )

        self.store.write_now(setup)

    def teardown(self) -> None:
        self.patch.undo()
        self.store.close()
        self.folder.cleanup()

    def octets(self, *, box: int | None = None, grant: int | None = None) -> int:
        """Octets the store counts: expired ones until they are swept."""
        return sum(
            len(envelope)
            for name, each in self.boxes.items()
            if box in (None, name) and grant in (None, each.grant)
            for envelope in each.live
        )

    @rule(box=boxes, grant=st.integers(0, 1))
    def create(self, box: int, grant: int) -> None:
        found = self.boxes.get(box)
        if found is not None and found.grant != grant:
            return  # moving between grants has its own test
        self.store.write_now(
            lambda txn: mailboxes.create(
                txn,
                fetch_key=KEYS[box],
                capability_hash=KEYS[box],
                kind="contact",
                grant=GRANTS[grant],
                now_hour=self.now,
            )
        )
        self.boxes.setdefault(box, Box(grant))

    @rule(
        box=boxes,
        ttl=st.integers(0, LONGEST),
        contents=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([960, 1984])), min_size=1, max_size=5),
    )
    def deposit(self, box: int, ttl: int, contents: list[tuple[int, int]]) -> None:
        envelopes = [bytes((1, number)) + bytes(size - 2) for number, size in contents]
        outcomes = self.store.write_now(
            lambda txn: mailboxes.deposit(
                txn, mailbox_id(KEYS[box]), KEYS[box], envelopes, self.now + ttl, LIMITS, self.now
            )
        )
        found = self.boxes.get(box)
        late: list[bytes] = []  # what had expired here unswept arrives after the others of its batch
        for envelope, outcome in zip(envelopes, outcomes, strict=True):
            if found is None:
                assert outcome.state == "no_mailbox"
            elif outcome.state == "held":
                before = found.live.pop(envelope, -1)
                assert before < self.now
                late += [envelope] * (before >= 0)
                found.live[envelope] = self.now + ttl
                (found.longest.add if ttl == LONGEST else found.longest.discard)(envelope)
                assert outcome.expires_hour == self.now + ttl
            elif outcome.state == "already held":
                assert found.live[envelope] == outcome.expires_hour >= self.now
            else:
                # The room is that before the envelope; nothing is refused that certainly fits.
                stale = envelope in found.live and found.live[envelope] < self.now
                if stale:
                    del found.live[envelope]
                size = len(envelope)
                assert (
                    len(found.live) >= LIMITS.contact.envelopes
                    or self.octets(box=box) + size > LIMITS.contact.octets
                    or self.octets(grant=found.grant) + size > GRANT_OCTETS
                    or (found.grant == 0 and self.octets(grant=0) + size > LIMITS.relay_octets)
                )
        for envelope in late:
            assert found is not None
            found.live[envelope] = found.live.pop(envelope)

    @precondition(lambda self: self.boxes)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        box = data.draw(st.sampled_from(sorted(self.boxes)))
        live = self.boxes[box].live
        chosen = data.draw(st.lists(st.sampled_from(list(live)), unique=True)) if live else []
        ids = [envelope_id(envelope) for envelope in chosen]
        done = self.store.write_now(lambda txn: mailboxes.acknowledge(txn, mailbox_id(KEYS[box]), ids))
        assert done == len(chosen)
        for envelope in chosen:
            del live[envelope]

    @precondition(lambda self: self.boxes)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        box = data.draw(st.sampled_from(sorted(self.boxes)))
        assert self.store.write_now(lambda txn: mailboxes.delete(txn, mailbox_id(KEYS[box])))
        del self.boxes[box]

    @rule(hours=st.integers(1, 3))
    def pass_hours(self, hours: int) -> None:
        self.now += hours

    @rule(limit=st.integers(1, 4))
    def sweep_once(self, limit: int) -> None:
        self.store.write_now(lambda txn: sweep(txn, self.now, limit))
        for box, found in self.boxes.items():  # which expired ones went is the sweep's choice
            record = self.store.read(lambda txn, box=box: mailboxes.find(txn, mailbox_id(KEYS[box])))
            index = self.store.read(lambda txn, box=box: list(txn.keys(INDEX, mailbox_id(KEYS[box]))))
            ids = {key[20:] for key in index if key.startswith(mailbox_id(KEYS[box]))}
            for envelope in list(found.live):
                if envelope_id(envelope) not in ids:
                    assert found.live.pop(envelope) < self.now
            assert record is not None and record.held == len(found.live)

    @rule()
    def sweep_all(self) -> None:
        while self.store.write_now(lambda txn: sweep(txn, self.now, 7)):
            pass
        for found in self.boxes.values():
            found.live = {envelope: hour for envelope, hour in found.live.items() if hour >= self.now}
        held = sum(len(found.live) for found in self.boxes.values())
        shorter = sum(len(found.live.keys() - found.longest) for found in self.boxes.values())
        counts = self.store.read(lambda txn: [txn.count(t) for t in (BODIES, INDEX, EXPIRY, RECLAIM)])
        assert counts == [held, held, shorter, 0]

    @invariant()
    def agrees(self) -> None:
        for box, found in self.boxes.items():
            fetched, more = self.store.read(
                lambda txn, box=box: mailboxes.fetch(txn, mailbox_id(KEYS[box]), 0, 100, self.now)
            )
            expected = [(e, hour) for e, hour in found.live.items() if hour >= self.now]
            assert [(each.envelope, each.expires_hour) for each in fetched] == expected and not more
            record = self.store.read(lambda txn, box=box: mailboxes.find(txn, mailbox_id(KEYS[box])))
            assert record is not None
            assert (record.held, record.octets) == (len(found.live), self.octets(box=box))
        for number, grant in enumerate(GRANTS):
            given = self.store.read(lambda txn, grant=grant: grants.find(txn, grant))
            assert given is not None and given.octets == self.octets(grant=number)
            assert given.mailboxes == sum(found.grant == number for found in self.boxes.values())
        load = self.store.read(counters.load)
        hours: dict[int, int] = {}
        for found in self.boxes.values():
            for hour in found.live.values() if found.grant == 0 else ():
                hours[hour] = hours.get(hour, 0) + 1
        assert [(hour, count) for hour, count, _ in load.hours] == sorted(hours.items())
        assert (load.held, load.octets) == (sum(hours.values()), self.octets(grant=0))


TestMailboxes = Mailboxes.TestCase
TestMailboxes.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
