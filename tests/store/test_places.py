from __future__ import annotations

from msgspec.structs import replace

from appliance.store import places
from appliance.store.engine import Store, Transaction
from appliance.store.places import Place, Relay
from appliance.store.storekey import Sealer

NEAR, FAR = b"n" * 32, b"f" * 32
ANNA = b"a" * 32


async def test_relays(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        later, earlier = Relay(NEAR, 9), Relay(FAR, 5)
        places.save_relay(txn, sealer, later)
        places.save_relay(txn, sealer, earlier)
        assert places.list_relays(txn, sealer) == [earlier, later]
        ready = replace(later, state="ready", grant=b"g" * 32, last_collected=7)
        places.save_relay(txn, sealer, ready)
        assert places.find_relay(txn, sealer, NEAR) == ready
        assert places.remove_relay(txn, sealer, NEAR) and not places.remove_relay(txn, sealer, NEAR)
        assert places.find_relay(txn, sealer, NEAR) is None

    await store.write(job)


async def test_places_by_relay_and_contact(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        request = Place(b"1" * 20, NEAR, b"s" * 32, b"c" * 32)
        for_anna = Place(b"2" * 20, NEAR, b"s" * 32, b"c" * 32, ANNA)
        far = Place(b"3" * 20, FAR, b"s" * 32, b"c" * 32, ANNA)
        for place in (request, for_anna, far):
            places.save(txn, sealer, place)

        def found(**which: bytes) -> set[bytes]:
            return {place.mailbox[:1] for place in places.list_all(txn, sealer, **which)}

        assert found() == {b"1", b"2", b"3"}
        assert found(onion=NEAR) == {b"1", b"2"}
        assert found(contact=ANNA) == {b"2", b"3"}
        assert found(contact=b"") == {b"1"}
        assert found(onion=FAR, contact=b"") == set()
        moved = replace(far, state="ready", after=12)
        places.save(txn, sealer, moved)
        assert places.find(txn, sealer, far.mailbox) == moved
        assert places.remove(txn, sealer, far.mailbox) and not places.remove(txn, sealer, far.mailbox)

    await store.write(job)
