"""Minimising: after its windows the raw values are gone from the data file; what is needed works on."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from appliance.errors import Refusal
from appliance.protocol.directory import OneTimePrekey
from appliance.protocol.post import Leg
from appliance.service import minimise
from appliance.service.minimise import Minimise
from appliance.store import accounts, coarsen, dispatches, mailboxes, prekeys, queue, scrub, sessions, vault
from appliance.store.dispatches import Head, Underway
from appliance.store.engine import DATA_FILE
from appliance.store.legs import Target
from appliance.store.schema import ACCOUNT_DEVICES, ARRIVAL_HOURS, MAILBOXES, TABLES, VAULT_INDEX, VAULT_TOMBS
from appliance.store.transaction import Transaction
from tests.desks import Desk, desk
from tests.households import HOME
from tests.protocol.test_spec import SPEC
from tests.services import Holder, envelope
from tests.store.test_dispatches import ROUTE

U32 = mailboxes.U32


def minimiser(d: Desk) -> Minimise:
    house = d.home.house
    return Minimise(house.store, house.ring, house.clock, house.config.data)


def file_of(d: Desk) -> bytes:
    return (d.home.house.config.data / DATA_FILE).read_bytes()


async def test_raw_values_are_gone_from_the_file_after_their_window(tmp_path: Path) -> None:
    """Prekeys once used, finished dispatches after a day, hours of devices, removed accounts."""
    async with desk(tmp_path) as d:
        house, bob = d.home.house, await d.join("bob")
        store, sealer, hour = house.store, house.ring.require(), d.clock.hour
        device = os.urandom(16)
        await d.home.people.sign_in.bind(bob, device)
        named = bob.account + device + U32.pack(hour)
        stock = [OneTimePrekey(n, os.urandom(32), os.urandom(1184), os.urandom(64)) for n in range(1, 61)]
        await store.write(lambda txn: prekeys.add(txn, bob.account, device, stock, replace=False))
        taken = [
            await store.write(lambda txn: prekeys.take(txn, bob.account, device, hour)) for _ in range(30)
        ]
        assert taken == stock[:30]

        now, id = int(d.clock()), os.urandom(16)
        sent = [envelope() for _ in range(3)]
        key = dispatches.key_of(bob.account, id)

        def begin(txn: Transaction) -> Head:
            rows = [Leg(b"handle-0", "waiting")]
            head = Head(now, now + 3600, rows, device)
            targets = {0: Underway(Target(b"handle-0", [ROUTE]), [0, 1, 2], 3)}
            return dispatches.add(txn, sealer, key, head, sent, targets, now)

        await store.write(begin)
        await store.write(lambda txn: dispatches.remove(txn, sealer, key))
        gone = {
            **{f"prekey {one.id}": one.key for one in stock[:30]},
            **{f"signature of prekey {one.id}": one.signature for one in stock[:30]},
            "dispatch": bob.account + id,
            "envelope": sent[0],
            "hour of the device": named,
        }
        there = [name for name, value in gone.items() if value in file_of(d)]
        assert len(there) > 10, "LMDB keeps what is deleted"

        d.clock.pass_hours(25)
        done = await minimiser(d).now()
        file = file_of(d)
        assert [name for name, value in gone.items() if value in file] == []
        assert done.blanked and done.pages + done.gaps > 0 and done.coarsened["account_devices"] == 1
        assert all(one.key in file for one in stock[30:]), "those that wait stay"
        (left,) = store.read(lambda txn: [v for k, v in txn.range(ACCOUNT_DEVICES) if k[:16] == bob.account])
        assert left == U32.pack(hour // 24 * 24)


async def test_times_of_sign_ins_accounts_and_codes_become_days(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, house = await d.join("bob"), d.home.house
        machine, store = house.ring.machine, house.store

        def second_factor(txn: Transaction) -> None:
            row = accounts.require(txn, machine, bob.account)
            step = int(d.clock()) // 30
            accounts.save(txn, machine, msgspec.structs.replace(row, totp_step=step))

        await store.write(second_factor)
        row = store.read(lambda txn: sessions.find(txn, machine, bob.session))
        assert row is not None
        await minimiser(d).now()
        assert store.read(lambda txn: sessions.find(txn, machine, bob.session)) == row, "not idle yet"

        d.clock.pass_hours(30)
        _, fresh = await d.home.join("carol")
        done = await minimiser(d).now()
        assert done.coarsened["sessions"] >= 2 and done.coarsened["accounts"] == 2
        old = store.read(lambda txn: sessions.find(txn, machine, bob.session))
        assert old is not None and old.used_hour == row.used_hour // 24 * 24 < row.used_hour
        assert old.until % 86_400 == 0 and 0 <= old.until - row.until < 86_400
        assert old.refresh == row.refresh
        account = store.read(lambda txn: accounts.require(txn, machine, bob.account))
        assert account.created_hour % 24 == 0 and account.totp_step % 2880 == 0
        carol = store.read(lambda txn: sessions.find(txn, machine, fresh.session.session))
        assert carol is not None and carol.used_hour == d.clock.hour, "what is used keeps its hours"
        assert (await minimiser(d).now()).coarsened == {}, "a second time there is nothing to do"
        await d.home.people.sign_in.sign_in(d.people["bob"].sign_in(), HOME)


async def test_a_sign_in_that_is_over_is_not_prolonged(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, house = await d.join("bob"), d.home.house
        d.clock.pass_hours(7 * 24)
        before = house.store.read(lambda txn: sessions.find(txn, house.ring.machine, bob.session))
        await minimiser(d).now()
        assert house.store.read(lambda txn: sessions.find(txn, house.ring.machine, bob.session)) == before


async def test_hours_of_mailboxes_arrivals_and_removals(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        store, day = d.home.house.store, d.clock.hour // 24 * 24
        d.clock.now = (day + 7) * 3600
        await Holder(d.home.house.relay()).create(await d.home.house.grant())
        tomb = b"A" * 16 + bytes(8) + b"R" * 16
        hours = [day - 60, day - 50, day - 49, day - 30, day - 2, day + 7]

        def fill(txn: Transaction) -> None:
            for number, hour in enumerate(hours, 1):
                txn.put(ARRIVAL_HOURS, mailboxes.U64.pack(10 * number), U32.pack(hour))
            txn.put(VAULT_TOMBS, tomb, U32.pack(day - 30))
            txn.put(VAULT_INDEX, tomb[:16] + tomb[24:], vault.PLACE.pack(0, 2, 0, day - 30))

        await store.write(fill)
        d.clock.pass_hours(26)
        await minimiser(d).now()
        marks = store.read(
            lambda txn: [
                (mailboxes.U64.unpack(key)[0], U32.unpack(value)[0])
                for key, value in txn.range(ARRIVAL_HOURS)
            ]
        )
        assert marks == [(10, day - 72), (40, day - 48), (50, day - 2), (60, day + 7)]
        assert store.read(lambda txn: queue.hour_of(txn, 35, day)) == day - 72
        (made,) = store.read(
            lambda txn: [mailboxes.MAILBOX.unpack(value)[2] for _, value in txn.range(MAILBOXES)]
        )
        assert made == day
        assert store.read(lambda txn: txn.get(VAULT_TOMBS, tomb)) == U32.pack(day - 24)
        place = store.read(lambda txn: txn.get(VAULT_INDEX, tomb[:16] + tomb[24:]))
        assert vault.PLACE.unpack(place or b"") == (0, 2, 0, day - 24)


async def test_it_goes_on_over_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimise, "ROWS", 3)
    monkeypatch.setattr(minimise, "PAGES", 64)
    async with desk(tmp_path) as d:
        for number in range(10):
            await d.join(f"m{number}")
        d.clock.pass_hours(48)
        done = await minimiser(d).now()
        assert done.coarsened["accounts"] == 11


async def test_once_a_day_and_never_twice_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        made = minimiser(d)
        assert made.page().second == 0
        await made.look()
        first = made.page().second
        assert first == int(d.clock())
        d.clock.pass_hours(23)
        await made.look()
        assert made.page().second == first
        d.clock.pass_hours(1)
        await made.look()
        assert minimiser(d).page().second == first + 24 * 3600, "durable"

        refusals = []

        async def attempt() -> None:
            try:
                await made.now()
            except Refusal as refusal:
                refusals.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(attempt)
        assert refusals == ["busy", "busy"]


async def test_copies_of_older_versions_go_after_a_week(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        folder, now = d.home.house.config.data, d.clock()
        for name, days in (("store.v1.mdb", 8), ("store.v2.mdb", 6)):
            (folder / name).write_bytes(b"old")
            os.utime(folder / name, (now - days * 86_400,) * 2)
        await minimiser(d).now()
        assert sorted(path.name for path in folder.glob("store.v*")) == ["store.v2.mdb"]


async def test_a_layout_that_is_not_known_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path) as d:
        monkeypatch.setattr(scrub, "_FORMAT", 2)
        done = await minimiser(d).now()
        assert not done.blanked and done.second == int(d.clock())


def test_every_table_was_thought_about() -> None:
    """A new table with times or ids must be decided on: SPEC.md, section 13, names each."""
    decided = SPEC[SPEC.index("**Minimising.**") : SPEC.index("## 14.")]
    missing = [str(table) for table in TABLES if f"`{table}`" not in decided]
    assert not missing, f"decide what is kept of these tables for how long: {missing}"
    assert set(coarsen.COARSENED) <= {str(table) for table in TABLES}
