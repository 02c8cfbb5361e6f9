from __future__ import annotations

from appliance.store import settings
from appliance.store.engine import Store, Transaction


async def test_overrides_are_kept_and_taken_back(store: Store) -> None:
    def job(txn: Transaction) -> None:
        values = {"ttl_max_hours": 5, "onion_pow": False, "bridges": ["a b", "c"], "relay_policy": "open"}
        for name, value in values.items():
            settings.save(txn, name, value)
        assert settings.load(txn) == values
        settings.save(txn, "bridges", None)
        settings.save(txn, "unknown", None)
        assert settings.load(txn) == {name: values[name] for name in values if name != "bridges"}

    await store.write(job)
