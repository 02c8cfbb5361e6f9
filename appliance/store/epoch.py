"""The restore epoch: 16 random octets of this store, so that clients notice a box that was set back.

Drawn when first asked for and kept in META. Whoever brings a backup back calls `renew`: then clients that
remember the old value know that what they wrote since then may be gone, and begin new sending chains.
"""

from __future__ import annotations

import os
from typing import Final

from appliance.store.schema import META
from appliance.store.transaction import Transaction

EPOCH_SIZE: Final = 16

_KEY: Final = b"epoch"


def epoch(txn: Transaction) -> bytes:
    """The epoch, drawn now if there is none yet: so the first call needs a transaction that writes."""
    return txn.get(META, _KEY) or renew(txn)


def renew(txn: Transaction) -> bytes:
    """A new epoch, after a backup was brought back."""
    fresh = os.urandom(EPOCH_SIZE)
    txn.put(META, _KEY, fresh)
    return fresh
