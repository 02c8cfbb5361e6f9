"""The keys of the box at rest: the machine key, and under it the identity and the store key.

`machine.key` (32 octets, mode 0600) lies beside the data file. It always wraps the identity seed, so that a
restarted box can show its onion before anybody signs in. The store key, which seals all that the owner
keeps, is wrapped by the machine key, or, once protected, by an owner's authentication key (which a client
derives from their passphrase; Argon2id here once more); then the box starts locked. The keys that are used
are derived from these two, so neither seals anything itself.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final, NamedTuple

import trio
from argon2.low_level import Type, hash_secret_raw

from appliance.errors import Refusal
from appliance.protocol.keys import SigningKey, hkdf
from appliance.store import aead
from appliance.store.engine import Store, Table, Transaction
from appliance.store.schema import KEYS

MACHINE_FILE: Final = "machine.key"
VERSION: Final = 1
MEMORY_KIB: Final = 64 * 1024
PASSES: Final = 3

_KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 24
_SALT_SIZE: Final = 16
_SALT: Final = b"island/v1/store"
_IDENTITY: Final = b"identity"
_STORE: Final = b"store"
_PROTECTED: Final = b"store by passphrase"
_HASHING: Final = trio.CapacityLimiter(1)
"""Argon2id takes 64 MiB a run: one at a time."""


class Sealer:
    """Encrypts values under one key, bound to their place; blinds keys. XChaCha20-Poly1305."""

    OVERHEAD: Final = 1 + _NONCE_SIZE + 16
    """Octets by which a sealed value is longer."""

    __slots__ = ("_blind", "_key")

    def __init__(self, secret: bytes) -> None:
        derived = hkdf(secret, _SALT, b"sealer", 2 * _KEY_SIZE)
        self._key = derived[:_KEY_SIZE]
        self._blind = derived[_KEY_SIZE:]

    def seal(self, table: Table, key: bytes, value: bytes) -> bytes:
        """version(1) ‖ nonce(24) ‖ ciphertext ‖ tag(16): OVERHEAD octets more than the value."""
        nonce = os.urandom(_NONCE_SIZE)
        head = bytes((VERSION,))
        return head + nonce + aead.encrypt(self._key, nonce, _bound(head, table, key), value)

    def open(self, table: Table, key: bytes, sealed: bytes) -> bytes:
        """The value that was sealed at this place; Refusal damaged_store."""
        head, nonce = sealed[:1], sealed[1 : 1 + _NONCE_SIZE]
        if head != bytes((VERSION,)):
            raise Refusal("damaged_store")
        try:
            return aead.decrypt(self._key, nonce, _bound(head, table, key), sealed[1 + _NONCE_SIZE :])
        except ValueError as error:
            raise Refusal("damaged_store") from error

    def blind(self, table: Table, key: bytes) -> bytes:
        """16 octets that stand for a key nobody may read in the file."""
        # The same function as libsodium's, without its binding, which takes ten times as long.
        return hashlib.blake2b(table.encode() + b"\0" + key, digest_size=16, key=self._blind).digest()

    def __repr__(self) -> str:
        return "<Sealer>"


class Wrapping(NamedTuple):
    """The store key as it is written: under which name, and wrapped."""

    name: bytes
    value: bytes

    def write(self, txn: Transaction) -> None:
        """Replace the wrapping there was."""
        txn.put(KEYS, self.name, self.value)
        txn.delete(KEYS, _STORE if self.name == _PROTECTED else _PROTECTED)

    def __repr__(self) -> str:
        return "<Wrapping>"


class KeyRing:
    """The opened keys: `identity` and `machine` always, `sealer` unless the box is locked."""

    def __init__(self, store: Store, machine_key: bytes) -> None:
        self._store = store
        self._machine_key = machine_key
        self.machine = Sealer(machine_key)
        seed = store.read(lambda txn: txn.get(KEYS, _IDENTITY))
        plain = store.read(lambda txn: txn.get(KEYS, _STORE))
        self._wrapped = store.read(lambda txn: txn.get(KEYS, _PROTECTED))
        if seed is None or (plain is None and self._wrapped is None):
            raise Refusal("damaged_store")
        self.identity = SigningKey(self.machine.open(KEYS, _IDENTITY, seed))
        self._secret = None if plain is None else self.machine.open(KEYS, _STORE, plain)
        self.sealer = None if self._secret is None else Sealer(self._secret)

    @property
    def locked(self) -> bool:
        """Whether the store key waits for its authentication key."""
        return self.sealer is None

    @property
    def protected(self) -> bool:
        """Whether the store key is wrapped by an authentication key."""
        return self._wrapped is not None

    def require(self) -> Sealer:
        """The sealer of the store key; Refusal locked."""
        if self.sealer is None:
            raise Refusal("locked")
        return self.sealer

    async def unlock(self, secret: bytes) -> None:
        """Open the store key by an authentication key; Refusal wrong_passphrase. Nothing to do without."""
        if self._wrapped is None:
            return
        salt, sealed = self._wrapped[:_SALT_SIZE], self._wrapped[_SALT_SIZE:]
        wrapping = Sealer(await _stretch(secret, salt))
        try:
            opened = wrapping.open(KEYS, _PROTECTED, sealed)
        except Refusal:
            raise Refusal("wrong_passphrase") from None
        self._secret, self.sealer = opened, Sealer(opened)

    async def wrap(self, secret: bytes | None) -> Wrapping:
        """The store key wrapped by an authentication key, or by the machine key again; Refusal locked.

        Write it in the transaction that changes the account, and `adopt` it after the commit.
        """
        if self._secret is None:
            raise Refusal("locked")
        if secret is None:
            return Wrapping(_STORE, self.machine.seal(KEYS, _STORE, self._secret))
        salt = os.urandom(_SALT_SIZE)
        sealer = Sealer(await _stretch(secret, salt))
        return Wrapping(_PROTECTED, salt + sealer.seal(KEYS, _PROTECTED, self._secret))

    def adopt(self, wrapping: Wrapping) -> None:
        """Take a wrapping as the one that is written."""
        self._wrapped = wrapping.value if wrapping.name == _PROTECTED else None

    def derive(self, purpose: bytes, length: int) -> bytes:
        """Key material of the store key for one purpose; the same each time. Refusal locked."""
        if self._secret is None:
            raise Refusal("locked")
        return hkdf(self._secret, _SALT, b"derived\0" + purpose, length)

    def __repr__(self) -> str:
        return f"<KeyRing {self.identity!r} {'locked' if self.locked else 'open'}>"


def open_keys(folder: Path, store: Store, seed: bytes | None = None) -> KeyRing:
    """The keys in `folder`, made on the first start (the identity from `seed`, if given), before `Store.run`.

    Refusal damaged_store when the machine key is missing or does not fit the store.
    """
    path = folder / MACHINE_FILE
    fresh = store.read(lambda txn: txn.get(KEYS, _IDENTITY)) is None
    if fresh:
        machine_key = _find_machine_key(path) or _write_machine_key(path)
        machine = Sealer(machine_key)
        identity, secret = seed or os.urandom(_KEY_SIZE), os.urandom(_KEY_SIZE)

        def job(txn: Transaction) -> None:
            txn.put(KEYS, _IDENTITY, machine.seal(KEYS, _IDENTITY, identity))
            txn.put(KEYS, _STORE, machine.seal(KEYS, _STORE, secret))

        store.write_now(job)
    found = _find_machine_key(path)
    if found is None:
        raise Refusal("damaged_store")
    return KeyRing(store, found)


def _find_machine_key(path: Path) -> bytes | None:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) != _KEY_SIZE:
        raise Refusal("damaged_store")
    return key


def _write_machine_key(path: Path) -> bytes:
    """A new machine key, durable before anything is wrapped by it."""
    key = os.urandom(_KEY_SIZE)
    unfinished = path.with_suffix(".part")
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, key)
        os.fsync(file)
    finally:
        os.close(file)
    unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key


async def _stretch(secret: bytes, salt: bytes) -> bytes:
    def work() -> bytes:
        return hash_secret_raw(secret, salt, PASSES, MEMORY_KIB, 1, _KEY_SIZE, Type.ID)

    return await trio.to_thread.run_sync(work, limiter=_HASHING)


def _bound(head: bytes, table: Table, key: bytes) -> bytes:
    return head + table.encode() + b"\0" + key
