from __future__ import annotations

from dataclasses import replace

from appliance.protocol.vault import Change, Put, Read, Remove
from appliance.service.account_hooks import Hooks
from appliance.service.caller import Caller
from appliance.service.dispatch import Dispatching
from appliance.service.relay import Relay
from appliance.service.vault import TOMB_HOURS, Vault
from appliance.store import vault as rows
from appliance.store.schema import VAULT_DOOMED, VAULT_INDEX, VAULT_RECORDS
from tests.services import House, refused

ADA = Caller(b"A" * 16, "ada", "member", b"S" * 16, b"D" * 16)
BOB = Caller(b"B" * 16, "bob", "member", b"T" * 16)


def open_vault(house: House, **settings: object) -> Vault:
    config = replace(house.config, **settings)
    relay = Relay(house.store, config, house.clock, house.host)
    return Vault(
        house.store, config, house.clock, Dispatching(house.store, house.ring, config, house.clock, relay)
    )


def rid(number: int) -> bytes:
    return number.to_bytes(16, "big")


async def fill(vault: Vault, count: int, caller: Caller = ADA) -> None:
    await vault.change(caller, Change(put=[Put(rid(number), 0, b"sealed") for number in range(count)]))


async def test_another_device_hears_of_a_change_after_it_is_durable_and_reads_it(house: House) -> None:
    vault = open_vault(house)
    heard: list[tuple[bytes, int, bytes | None]] = []

    def listen(account: bytes, revision: int, device: bytes | None) -> None:
        assert house.store.read(lambda txn: rows.figures(txn, account)).revision == revision
        heard.append((account, revision, device))

    vault.on_changed = listen
    assert (await vault.change(ADA, Change(put=[Put(rid(1), 0, b"one")]))).revision == 1
    assert (await vault.change(ADA, Change(remove=[Remove(rid(1), 1)]))).revision == 2
    assert (await vault.change(ADA, Change())).revision == 2
    with refused("vault_conflict"):
        await vault.change(ADA, Change(put=[Put(rid(1), 1, b"late")]))
    assert heard == [(ADA.account, 1, ADA.device), (ADA.account, 2, ADA.device)]
    page = await vault.changes(ADA, 1)
    assert (page.revision, page.more) == (2, False)
    assert [(one.id, one.version, one.data) for one in page.records] == [(rid(1), 2, None)]
    assert (await vault.changes(BOB, 0)).records == []
    assert [one.data for one in (await vault.read(ADA, Read([rid(1), rid(2)]))).records] == [None]


async def test_the_limit_is_a_setting_that_holds_at_once(house: House) -> None:
    vault = open_vault(house, vault_octets=100)
    with refused("vault_full"):
        await vault.change(ADA, Change(put=[Put(rid(1), 0, bytes(37))]))
    await vault.change(ADA, Change(put=[Put(rid(1), 0, bytes(36))]))
    page = await vault.changes(ADA, 0)
    assert (page.octets, page.octets_limit) == (100, 100)
    vault.configure(replace(house.config, vault_octets=1000))
    await vault.change(ADA, Change(put=[Put(rid(1), 1, bytes(37))]))


async def test_removals_are_remembered_for_a_month(house: House) -> None:
    vault = open_vault(house)
    await fill(vault, 3)
    await vault.change(ADA, Change(remove=[Remove(rid(0), 1)]))
    house.clock.pass_hours(TOMB_HOURS)
    assert await vault.sweep() == 0
    assert len((await vault.changes(ADA, 1)).records) == 1
    house.clock.pass_hours(1)
    assert await vault.sweep() == 1
    with refused("vault_old"):
        await vault.changes(ADA, 1)
    assert len((await vault.changes(ADA, 0)).records) == 2
    assert (await vault.changes(ADA, 2)).records == []


async def test_the_sweep_comes_to_every_account_in_turn(house: House, monkeypatch) -> None:
    monkeypatch.setattr("appliance.service.vault.SWEEP_ACCOUNTS", 2)
    vault = open_vault(house)
    callers = [replace(ADA, account=bytes((number,)) * 16) for number in range(5)]
    for caller in callers:
        await fill(vault, 1, caller)
        await vault.change(caller, Change(remove=[Remove(rid(0), 1)]))
    house.clock.pass_hours(TOMB_HOURS + 1)
    assert [await vault.sweep() for _ in range(4)] == [2, 2, 1, 0]


async def test_a_deleted_account_leaves_nothing_behind(house: House) -> None:
    vault = open_vault(house, sweep_batch=10)
    await fill(vault, 25)
    await fill(vault, 1, BOB)
    hooks = Hooks()
    vault.join(hooks)
    told = house.store.read(lambda txn: [each(txn, ADA.account, "ada") for each in hooks.export])
    assert told == [{"vault_records": 25, "vault_octets": 25 * (6 + rows.RECORD_COST)}]
    used = house.store.read(lambda txn: [each(txn, ADA.account) for each in hooks.octets])
    assert used == [25 * (6 + rows.RECORD_COST)]
    await house.store.write(lambda txn: [each(txn, ADA.account, "ada") for each in hooks.forget])
    with refused("busy"):
        await vault.changes(ADA, 0)
    while await vault.sweep():
        pass
    for table in (VAULT_INDEX, VAULT_RECORDS):
        assert house.store.read(lambda txn, table=table: txn.count(table)) == 1
    assert house.store.read(lambda txn: txn.count(VAULT_DOOMED)) == 0
    assert (await vault.changes(ADA, 0)).revision == 0
