from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol.vault import Change, Put, Remove, SealedRecord
from appliance.store import vault
from appliance.store.engine import Store, Transaction
from appliance.store.schema import VAULT, VAULT_DOOMED, VAULT_INDEX, VAULT_RECORDS, VAULT_TOMBS, open_store
from tests.services import refused

ADA = b"A" * 16
BOB = b"B" * 16
LIMIT = 1 << 20
HOUR = 500_000


def rid(number: int) -> bytes:
    return number.to_bytes(16, "big")


def put(number: int, base: int, data: bytes = b"sealed") -> Put:
    return Put(rid(number), base, data)


def change(
    store: Store, *puts: Put, remove: tuple[Remove, ...] = (), account: bytes = ADA, limit: int = LIMIT
) -> int:
    wanted = Change(list(puts), list(remove))
    return store.write_now(lambda txn: vault.change(txn, account, wanted, limit, HOUR))


def since(store: Store, after: int, began: int = 0, octets: int = LIMIT, account: bytes = ADA) -> vault.Page:
    return store.read(lambda txn: vault.changes(txn, account, after, began, octets))


def brief(page: vault.Page) -> list[tuple[int, int, int, bytes | None]]:
    return [(int.from_bytes(one.id, "big"), one.version, one.revision, one.data) for one in page.records]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store whose committer does not run: these tests write at once."""
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def test_a_change_raises_the_revision_by_one_and_every_version_it_touches(store: Store) -> None:
    assert change(store, put(1, 0), put(2, 0)) == 1
    assert change(store, put(1, 1, b"again"), put(3, 0)) == 2
    assert brief(since(store, 0)) == [(2, 1, 1, b"sealed"), (1, 2, 2, b"again"), (3, 1, 2, b"sealed")]
    assert brief(since(store, 1)) == [(1, 2, 2, b"again"), (3, 1, 2, b"sealed")]
    assert brief(since(store, 2)) == []
    assert change(store) == 2


def test_a_change_on_another_version_is_refused_whole_and_names_the_records(store: Store) -> None:
    change(store, put(1, 0), put(2, 0))
    before = brief(since(store, 0))
    with pytest.raises(Refusal) as caught:
        change(store, put(1, 1), put(2, 0), put(3, 1), remove=(Remove(rid(4), 0),))
    assert caught.value.code == "vault_conflict"
    assert set(caught.value.details["ids"]) == {rid(2), rid(3), rid(4)}
    assert brief(since(store, 0)) == before


def test_a_removed_record_is_told_with_its_version_and_nobody_overwrites_its_successor(store: Store) -> None:
    change(store, put(1, 0))
    change(store, remove=(Remove(rid(1), 1),))
    assert brief(since(store, 1)) == [(1, 2, 2, None)]
    with refused("vault_conflict"):
        change(store, put(1, 0))
    with refused("vault_conflict"):
        change(store, remove=(Remove(rid(1), 2),))
    change(store, put(1, 2, b"new"))
    assert brief(since(store, 0)) == [(1, 3, 3, b"new")]
    # Who still has the first one in mind (version 1) cannot change the new one.
    with refused("vault_conflict"):
        change(store, put(1, 1, b"old"))


def test_pages_never_cut_a_change_in_two(store: Store) -> None:
    for first in range(0, 40, 4):
        change(store, *(put(number, 0, bytes(100)) for number in range(first, first + 4)))
    seen: list[SealedRecord] = []
    after, pages = 0, 0
    while True:
        page = since(store, after, octets=700)
        revisions = [one.revision for one in page.records]
        assert all(revisions.count(each) == 4 for each in revisions)
        seen += page.records
        pages += 1
        after = revisions[-1]
        if not page.more:
            break
    assert pages == 5 and [int.from_bytes(one.id, "big") for one in seen] == list(range(40))


def test_the_vault_is_full_at_its_limit_but_shrinking_goes_on(store: Store) -> None:
    cost = 1000 + vault.RECORD_COST
    change(store, put(1, 0, bytes(1000)), put(2, 0, bytes(1000)), limit=2 * cost)
    with refused("vault_full"):
        change(store, put(3, 0, b""), limit=2 * cost)
    with refused("vault_full"):
        change(store, put(1, 1, bytes(1001)), limit=2 * cost)
    change(store, put(1, 1, bytes(1000)), limit=2 * cost)
    # The owner made the limit smaller: what makes the vault smaller is taken, and removals too.
    change(store, put(1, 2, bytes(999)), limit=10)
    change(store, remove=(Remove(rid(2), 1),), limit=10)
    assert store.read(lambda txn: vault.figures(txn, ADA)).octets == 999 + vault.RECORD_COST
    assert store.read(lambda txn: vault.figures(txn, ADA)).records == 1


def test_each_id_once_versions_within_bounds_and_not_too_much_at_once(store: Store) -> None:
    with refused("malformed"):
        change(store, put(1, 0), put(1, 0))
    with refused("malformed"):
        change(store, put(1, 0), remove=(Remove(rid(1), 0),))
    with refused("malformed"):
        change(store, put(1, -1))
    with refused("malformed"):
        change(store, put(1, 1 << 64))
    size = vault.CHANGE_OCTETS // 16
    with refused("too_large"):
        change(store, *(put(number, 0, bytes(size)) for number in range(16)), put(99, 0), limit=1 << 30)
    change(store, *(put(number, 0, bytes(size)) for number in range(16)), limit=1 << 30)


def test_reading_by_id_passes_over_unknown_ones_and_ends_a_page_that_grows(store: Store) -> None:
    change(store, *(put(number, 0, bytes(1000)) for number in range(1, 7)))
    change(store, remove=(Remove(rid(2), 1),))
    wanted = [rid(2), rid(1), rid(1), rid(77), rid(3)]
    page = store.read(lambda txn: vault.read(txn, ADA, wanted, LIMIT))
    assert [(one.id, one.data is None) for one in page.records] == [
        (rid(1), False), (rid(3), False), (rid(2), True),
    ]  # fmt: skip
    assert not page.more
    many = [rid(number) for number in range(3, 7)]
    page = store.read(lambda txn: vault.read(txn, ADA, many, 2000))
    assert page.more and [one.id for one in page.records] == [rid(3), rid(4)]


def test_accounts_do_not_see_each_other(store: Store) -> None:
    change(store, put(1, 0, b"ada"))
    change(store, put(1, 0, b"bob"), account=BOB)
    assert brief(since(store, 0)) == [(1, 1, 1, b"ada")]
    assert brief(since(store, 0, account=BOB)) == [(1, 1, 1, b"bob")]
    assert brief(since(store, 0, account=b"C" * 16)) == []


def test_who_was_away_longer_than_removals_are_remembered_reads_everything(store: Store) -> None:
    change(store, *(put(number, 0) for number in range(1, 6)))  # 1
    change(store, remove=(Remove(rid(1), 1),))  # 2
    change(store, put(9, 0))  # 3
    store.write_now(lambda txn: vault.sweep_tombs(txn, [ADA], HOUR + 1, 100))
    with refused("vault_old"):
        since(store, 1)
    assert brief(since(store, 2)) == [(9, 1, 3, b"sealed")]
    # From the start it is read whole, over several pages, when it says at which revision it began.
    first = since(store, 0, octets=1)
    assert first.more and first.records[-1].revision == 1
    with refused("vault_old"):
        since(store, 1)
    assert brief(since(store, 1, began=first.head.revision)) == [(9, 1, 3, b"sealed")]
    # The removed one is as if it had never been.
    change(store, put(1, 0))


def test_a_reader_ahead_of_the_vault_is_told_that_it_was_set_back(store: Store) -> None:
    change(store, put(1, 0))
    with refused("vault_old"):
        since(store, 2)
    with refused("vault_old"):
        since(store, 2, began=2)


def test_removals_that_are_remembered_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "MAX_TOMBS", 5)
    for number in range(1, 10):
        change(store, put(number, 0))
        change(store, remove=(Remove(rid(number), 1),))
    assert store.read(lambda txn: txn.count(VAULT_TOMBS)) == 5
    assert [one[0] for one in brief(since(store, 0))] == [5, 6, 7, 8, 9]
    assert store.read(lambda txn: vault.figures(txn, ADA)).floor == 8
    check(store, ADA)


def test_old_removals_go_and_young_ones_stay(store: Store) -> None:
    for number, hour in ((1, HOUR), (2, HOUR + 1), (3, HOUR + 2)):
        change(store, put(number, 0))
        gone = Change(remove=[Remove(rid(number), 1)])
        store.write_now(lambda txn, gone=gone, hour=hour: vault.change(txn, ADA, gone, LIMIT, hour))
    assert store.read(lambda txn: vault.count_old_tombs(txn, [ADA, BOB], HOUR + 2)) == 1
    assert store.write_now(lambda txn: vault.sweep_tombs(txn, [BOB, ADA], HOUR + 2, 10)) == 2
    assert [one[0] for one in brief(since(store, 0))] == [3]
    check(store, ADA)


def test_a_forgotten_vault_goes_in_steps_and_its_account_waits(store: Store) -> None:
    change(store, *(put(number, 0) for number in range(20)))
    change(store, remove=(Remove(rid(1), 1),))
    change(store, put(1, 0, b"bob"), account=BOB)
    store.write_now(lambda txn: vault.forget(txn, ADA))
    assert store.read(lambda txn: vault.figures(txn, ADA)) == vault.Head()
    with refused("busy"):
        since(store, 0)
    with refused("busy"):
        change(store, put(1, 0))
    steps = 0
    while store.write_now(lambda txn: vault.sweep_doomed(txn, 7)):
        steps += 1
    assert steps >= 6
    assert brief(since(store, 0)) == [] and change(store, put(1, 0)) == 1
    assert brief(since(store, 0, account=BOB)) == [(1, 1, 1, b"bob")]
    store.write_now(lambda txn: vault.forget(txn, b"Z" * 16))
    assert store.read(lambda txn: txn.count(VAULT_DOOMED)) == 0


def check(store: Store, account: bytes) -> None:
    """Every table says the same of a vault."""

    def job(txn: Transaction) -> None:
        head = vault.figures(txn, account)
        page = vault.changes(txn, account, 0, 0, 1 << 40)
        there = [one for one in page.records if one.data is not None]
        octets = sum(len(one.data or b"") + vault.RECORD_COST for one in there)
        assert (head.records, head.octets) == (len(there), octets)
        assert head.tombs == len(page.records) - len(there) == len(list(txn.keys(VAULT_TOMBS, account)))
        assert txn.count(VAULT_RECORDS) == txn.count(VAULT_INDEX) == len(page.records)
        assert txn.count(VAULT) == 1

    store.read(job)
