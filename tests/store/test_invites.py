"""Invites in the store: used so many times, until they end, never found by anything but their code."""

from __future__ import annotations

import pytest

from appliance.errors import Refusal
from appliance.store import invites
from appliance.store.engine import Store, Table
from appliance.store.invites import Invite, id_of
from appliance.store.schema import INVITES
from appliance.store.storekey import Sealer

NOW = 1_800_000_000


def invite(code: str = "code", uses: int = 2, expires: int = NOW + 10, **fields: str) -> Invite:
    return Invite(id_of(code), "member", uses, uses, expires, **fields)


async def create(store: Store, sealer: Sealer, one: Invite, now: int = NOW) -> list[Invite]:
    return await store.write(lambda txn: invites.create(txn, sealer, one, now))


async def test_an_invite_is_used_up(store: Store, sealer: Sealer) -> None:
    await create(store, sealer, invite())
    for left in (2, 1):
        used = await store.write(lambda txn: invites.use(txn, sealer, id_of("code"), NOW))
        assert used.left == left
    with pytest.raises(Refusal, match="invite"):
        await store.write(lambda txn: invites.use(txn, sealer, id_of("code"), NOW))
    assert store.read(lambda txn: txn.count(INVITES)) == 0


@pytest.mark.parametrize(("code", "now"), [("code", NOW + 10), ("cod", NOW), ("", NOW), ("\udcff", NOW)])
async def test_a_late_or_wrong_code_is_none(store: Store, sealer: Sealer, code: str, now: int) -> None:
    await create(store, sealer, invite())
    assert store.read(lambda txn: invites.find(txn, sealer, id_of(code), now)) is None
    with pytest.raises(Refusal, match="invite"):
        await store.write(lambda txn: invites.use(txn, sealer, id_of(code), now))
    assert store.read(lambda txn: invites.find(txn, sealer, id_of("code"), NOW)) == invite()


async def test_those_that_are_over_make_room_and_come_back_to_be_cleared(
    store: Store, sealer: Sealer
) -> None:
    old, good = invite("old", expires=NOW), invite("good", expires=NOW + 99, note="Ann")
    await create(store, sealer, old, NOW - 9)
    assert await create(store, sealer, good) == [old]
    await create(store, sealer, invite("soon"))
    listed = store.read(lambda txn: invites.list_good(txn, sealer, NOW))
    assert listed == [invite("soon"), good]
    assert await store.write(lambda txn: invites.remove(txn, sealer, good.id)) == good
    assert await store.write(lambda txn: invites.remove(txn, sealer, good.id)) is None


async def test_there_are_not_too_many(store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invites, "MAX_INVITES", 2)
    for code in ("a", "b"):
        await create(store, sealer, invite(code))
    with pytest.raises(Refusal, match="wrong_state"):
        await create(store, sealer, invite("c"))


async def test_the_code_is_not_kept(store: Store, sealer: Sealer) -> None:
    await create(store, sealer, invite("a-very-secret-code"))
    rows = store.read(lambda txn: list(txn.range(Table("invites"))))
    assert all(b"secret" not in key + value for key, value in rows)
