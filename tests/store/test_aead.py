"""The cipher of the store: alike with pynacl's own function, and refusing what was not sealed so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from appliance.store import aead

KEY, NONCE = bytes(range(32)), bytes(range(24))


@given(st.binary(max_size=2000), st.binary(min_size=1, max_size=60))
def test_it_agrees_with_pynacl(value: bytes, bound: bytes) -> None:
    sealed = aead.encrypt(KEY, NONCE, bound, value)
    assert sealed == bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(value, bound, NONCE, KEY)
    assert aead.decrypt(KEY, NONCE, bound, sealed) == value


@given(st.binary(max_size=100), st.data())
def test_what_was_changed_does_not_open(value: bytes, data: st.DataObject) -> None:
    sealed = bytearray(aead.encrypt(KEY, NONCE, b"place", value))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError, match="not authentic"):
        aead.decrypt(KEY, NONCE, b"place", bytes(sealed))


@pytest.mark.parametrize("size", range(aead.TAG_SIZE))
def test_what_is_too_short_is_not_read(size: int) -> None:
    with pytest.raises(ValueError, match="too short"):
        aead.decrypt(KEY, NONCE, b"", bytes(size))


@pytest.mark.parametrize(
    ("key", "nonce"), [(KEY[1:], NONCE), (KEY, NONCE[1:]), (b"", b""), (KEY + b"x", NONCE)]
)
def test_keys_and_nonces_have_their_size(key: bytes, nonce: bytes) -> None:
    for act in (aead.encrypt, aead.decrypt):
        with pytest.raises(ValueError, match="wrong size"):
            act(key, nonce, b"", bytes(40))
