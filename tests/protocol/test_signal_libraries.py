"""Ours against independent libraries of Signal's documents, their key derivations set to ours.

DoubleRatchet knows no header encryption, which is put around it here; X3DH is PQXDH without the KEM.
"""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
import pytest
import x3dh
from doubleratchet import AEAD, KDF, DoubleRatchet, EncryptedMessage, Header
from doubleratchet.recommended import HashFunction, diffie_hellman_ratchet_curve25519, kdf_separate_hmacs
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings
from nacl.exceptions import CryptoError
from x3dh.identity_key_pair import IdentityKeyPairPriv

from appliance.protocol import keys, pqxdh, prekeys, ratchet
from appliance.protocol.envelope import pad, unpad

T = TypeVar("T")
ROOT, HEADER_A, HEADER_B, BOUND, PAIR = (bytes((at,)) * 32 for at in range(1, 6))
SIZE = 64


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


class Theirs:
    """The library's ratchet with headers encrypted by our rules, as one side of a conversation."""

    def __init__(self, initiates: bool, number: int) -> None:
        self.initiates, self.number, self.library = initiates, number, None  # type: bool, int, Any
        self.next_headers: list[bytes] = []
        self.send_header = HEADER_A if initiates else None
        self.next_send = None if initiates else HEADER_B
        self.receive_header: bytes | None = None
        self.next_receive = HEADER_B if initiates else HEADER_A
        self.old_headers: list[bytes] = []
        self.drawn = 0
        self.shown = b""
        self.parts = self._parts()

    def fresh(self, size: int) -> bytes:
        """Octets that never come again."""
        self.drawn += 1
        return hashlib.shake_256(b"%d %d" % (self.number, self.drawn)).digest(size)

    def _parts(self) -> dict[str, Any]:
        side = self

        class Root(KDF):
            @classmethod
            async def derive(cls, key: bytes, data: bytes, length: int) -> bytes:
                okm = keys.hkdf(data, key, keys.domain("ratchet"), 96)
                side.next_headers.append(okm[64:])
                return okm[:length]

        class Chain(kdf_separate_hmacs.KDF):
            @staticmethod
            def _get_hash_function() -> HashFunction:
                return HashFunction.SHA_256

        class Pairs(diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet):
            @staticmethod
            def _generate_priv() -> bytes:
                return side.fresh(32)

        class Body(AEAD):
            @staticmethod
            async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
                nonce, once = side.fresh(24), keys.hkdf(key, b"", keys.domain("message"), 32)
                return nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
                    pad(plaintext, SIZE), associated_data, nonce, once
                )

            @staticmethod
            async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
                once = keys.hkdf(key, b"", keys.domain("message"), 32)
                return unpad(
                    bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                        ciphertext[24:], associated_data, ciphertext[:24], once
                    )
                )

        class Whole(DoubleRatchet):
            @staticmethod
            def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
                if not side.shown:
                    side.turn()
                    plain = header.ratchet_pub + header.previous_sending_chain_length.to_bytes(4, "big")
                    plain += header.sending_chain_length.to_bytes(4, "big")
                    nonce = side.fresh(24)
                    assert side.send_header
                    side.shown = nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
                        plain, BOUND, nonce, side.send_header
                    )
                return associated_data + side.shown

        self.whole = Whole
        return {
            "diffie_hellman_ratchet_class": Pairs,
            "root_chain_kdf": Root,
            "message_chain_kdf": Chain,
            "message_chain_constant": b"\2\1",
            "dos_protection_threshold": 1000,
            "max_num_skipped_message_keys": 2000,
            "aead": Body,
        }

    def turn(self) -> None:
        """Header keys move on where the library's root chain did."""
        found, self.next_headers = self.next_headers, []
        if len(found) == 1:
            self.next_send = found[0]
        elif found:
            self.old_headers += [self.receive_header] if self.receive_header else []
            self.receive_header, self.send_header = self.next_receive, self.next_send
            self.next_receive, self.next_send = found

    def write(self, payload: bytes) -> bytes:
        """A message in our format."""
        self.shown = b""
        if self.library is None:
            self.library, message = run(
                self.whole.encrypt_initial_message(
                    **self.parts,
                    shared_secret=ROOT,
                    recipient_ratchet_pub=prekeys.x25519_public(PAIR),
                    message=payload,
                    associated_data=BOUND,
                )
            )
        else:
            message = run(self.library.encrypt_message(payload, BOUND))
        return self.shown + message.ciphertext

    def read(self, message: bytes) -> bytes:
        """The payload of a message in our format."""
        self.shown = message[:80]
        encrypted = EncryptedMessage(header=self._header(message[:80]), ciphertext=message[80:])
        if self.library is None:
            self.library, payload = run(
                self.whole.decrypt_initial_message(
                    **self.parts,
                    shared_secret=ROOT,
                    own_ratchet_priv=PAIR,
                    message=encrypted,
                    associated_data=BOUND,
                )
            )
        else:
            payload = run(self.library.decrypt_message(encrypted, BOUND))
        self.turn()
        return payload

    def _header(self, sealed: bytes) -> Header:
        for key in filter(None, [self.receive_header, self.next_receive, *self.old_headers]):
            try:
                plain = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                    sealed[24:], BOUND, sealed[:24], key
                )
            except CryptoError:
                continue
            return Header(
                ratchet_pub=plain[:32],
                previous_sending_chain_length=int.from_bytes(plain[32:36], "big"),
                sending_chain_length=int.from_bytes(plain[36:], "big"),
            )
        raise AssertionError("no header key opens it")


class Ours:
    """Our ratchet as the other side."""

    def __init__(self, initiates: bool, number: int) -> None:
        self.number, self.drawn = number, 0
        if initiates:
            public = prekeys.x25519_public(PAIR)
            self.state = ratchet.initiator(ROOT, public, HEADER_A, HEADER_B, BOUND, self.fresh(32))
        else:
            self.state = ratchet.responder(ROOT, PAIR, HEADER_A, HEADER_B, BOUND)

    def fresh(self, size: int) -> bytes:
        """Octets that never come again."""
        self.drawn += 1
        return hashlib.shake_256(b"ours %d %d" % (self.number, self.drawn)).digest(size)

    def write(self, payload: bytes) -> bytes:
        """A message."""
        sealed = ratchet.encrypt(self.state, payload, SIZE, self.fresh(48))
        self.state = sealed.state
        return sealed.message

    def read(self, message: bytes) -> bytes:
        """Its payload."""
        opened = ratchet.decrypt(self.state, message, self.fresh(32), 0)
        assert opened
        self.state = opened.state
        return opened.payload


@pytest.mark.parametrize("ours_begins", [True, False])
@given(
    turns=st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.randoms(use_true_random=False)), max_size=8)
)
def test_conversations_with_the_library(ours_begins: bool, turns: list[tuple[bool, int, Any]]) -> None:
    """Runs of messages either way, shuffled, some of them much later or never: both read the same."""
    sides: dict[bool, Any] = {True: Ours(ours_begins, 1), False: Theirs(not ours_begins, 2)}
    sides[not ours_begins].read(sides[ours_begins].write(b"first"))
    late: list[tuple[bool, bytes, bytes]] = []
    for number, (by_us, count, random) in enumerate(turns):
        texts = [b"%d.%d" % (number, at) for at in range(count)]
        batch = [(not by_us, text, sides[by_us].write(text)) for text in texts]
        random.shuffle(batch)
        kept = random.randint(0, len(batch))
        late += batch[kept:]
        for to, text, message in batch[:kept]:
            assert sides[to].read(message) == text
    for to, text, message in reversed(late):
        assert sides[to].read(message) == text


class Agreement(x3dh.BaseState):
    """The library's side of X3DH; it encodes keys as they are."""

    @staticmethod
    def _encode_public_key(key_format: x3dh.IdentityKeyFormat, pub: bytes) -> bytes:
        return pub


@pytest.mark.parametrize("one_time", [True, False])
def test_the_agreement_without_its_kem_is_x3dh(one_time: bool) -> None:
    """We begin, the library ends it: with the KEM's secret left out, our root key is X3DH's secret."""
    state = Agreement.create(
        x3dh.IdentityKeyFormat.CURVE_25519,
        x3dh.HashFunction.SHA_256,
        keys.domain("pqxdh"),
        IdentityKeyPairPriv(b"\x48" * 32),
    )
    state.generate_pre_keys(1)
    shown = state.bundle
    prekey = next(iter(shown.pre_keys)) if one_time else None
    own = pqxdh.OwnDevice(bytes(32), bytes(16), b"\x50" * 32)
    other = pqxdh.Party(bytes(32), bytes(16), shown.identity_key)
    kem = prekeys.kem_public(bytes(64))
    bundle = prekeys.bundle_of(bytes(32), bytes(16), prekeys.lasting(1, 1, 0, bytes(96)), [], 0)
    bundle = msgspec.structs.replace(bundle, prekey=shown.signed_pre_key)
    given_prekey = prekeys.OneTimePrekey(1, prekey, kem, bytes(64)) if prekey else None
    nothing = pqxdh.Encapsulated(b"", bytes(1088))
    agreed, initiation = pqxdh.initiate(own, other, bundle, given_prekey, b"\x58" * 32, nothing)
    header = x3dh.Header(
        identity_key=prekeys.x25519_public(own.agreement),
        ephemeral_key=initiation.ephemeral,
        signed_pre_key=shown.signed_pre_key,
        pre_key=prekey,
    )
    secret, _, _ = run(state.get_shared_secret_passive(header, require_pre_key=False))
    assert secret == agreed.root
