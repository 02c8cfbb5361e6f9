"""XChaCha20-Poly1305 from libsodium, called directly: pynacl's own function looks at each argument at length,
which takes twice the time of the work itself, and sealed rows are opened by the hundred.
"""

from __future__ import annotations

from typing import Any, Final

from nacl import _sodium

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 24
TAG_SIZE: Final = 16

_ffi: Final[Any] = _sodium.ffi
_lib: Final[Any] = _sodium.lib
_NULL: Final = _ffi.NULL


def encrypt(key: bytes, nonce: bytes, bound: bytes, value: bytes) -> bytes:
    """ciphertext ‖ tag; `bound` is authenticated with it. ValueError where a size is wrong."""
    _check(key, nonce)
    size = len(value) + TAG_SIZE
    sealed = _ffi.new("unsigned char[]", size)
    _lib.crypto_aead_xchacha20poly1305_ietf_encrypt(
        sealed, _NULL, value, len(value), bound, len(bound), _NULL, nonce, key
    )
    return bytes(_ffi.buffer(sealed, size))


def decrypt(key: bytes, nonce: bytes, bound: bytes, sealed: bytes) -> bytes:
    """The value; ValueError where it was not sealed so."""
    _check(key, nonce)
    size = len(sealed) - TAG_SIZE
    if size < 0:
        raise ValueError("too short")
    value = _ffi.new("unsigned char[]", size)
    if _lib.crypto_aead_xchacha20poly1305_ietf_decrypt(
        value, _NULL, _NULL, sealed, len(sealed), bound, len(bound), nonce, key
    ):
        raise ValueError("not authentic")
    return bytes(_ffi.buffer(value, size))


def _check(key: bytes, nonce: bytes) -> None:
    if len(key) != KEY_SIZE or len(nonce) != NONCE_SIZE:
        raise ValueError("wrong size")
