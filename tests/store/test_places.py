from __future__ import annotations

from msgspec.structs import replace

from appliance.store import places
from appliance.store.engine import Store, Transaction
from appliance.store.places import Relay
from appliance.store.storekey import Sealer

NEAR, FAR = b"n" * 32, b"f" * 32


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
