from __future__ import annotations

from appliance.store import readers
from appliance.store.engine import Store, Transaction
from appliance.store.readers import Reader, ReaderKey
from appliance.store.storekey import Sealer


async def test_exactly_what_is_saved_is_listed(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        anna, bert = Reader("anna", "A"), Reader("bert", "B")
        readers.save_readers(txn, sealer, [bert, anna])
        assert readers.list_readers(txn, sealer) == [anna, bert]
        readers.save_readers(txn, sealer, [bert])
        assert readers.list_readers(txn, sealer) == [bert]
        key = ReaderKey("x.onion", "secret")
        readers.save_keys(txn, sealer, [key])
        assert readers.list_keys(txn, sealer) == [key] and "secret" not in repr(key)
        readers.save_keys(txn, sealer, [])
        assert readers.list_keys(txn, sealer) == [] and readers.list_readers(txn, sealer) == [bert]

    await store.write(job)
