"""What Tor must know of readers, kept in the store: who may read our onion, and our keys to closed ones."""

from __future__ import annotations

from appliance.store import readers
from appliance.store.engine import Store
from appliance.store.readers import Reader, ReaderKey
from appliance.store.storekey import KeyRing


class ReaderBook:
    """Sealed by the machine key, so that a locked box keeps its onion closed."""

    def __init__(self, store: Store, ring: KeyRing) -> None:
        self._store = store
        self._machine = ring.machine

    def load_readers(self) -> list[tuple[str, str]]:
        """(name, x25519 public key in base32) of who may read our onion."""
        found = self._store.read(lambda txn: readers.list_readers(txn, self._machine))
        return [(reader.name, reader.key) for reader in found]

    async def save_readers(self, rows: list[tuple[str, str]]) -> None:
        """Keep exactly these readers."""
        kept = [Reader(name, key) for name, key in rows]
        await self._store.write(lambda txn: readers.save_readers(txn, self._machine, kept))

    def load_keys(self) -> list[tuple[str, str]]:
        """(onion address, x25519 private key in base32) of closed onions we may read."""
        found = self._store.read(lambda txn: readers.list_keys(txn, self._machine))
        return [(key.address, key.key) for key in found]

    async def save_keys(self, rows: list[tuple[str, str]]) -> None:
        """Keep exactly these keys."""
        kept = [ReaderKey(address, key) for address, key in rows]
        await self._store.write(lambda txn: readers.save_keys(txn, self._machine, kept))
