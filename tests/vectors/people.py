"""Who appears in the vectors: keys and bytes that are derived from labels and never change."""

from __future__ import annotations

import hashlib
from typing import Any

from appliance.protocol import keys, onion

Vectors = dict[str, Any]


def seed(label: str, size: int = 32) -> bytes:
    """Bytes that look random and never change."""
    return hashlib.shake_256(b"island vector " + label.encode()).digest(size)


ALICE = keys.SigningKey(seed("alice"))
BOB = keys.SigningKey(seed("bob"))
FETCH = keys.SigningKey(seed("fetch"))
HOST = onion.address(keys.SigningKey(seed("relay")).public)
BOB_SEALING = keys.SealingKey(seed("bob x25519"), seed("bob kem", 64))
HOUR = 498_000
