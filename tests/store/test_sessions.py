"""Sign-ins in the store: bounded for each account, hashed, with devices that belong to one account."""

from __future__ import annotations

import os

from appliance.store import sessions
from appliance.store.engine import Store
from appliance.store.sessions import MAX_KNOWN_DEVICES, MAX_SESSIONS, SignedIn
from appliance.store.storekey import Sealer

NOW = 1_800_000_000
ANN, BOB = b"A" * 16, b"B" * 16


def row(account: bytes = ANN, until: int = NOW + 100, used: int = 5, **fields: object) -> SignedIn:
    return SignedIn(os.urandom(16), account, "laptop", 1, used, os.urandom(32), until, **fields)  # type: ignore[arg-type]


async def begin(store: Store, sealer: Sealer, one: SignedIn, now: int = NOW) -> list[bytes]:
    return await store.write(lambda txn: sessions.begin(txn, sealer, one, now))


def listed(store: Store, sealer: Sealer, account: bytes = ANN) -> set[bytes]:
    return {one.session for one in store.read(lambda txn: sessions.list_account(txn, sealer, account))}


async def test_sign_ins_are_kept_by_account_and_end(store: Store, sealer: Sealer) -> None:
    first, second, other = row(), row(device=b"D" * 16), row(BOB)
    for one in (first, second, other):
        assert await begin(store, sealer, one) == []
    assert listed(store, sealer) == {first.session, second.session}
    assert store.read(lambda txn: sessions.find(txn, sealer, second.session)) == second
    assert await store.write(lambda txn: sessions.end(txn, sealer, first.session))
    assert not await store.write(lambda txn: sessions.end(txn, sealer, first.session))
    assert listed(store, sealer) == {second.session} and listed(store, sealer, BOB) == {other.session}


async def test_all_but_one_end(store: Store, sealer: Sealer) -> None:
    mine = [row() for _ in range(3)]
    for one in (*mine, other := row(BOB)):
        await begin(store, sealer, one)
    gone = await store.write(lambda txn: sessions.end_all(txn, sealer, ANN, but=mine[1].session))
    assert set(gone) == {mine[0].session, mine[2].session}
    assert listed(store, sealer) == {mine[1].session} and listed(store, sealer, BOB) == {other.session}


async def test_what_ran_out_and_what_is_too_much_makes_room(store: Store, sealer: Sealer) -> None:
    old = row(until=NOW)
    await begin(store, sealer, old, NOW - 1)
    kept = [row(used=10 + number) for number in range(MAX_SESSIONS)]
    assert await begin(store, sealer, kept[0]) == [old.session]
    for one in kept[1:]:
        assert await begin(store, sealer, one) == []
    newest = row(used=99)
    assert await begin(store, sealer, newest) == [kept[0].session]
    assert len(listed(store, sealer)) == MAX_SESSIONS and newest.session in listed(store, sealer)


def test_the_successor_of_a_token_needs_the_box(sealer: Sealer) -> None:
    secret = os.urandom(16)
    after = sessions.successor(sealer, ANN, secret)
    assert after == sessions.successor(sealer, ANN, secret) and len(after) == 16
    others = {sessions.successor(Sealer(bytes(32)), ANN, secret), sessions.successor(sealer, BOB, secret)}
    assert after not in others | {secret, sessions.digest(secret)[:16]}


async def test_a_device_belongs_to_one_account(store: Store, sealer: Sealer) -> None:
    device = os.urandom(16)

    async def name(account: bytes) -> bool:
        return await store.write(lambda txn: sessions.name_device(txn, account, device, 1))

    assert await name(ANN) and await name(ANN) and not await name(BOB)
    await store.write(lambda txn: sessions.forget_devices(txn, ANN))
    assert await name(BOB) and not await name(ANN)


async def test_the_devices_of_an_account_are_bounded(store: Store) -> None:
    devices = [os.urandom(16) for _ in range(MAX_KNOWN_DEVICES + 2)]
    for hour, device in enumerate(devices):
        assert await store.write(lambda txn, d=device, h=hour: sessions.name_device(txn, ANN, d, h))
    taken = [
        await store.write(lambda txn, d=device: sessions.name_device(txn, BOB, d, 0))
        for device in devices[:3]
    ]
    assert taken == [True, True, False], "only the ones named longest ago were let go"
