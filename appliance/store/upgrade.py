"""Brings up a store of version 1 that its owner's passphrase locked: opened once by that passphrase."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from appliance.errors import Refusal
from appliance.store.engine import Transaction
from appliance.store.schema import STEPS, open_store
from appliance.store.storekey import Wrapping, open_keys

LOCKED: Final = 1
"""The version whose box knew the passphrase itself."""


def is_locked(folder: Path) -> bool:
    """Whether the store in `folder` waits for the passphrase of the older version; an older one that does
    not is brought up by this."""
    try:
        open_store(folder).close()
    except Refusal as refusal:
        if refusal.code != "older_lock":
            raise
        return True
    return False


async def bring_up(folder: Path, passphrase: str) -> None:
    """Open the store key by the old passphrase and bring the store up. Refusal wrong_passphrase.

    The copy of the old store stays locked, and the new one starts open, for it is claimed anew: both are
    said in the transaction of the step, so a cut at any moment leaves the one or the other.
    """
    store = open_store(folder, version=LOCKED)
    try:
        ring = open_keys(folder, store)
        await ring.unlock(passphrase.encode())
        wrapping = await ring.wrap(None)
    finally:
        store.close()
    open_store(folder, steps={**STEPS, LOCKED: partial(_open_up, wrapping=wrapping)}).close()


def _open_up(txn: Transaction, wrapping: Wrapping) -> None:
    wrapping.write(txn)
    STEPS[LOCKED](txn)
