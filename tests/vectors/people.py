"""Who appears in the vectors: keys and bytes that are derived from labels and never change."""

from __future__ import annotations

import hashlib
from typing import Any

from appliance.protocol import directory, keys, onion, pqxdh, prekeys

Vectors = dict[str, Any]


def seed(label: str, size: int = 32) -> bytes:
    """Bytes that look random and never change."""
    return hashlib.shake_256(b"island vector " + label.encode()).digest(size)


ALICE = keys.SigningKey(seed("alice"))
BOB = keys.SigningKey(seed("bob"))
FETCH = keys.SigningKey(seed("fetch"))
HOST = onion.address(keys.SigningKey(seed("relay")).public)
HOUR = 498_000


BOX = keys.SigningKey(seed("box"))


def signing_of(label: str) -> keys.SigningKey:
    """The signing key of a device."""
    return keys.SigningKey(seed(f"{label} signing"))


def own_device(identity: keys.SigningKey, label: str) -> pqxdh.OwnDevice:
    """A device as it sees itself."""
    return pqxdh.OwnDevice(identity.public, seed(f"{label} id", 16), seed(f"{label} agreement"))


def account_device(label: str) -> directory.Device:
    """A device as the entry shows it."""
    agreement = prekeys.x25519_public(seed(f"{label} agreement"))
    return directory.Device(
        device=seed(f"{label} id", 16),
        signing=signing_of(label).public,
        agreement=agreement,
        added_hour=HOUR,
    )
