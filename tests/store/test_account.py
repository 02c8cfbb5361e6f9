from __future__ import annotations

import pytest

from appliance.errors import Refusal
from appliance.store import account
from appliance.store.account import Owner
from appliance.store.engine import Store, Transaction
from appliance.store.schema import SESSIONS
from appliance.store.storekey import Sealer

OWNER = Owner("Clara", "$argon2id$…", 5)


async def test_a_box_is_claimed_once(store: Store, sealer: Sealer) -> None:
    def job(txn: Transaction) -> None:
        assert not account.is_claimed(txn) and account.find(txn, sealer) is None
        with pytest.raises(Refusal) as caught:
            account.save(txn, sealer, OWNER)
        assert caught.value.code == "not_claimed"
        account.claim(txn, sealer, OWNER)
        with pytest.raises(Refusal) as caught:
            account.claim(txn, sealer, Owner("other", "", 6))
        assert caught.value.code == "already_claimed"
        renamed = Owner("Clara B.", OWNER.verifier, 5)
        account.save(txn, sealer, renamed)
        assert account.is_claimed(txn) and account.find(txn, sealer) == renamed

    await store.write(job)


async def test_sessions_hold_until_their_second_and_can_be_ended(store: Store) -> None:
    def job(txn: Transaction) -> None:
        account.open_session(txn, b"one", 100)
        account.open_session(txn, b"two", 200)
        account.open_session(txn, b"three", 300)
        assert account.session_until(txn, b"one", 99) == 100
        assert account.session_until(txn, b"one", 100) is None
        assert account.session_until(txn, b"other", 1) is None
        assert all(b"one" not in key for key in txn.keys(SESSIONS))
        assert account.close_session(txn, b"two") and not account.close_session(txn, b"two")
        assert account.close_sessions(txn, before=100) == 1
        assert account.session_until(txn, b"three", 1) == 300
        assert account.close_sessions(txn) == 1 and txn.count(SESSIONS) == 0

    await store.write(job)
