from __future__ import annotations

import pytest

from appliance.errors import Refusal
from appliance.store.engine import Store, Transaction
from appliance.store.schema import INVITES, RELAYS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class Thing(Record, frozen=True):
    name: str
    secret: bytes
    number: int = 0


class LaterThing(Record, frozen=True):
    name: str
    secret: bytes
    number: int = 0
    added: str = "default"


class OtherThing(Record, frozen=True):
    number: int


PLAIN = SealedTable(INVITES, Thing)
BLIND = SealedTable(RELAYS, Thing, blind=True)


@pytest.mark.parametrize("table", [PLAIN, BLIND])
async def test_records_come_back(store: Store, sealer: Sealer, table: SealedTable[Thing]) -> None:
    first, second = Thing("anna", b"1"), Thing("bert", b"2", 7)

    def job(txn: Transaction) -> None:
        table.put(txn, sealer, b"a", first)
        table.put(txn, sealer, b"b", second)
        assert table.get(txn, sealer, b"a") == first
        assert table.get(txn, sealer, b"c") is None
        assert sorted(thing.name for thing in table.list_all(txn, sealer)) == ["anna", "bert"]
        assert table.delete(txn, sealer, b"a") and not table.delete(txn, sealer, b"a")
        assert table.list_all(txn, sealer) == [second]
        table.clear(txn)
        assert table.list_all(txn, sealer) == []

    await store.write(job)


async def test_rows_show_neither_values_nor_blind_keys(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        BLIND.put(txn, sealer, b"key of anna", Thing("anna", b"secret"))
        [(key, value)] = txn.range(RELAYS)
        assert b"anna" not in key + value and b"secret" not in value

    await store.write(job)


async def test_a_moved_or_foreign_row_is_damage(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        PLAIN.put(txn, sealer, b"a", Thing("anna", b"1"))
        moved = txn.get(INVITES, b"a")
        assert moved is not None
        txn.put(INVITES, b"b", moved)
        for wrong in (
            lambda: PLAIN.get(txn, sealer, b"b"),
            lambda: PLAIN.get(txn, Sealer(bytes(32)), b"a"),
            lambda: SealedTable(INVITES, OtherThing).get(txn, sealer, b"a"),
        ):
            with pytest.raises(Refusal) as caught:
                wrong()
            assert caught.value.code == "damaged_store"

    await store.write(job)


async def test_fields_may_come_and_go_between_versions(store: Store, sealer: Sealer) -> None:
    later = SealedTable(INVITES, LaterThing)

    def job(txn: Transaction) -> None:
        PLAIN.put(txn, sealer, b"a", Thing("anna", b"1"))
        assert later.get(txn, sealer, b"a") == LaterThing("anna", b"1")
        later.put(txn, sealer, b"b", LaterThing("bert", b"2", 0, "new"))
        assert PLAIN.get(txn, sealer, b"b") == Thing("bert", b"2")

    await store.write(job)


def test_repr_shows_nothing() -> None:
    assert repr(Thing("anna", b"secret")) == "<Thing>"
