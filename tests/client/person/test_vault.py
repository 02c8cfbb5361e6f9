"""The client's vault against a box that was set back, forgot how it came about, or whose answers are lost."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest

from appliance.client.entrance import Unanswered
from appliance.client.person.vault import Displaced, Edit, Vault
from appliance.errors import Refusal
from appliance.protocol.post import Dispatch
from appliance.protocol.vault import Changed, Left, Put, Records, Remove, SealedRecord
from tests.services import refused


class FakeMember:
    """The vault's part of a member's API, in memory."""

    def __init__(self) -> None:
        self.records: dict[bytes, SealedRecord] = {}
        self.revision = 0
        self.forgotten = 0
        self.lose = 0

    async def read_vault(self, ids: list[bytes]) -> Records:
        return Records(self.revision, [self.records[id] for id in ids if id in self.records])

    async def follow_vault(self, after: int) -> Records:
        if not self.forgotten <= after <= self.revision:
            raise Refusal("vault_old")
        found = [record for record in self.records.values() if record.revision > after]
        return Records(self.revision, sorted(found, key=lambda record: record.revision))

    async def change_vault(
        self, put: list[Put], remove: list[Remove], dispatches: Sequence[Dispatch], done: Sequence[int]
    ) -> Changed:
        rows = [(one.id, one.base, getattr(one, "data", None)) for one in (*put, *remove)]
        if any((self.records[id].version if id in self.records else 0) != base for id, base, _ in rows):
            raise Refusal("vault_conflict")
        self.revision += 1
        for id, base, data in rows:
            self.records[id] = SealedRecord(id, base + 1, self.revision, data)
        if self.lose:
            self.lose -= 1
            raise Unanswered("broken")
        return Changed(self.revision, [Left(None, "too_many") for _ in dispatches])


def put(name: str, value: object, owned: bool = False) -> list[Edit]:
    return [Edit(name, lambda _: value, owned)]


@pytest.fixture
def box() -> FakeMember:
    return FakeMember()


def vault(box: FakeMember) -> Vault:
    return Vault(box, b"V" * 32)  # type: ignore[arg-type]


async def test_who_was_away_for_too_long_reads_everything_again(box: FakeMember) -> None:
    mine, other = vault(box), vault(box)
    for name in ("a", "b", "c"):
        await mine.commit(put(name, 1))
    await other.commit(put("b", 2))
    await other.commit(put("c", None))
    box.forgotten = box.revision  # the way from there to here is not known any more
    box.records = {id: record for id, record in box.records.items() if record.data is not None}
    assert sorted(await mine.pull()) == ["b", "c"]
    assert [mine.peek(name) for name in ("a", "b", "c")] == [1, 2, None]
    assert await mine.pull() == []
    await mine.commit(put("c", 3))
    assert await vault(box).read("c") == [3]


async def test_what_a_conflict_brought_of_others_is_told_with_what_belongs_to_it(box: FakeMember) -> None:
    def add(name: str, value: int) -> Edit:
        return Edit(name, lambda now: [*(now or []), value])

    mine, other = vault(box), vault(box)
    await mine.commit([add("talk", 1), add("log", 1)])
    await other.commit([add("talk", 2), add("log", 2)])
    told: list[str] = []
    mine.changed = told.extend
    await mine.commit([add("talk", 3)])
    assert [mine.peek(name) for name in ("talk", "log")] == [[1, 2, 3], [1, 2]]
    assert sorted(told) == ["log", "talk"]
    assert await mine.pull() == []


async def test_what_a_pull_brought_before_it_was_cut_off_is_told_by_the_next(box: FakeMember) -> None:
    mine, other = vault(box), vault(box)
    for name in ("a", "b"):
        await mine.commit(put(name, 1))
    for name in ("a", "b"):
        await other.commit(put(name, 2))
    whole = box.follow_vault
    asked = 0

    async def cut_off(after: int) -> Records:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise Unanswered("broken")
        found = await whole(after)
        return Records(found.revision, found.records[:1], True)

    box.follow_vault = cut_off  # type: ignore[method-assign]
    with pytest.raises(Unanswered):
        await mine.pull()
    box.follow_vault = whole  # type: ignore[method-assign]
    assert sorted(await mine.pull()) == ["a", "b"]


async def test_a_box_that_was_set_back_is_noticed(box: FakeMember) -> None:
    mine = vault(box)
    await mine.commit(put("a", 1))
    before = copy.deepcopy(box.__dict__)
    for value in (2, 3, 4):
        await mine.commit(put("a", value))
    box.__dict__.update(copy.deepcopy(before))
    with refused("vault_old"):
        await mine.pull()
    # Others have written since: it is as far as it was, but not the same.
    for value in range(5):
        await vault(box).commit(put("b", value))
    box.forgotten = box.revision
    with refused("vault_old"):
        await mine.pull()


async def test_a_device_whose_own_record_was_set_back_stops(box: FakeMember) -> None:
    mine = vault(box)
    await mine.commit(put("mine", 1, owned=True))
    before = copy.deepcopy(box.__dict__)
    await mine.commit(put("mine", 2, owned=True))
    box.__dict__.update(before)
    with pytest.raises(Displaced):
        await mine.commit(put("mine", 3, owned=True))


async def test_a_change_whose_answer_was_lost_counts_once(box: FakeMember) -> None:
    mine = vault(box)
    box.lose = 1
    edits = [
        *put("mine", {"write": 7}, owned=True),
        Edit("log", lambda now: [*(now or []), "said"]),
    ]

    def written() -> bool:
        return mine.peek("mine") == {"write": 7}

    with pytest.raises(Unanswered):
        await mine.commit(edits, written)
    await mine.pull()
    await mine.commit(edits, written)
    assert await vault(box).read("log", "mine") == [["said"], {"write": 7}]
