"""Forgetting: removes what the post keeps of an account or a device, in small steps that outlive a crash."""

from __future__ import annotations

from appliance.store import device_mailboxes, dispatches, kept
from appliance.store.engine import Transaction
from appliance.store.schema import FORGETTING, prefix_end
from appliance.store.storekey import Sealer


def mark(txn: Transaction, account: bytes, device: bytes = b"") -> None:
    """Everything of an account, or the mailboxes of one device, is to be removed."""
    txn.put(FORGETTING, account + device, b"")


def marked(txn: Transaction, limit: int = 64) -> list[bytes]:
    """Accounts (16 octets) and devices (32) that are being forgotten."""
    return list(txn.keys(FORGETTING, limit=limit))


def step(txn: Transaction, sealer: Sealer, whom: bytes, here: bytes, limit: int) -> int:
    """Remove about `limit` rows of `whom`; 0 when nothing is left. `here` is the onion key of this box.

    Places at relays are marked as dropped: they go once their relay has deleted them.
    """
    done = 0
    for owner, _ in device_mailboxes.list_here(txn, whom)[:limit]:
        device_mailboxes.drop_here(txn, owner)
        done += 1
    if done:
        return done
    for place in device_mailboxes.list_places(txn, sealer, whom):
        if place.onion == here:
            device_mailboxes.remove(txn, sealer, place)
            done += 1
        elif device_mailboxes.change(txn, sealer, place, "dropped", "wanted", "ready", "leaving"):
            done += 1
        if done >= limit:
            return done
    if len(whom) == 16:
        done += dispatches.remove_some(txn, sealer, whom, limit) or kept.drop_some(txn, whom, limit)
    if not done:
        for key in list(txn.keys(FORGETTING, whom, prefix_end(whom))):
            txn.delete(FORGETTING, key)
    return done
