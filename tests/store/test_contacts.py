from __future__ import annotations

import pytest
from msgspec.structs import replace

from appliance.errors import Refusal
from appliance.store import contacts
from appliance.store.contacts import Contact
from appliance.store.engine import Store, Transaction
from appliance.store.storekey import Sealer

ANNA = Contact(b"a" * 32, "anna", b"card", 5)
BERT = Contact(b"b" * 32, "Bert", b"", 4, request=True)


async def test_contacts_are_added_changed_and_removed(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        contacts.add(txn, sealer, BERT)
        contacts.add(txn, sealer, ANNA)
        with pytest.raises(Refusal) as caught:
            contacts.add(txn, sealer, replace(ANNA, name="other"))
        assert caught.value.code == "contact_exists"
        assert contacts.list_all(txn, sealer) == [ANNA, BERT]
        contacts.save(txn, sealer, replace(BERT, request=False, card=b"new"))
        found = contacts.find(txn, sealer, BERT.identity)
        assert found is not None and not found.request and found.card == b"new"
        contacts.remove(txn, sealer, ANNA.identity)
        with pytest.raises(Refusal) as caught:
            contacts.remove(txn, sealer, ANNA.identity)
        assert caught.value.code == "no_contact"
        assert contacts.find(txn, sealer, ANNA.identity) is None

    await store.write(job)
