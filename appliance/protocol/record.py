"""The vault record: one value of the account's own, sealed so that the box learns its size class and age.

The version is bound into the seal: a box can withhold a newer record, not pass an older one off as it.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.envelope import pad, padme, unpad
from appliance.protocol.keys import domain, hkdf
from appliance.protocol.vault import MAX_RECORD

VERSION: Final = 1
SMALLEST: Final = 64
"""Octets to which the smallest values are padded."""
ID: Final = 16
_NONCE: Final = 12
_TAG: Final = 16
_OVERHEAD: Final = 1 + _NONCE + _TAG


class VaultKeys:
    """The two keys of a vault, derived from its 32-octet key; never shown by repr."""

    __slots__ = ("_names", "_records")

    def __init__(self, vault_key: bytes) -> None:
        self._names = hkdf(vault_key, b"", domain("vault names"), 32)
        self._records = AESGCM(hkdf(vault_key, b"", domain("vault records"), 32))

    def __repr__(self) -> str:
        return "<VaultKeys>"

    def id(self, name: str) -> bytes:
        """The blind id (16 octets) under which the box keeps the record of this name."""
        return hmac.digest(self._names, name.encode(), "sha256")[:ID]

    def seal(self, id: bytes, version: int, value: Any, fresh: bytes) -> bytes:
        """The record of a value, as its `version` (base + 1); `fresh` is 12 octets. Refusal too_large."""
        body = codec.encode(value)
        size = padded_size(len(body))
        if size + _OVERHEAD > MAX_RECORD:
            raise Refusal("too_large")
        return bytes((VERSION,)) + fresh + self._records.encrypt(fresh, pad(body, size), _bound(id, version))

    def open(self, id: bytes, version: int, data: bytes) -> Any:
        """The value in a record; Refusal not_opened, or unknown_version for one of a newer client."""
        if data[:1] and data[0] > VERSION:
            raise Refusal("unknown_version")
        if not _OVERHEAD + SMALLEST <= len(data) <= MAX_RECORD or not 0 <= version < 1 << 64:
            raise Refusal("not_opened")
        fresh, sealed = data[1 : 1 + _NONCE], data[1 + _NONCE :]
        try:
            if data[0] != VERSION:
                raise Refusal("not_opened")
            return codec.decode(unpad(self._records.decrypt(fresh, sealed, _bound(id, version))))
        except (InvalidTag, Refusal) as error:
            raise Refusal("not_opened") from error


def padded_size(octets: int) -> int:
    """To how many octets a value of so many is padded: Padmé, at least SMALLEST."""
    return max(SMALLEST, padme(octets + 1))


def _bound(id: bytes, version: int) -> bytes:
    return domain("vault record") + id + version.to_bytes(8, "big")
