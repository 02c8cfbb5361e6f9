from __future__ import annotations

from appliance.protocol.envelope import envelope_id
from appliance.store import kept
from appliance.store.engine import Store
from tests.services import envelope, refused

ANN, BOB = b"A" * 16, b"B" * 16
MOST = 1 << 20


async def test_envelopes_are_kept_once_and_read_by_id(store: Store) -> None:
    one, two = envelope(16320), envelope()
    for _ in range(2):
        await store.write(lambda txn: kept.keep(txn, ANN, [one, two, one], MOST))
    assert store.read(lambda txn: kept.load(txn, ANN)) == (2, 16320 + 960)
    ids = [envelope_id(two), bytes(16), envelope_id(one)]
    assert store.read(lambda txn: kept.read(txn, ANN, ids)) == [two, None, one]
    assert store.read(lambda txn: kept.read(txn, BOB, ids)) == [None] * 3
    assert store.read(lambda txn: kept.lacking(txn, ANN, ids)) == [bytes(16)]
    assert store.read(lambda txn: kept.lacking(txn, BOB, ids)) == ids
    # What does not fit into one answer is left out at the end, and the first is always there.
    assert store.read(lambda txn: kept.read(txn, ANN, ids, octets=100)) == [two, None][:1]


async def test_the_quota_refuses_all_or_nothing(store: Store) -> None:
    await store.write(lambda txn: kept.keep(txn, ANN, [envelope()], 2000))
    again = envelope()
    await store.write(lambda txn: kept.keep(txn, ANN, [again], 2000))
    with refused("kept_full"):
        await store.write(lambda txn: kept.keep(txn, ANN, [envelope(), envelope()], 2000))
    assert store.read(lambda txn: kept.load(txn, ANN)) == (2, 1920)
    await store.write(lambda txn: kept.keep(txn, ANN, [again], 100))  # nothing new: no question of room
    await store.write(lambda txn: kept.keep(txn, BOB, [envelope()], 2000))


async def test_dropping_gives_space_back(store: Store) -> None:
    envelopes = [envelope() for _ in range(5)]
    await store.write(lambda txn: kept.keep(txn, ANN, envelopes, MOST))
    ids = [envelope_id(one) for one in envelopes]
    assert await store.write(lambda txn: kept.drop(txn, ANN, [*ids[:2], ids[0], bytes(16)])) == 2
    assert store.read(lambda txn: kept.load(txn, ANN)) == (3, 3 * 960)
    assert await store.write(lambda txn: kept.drop_some(txn, ANN, 2)) == 2
    assert await store.write(lambda txn: kept.drop_some(txn, ANN, 2)) == 1
    assert await store.write(lambda txn: kept.drop_some(txn, ANN, 2)) == 0
    assert store.read(lambda txn: kept.load(txn, ANN)) == (0, 0)
