"""Keys: signing (Ed25519), agreement (X25519) and derivation (HKDF-SHA-256).

Every signature is made over `island/v1/` ‖ context ‖ 0 ‖ message, so none can serve another purpose.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal

DOMAIN: Final = b"island/v1/"
SIGNATURE_SIZE: Final = 64
KEM_PUBLIC_SIZE: Final = 1184
KEM_CIPHERTEXT_SIZE: Final = 1088


class SigningKey:
    """An Ed25519 key from its 32-byte seed; its repr shows the public half only."""

    __slots__ = ("_secret", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        self.public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self.seed = seed

    def sign(self, context: str, message: bytes) -> bytes:
        """The 64-byte signature over `message` in this context (plain ASCII without zero)."""
        return bindings.crypto_sign(signed_bytes(context, message), self._secret)[:SIGNATURE_SIZE]

    def sign_plain(self, message: bytes) -> bytes:
        """The 64-byte signature without context, for formats of others (SPEC.md, "Transparency log").

        The message must not begin with "island/v1/": then it can be no other signature of ours.
        """
        if message.startswith(DOMAIN):
            raise ValueError("a plain message must not look like one with a context")
        return bindings.crypto_sign(message, self._secret)[:SIGNATURE_SIZE]

    def __repr__(self) -> str:
        return f"<SigningKey {self.public.hex()[:8]}…>"


def signed_bytes(context: str, message: bytes) -> bytes:
    """What Ed25519 signs for a message in a context."""
    return DOMAIN + context.encode("ascii") + b"\0" + message


def verify(public: bytes, signature: bytes, context: str, message: bytes) -> None:
    """Accept a signature strictly, as SPEC.md ("Signatures") says; Refusal signature.

    libsodium compares the encoding of R, so R is canonical and never of small order, and S is reduced;
    with a key of prime order no two correct implementations can then disagree.
    """
    verify_plain(public, signature, signed_bytes(context, message))


def verify_plain(public: bytes, signature: bytes, message: bytes) -> None:
    """The same for a message without context; Refusal signature."""
    if len(signature) != SIGNATURE_SIZE or not is_prime_order(public):
        raise Refusal("signature")
    try:
        bindings.crypto_sign_open(signature + message, public)
    except CryptoError as error:
        raise Refusal("signature") from error


def is_prime_order(public: bytes) -> bool:
    """True for 32 bytes that encode, canonically, an Ed25519 point of the prime-order group."""
    return len(public) == 32 and _is_valid_point(public)


@lru_cache(maxsize=4096)
def _is_valid_point(public: bytes) -> bool:
    # As dear as the verification itself, and the same keys come again and again.
    return bindings.crypto_core_ed25519_is_valid_point(public)


def agree(seed: bytes, public: bytes) -> tuple[bytes, bytes]:
    """The public key of an X25519 seed, and its secret with `public`; ValueError at low order."""
    key = X25519PrivateKey.from_private_bytes(seed)
    return key.public_key().public_bytes_raw(), key.exchange(X25519PublicKey.from_public_bytes(public))


def domain(name: str) -> bytes:
    """What separates the uses of keys: "island/v1/" ‖ name ‖ 00 (SPEC.md writes D(name))."""
    return DOMAIN + name.encode("ascii") + b"\0"


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA-256 (RFC 5869): `length` octets from a secret."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)
