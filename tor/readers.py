"""Who may read the onion's descriptor, and our own keys to the closed onions of others."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio
from nacl import bindings
from nacl.public import PrivateKey

from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.desk import NewReader, NewReaderKey, Reader, ReaderKeys, Readers

Rows = list[tuple[str, str]]


class ReaderBook(Protocol):
    """Where readers and keys are kept.

    A list that has rows but is sealed while the box is locked is refused with Refusal("locked"); an empty one
    is told all the same, since it opens the onion to everyone.
    """

    def load_readers(self) -> Rows:
        """(name, x25519 public key in base32) of every reader."""
        ...

    async def save_readers(self, rows: Rows) -> None:
        """Replace all readers; durable when it returns."""
        ...

    def load_keys(self) -> Rows:
        """(onion address, x25519 private key in base32) of every closed onion we may enter."""
        ...

    async def save_keys(self, rows: Rows) -> None:
        """Replace all keys; durable when it returns."""
        ...


class Access:
    """Changes the book and tells Tor at once: `apply` publishes anew, `grant` and `drop` a key.

    What is in the book is told to Tor even if whoever asked for it has gone: otherwise the list would show a
    reader as removed who still gets in. And who asks by way of the onion is cut off halfway, by just this.
    """

    def __init__(
        self,
        book: ReaderBook,
        *,
        apply: Callable[[bool], Awaitable[None]],
        grant: Callable[[str, str], Awaitable[None]],
        drop: Callable[[str], Awaitable[None]],
    ) -> None:
        self._book = book
        self._apply = apply
        self._grant = grant
        self._drop = drop
        self._lock = trio.Lock()  # one change of a list at a time

    async def list_readers(self) -> Readers:
        """Every reader by name; empty means that everyone may read."""
        return Readers(
            readers=[Reader(name=name, key=key) for name, key in sorted(self._book.load_readers())]
        )

    async def add_reader(self, new: NewReader) -> Reader:
        """Let one more in; without a key a pair is made and its private half is told this once."""
        private, public = (None, read_key(new.key)) if new.key is not None else make_pair()
        async with self._lock:
            rows = self._book.load_readers()
            if any(name == new.name for name, _ in rows):
                raise Refusal("wrong_state", name="taken")
            await self._book.save_readers([*rows, (new.name, public)])
            # The first reader closes an open onion, whose introduction points everybody may still know.
            with trio.CancelScope(shield=True):
                await self._apply(not rows)
        return Reader(name=new.name, key=public, private_key=private)

    async def remove_reader(self, name: str) -> None:
        """Shut one out and cut the circuits of all; the last one's going opens the onion to everyone."""
        async with self._lock:
            rows = self._book.load_readers()
            left = [row for row in rows if row[0] != name]
            if len(left) == len(rows):
                raise Refusal("not_found")
            await self._book.save_readers(left)
            with trio.CancelScope(shield=True):
                await self._apply(True)

    async def list_reader_keys(self) -> ReaderKeys:
        """Closed onions we hold a key for."""
        return ReaderKeys(addresses=sorted(address for address, _ in self._book.load_keys()))

    async def add_reader_key(self, new: NewReaderKey) -> None:
        """Keep and use our private key to a closed onion; it replaces an older one."""
        onion.public_key(new.address)
        address, key = new.address.lower(), read_key(new.key)
        async with self._lock:
            rows = [row for row in self._book.load_keys() if row[0] != address]
            await self._book.save_keys([*rows, (address, key)])
            with trio.CancelScope(shield=True):
                await self._grant(address, key)

    async def remove_reader_key(self, address: str) -> None:
        """Forget the key to a closed onion."""
        async with self._lock:
            rows = self._book.load_keys()
            left = [row for row in rows if row[0] != address.lower()]
            if len(left) == len(rows):
                raise Refusal("not_found")
            await self._book.save_keys(left)
            with trio.CancelScope(shield=True):
                await self._drop(address.lower())


def make_pair() -> tuple[str, str]:
    """A fresh (private, public) x25519 pair in base32, as Tor Browser asks for the private one."""
    key = PrivateKey.generate()
    return _base32(bytes(key)), _base32(bytes(key.public_key))


def read_key(text: str) -> str:
    """A 32-byte key in base32 in Tor's form (upper case, no padding); Refusal malformed."""
    bare = text.strip().rpartition(":")[2].upper().rstrip("=")
    try:
        data = base64.b32decode(bare + "=" * (-len(bare) % 8))
    except (ValueError, binascii.Error) as error:
        raise Refusal("malformed", field="key") from error
    if len(data) != 32:
        raise Refusal("malformed", field="key")
    try:
        bindings.crypto_scalarmult(bytes([8]) * 32, data)
    except RuntimeError as error:
        # A point of low order is nobody's key. Tor would leave it out of the list, and an empty list is open.
        raise Refusal("malformed", field="key") from error
    return _base32(data)


def base64_key(key: str) -> str:
    """A base32 key as Tor's control protocol wants it: base64 without padding."""
    return base64.b64encode(base64.b32decode(key + "=" * (-len(key) % 8))).decode().rstrip("=")


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")
