"""Feeds: the secret in the links with which members' news readers fetch boards without signing in."""

from __future__ import annotations

import hashlib
import os
from typing import Final

from appliance.store.engine import Transaction
from appliance.store.schema import FEED_LINKS, FEEDS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

SECRET_SIZE: Final = 24


class Feed(Record, frozen=True):
    """What one account's links hold."""

    secret: bytes


_FEEDS: Final = SealedTable(FEEDS, Feed)


def find(txn: Transaction, sealer: Sealer, account: bytes) -> bytes | None:
    """The secret of an account's links, or None."""
    row = _FEEDS.get(txn, sealer, account)
    return None if row is None else row.secret


def renew(txn: Transaction, sealer: Sealer, account: bytes) -> bytes:
    """A new secret; links with the old one end."""
    forget(txn, sealer, account)
    secret = os.urandom(SECRET_SIZE)
    _FEEDS.put(txn, sealer, account, Feed(secret))
    txn.put(FEED_LINKS, _link(secret), account)
    return secret


def forget(txn: Transaction, sealer: Sealer | None, account: bytes) -> None:
    """End an account's links; on a locked box they end with the account."""
    secret = None if sealer is None else find(txn, sealer, account)
    if secret is not None:
        txn.delete(FEED_LINKS, _link(secret))
    txn.delete(FEEDS, account)


def whose(txn: Transaction, secret: bytes) -> bytes | None:
    """The account whose link this is, or None."""
    return txn.get(FEED_LINKS, _link(secret))


def _link(secret: bytes) -> bytes:
    # Looked up by a hash, so neither the file nor the time a look-up takes tells a secret.
    return hashlib.sha256(b"island/v1/feed\0" + secret).digest()[:16]
