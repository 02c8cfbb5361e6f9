"""Settings: values that the owner changed, which override the configuration of the start."""

from __future__ import annotations

from typing import Any

from appliance.protocol import codec
from appliance.store.engine import Transaction
from appliance.store.schema import SETTINGS


def load(txn: Transaction) -> dict[str, Any]:
    """Every override by name: text, integers, booleans or lists of these."""
    return {key.decode(): codec.decode(value) for key, value in txn.range(SETTINGS)}


def save(txn: Transaction, name: str, value: Any) -> None:
    """Override one setting, or go back to the configuration with None."""
    if value is None:
        txn.delete(SETTINGS, name.encode())
    else:
        txn.put(SETTINGS, name.encode(), codec.encode(value))
