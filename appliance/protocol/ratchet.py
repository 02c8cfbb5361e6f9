"""The Double Ratchet with header encryption: one key a message, gone once it is used.

Names follow Signal's document. A chain of keys moves with every message (symmetric ratchet); a new
X25519 pair in every answer gives new chains (Diffie-Hellman ratchet), so that whoever once read the state
is shut out again. Headers are encrypted too: what crosses a relay shows no counter and no key.

    have                      send                            receive
    initiator, new            chain from PQXDH                next_receive_header → step
    responder, new            (nothing: receives first)       next_receive_header → step
    after a step              send chain                      receive chain · next → step · kept keys

Every function takes a frozen state and returns a new one; a message that does not verify returns nothing.
Nonces are random, so a state that was set back never repeats one under a key.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal
from appliance.protocol import keys
from appliance.protocol.envelope import pad, unpad
from appliance.protocol.keys import domain
from appliance.protocol.messages import Bytes32, Message
from appliance.protocol.prekeys import x25519_public

VERSION: Final = 1
MAX_SKIP: Final = 1000
"""Messages of one chain that may be missing."""
MAX_KEPT: Final = 2000
"""Keys kept for messages that have not come; the oldest go first."""
KEEP_HOURS: Final = 30 * 24
NONCE: Final = 24
HEADER: Final = 80
"""Octets of an encrypted header: nonce 24, key 32, two counters, tag 16."""
FRESH_TO_SEND: Final = 2 * NONCE
OVERHEAD: Final = HEADER + NONCE + 16

_PUBLIC: Final = slice(0, 32)
_PREVIOUS: Final = slice(32, 36)
_NUMBER: Final = slice(36, 40)

Counter = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class KeptChain(Message, omit_defaults=False):
    """Keys of messages that were passed over in one chain within one hour: [number, message key]."""

    header: Bytes32
    hour: int
    keys: list[tuple[Counter, Bytes32]]


class State(Message):
    """One side of a session. Secret as a whole; `pair` is the X25519 seed (DHs), the rest as in Signal's
    document: remote DHr, root RK, send CKs, receive CKr, *_header HK, next_*_header NHK, sent Ns,
    received Nr, previous PN, kept MKSKIPPED."""

    version: int
    associated: Bytes32
    pair: Bytes32
    root: Bytes32
    next_send_header: Bytes32
    next_receive_header: Bytes32
    sent: Counter
    received: Counter
    previous: Counter
    kept: list[KeptChain]
    remote: Bytes32 | None = None
    send: Bytes32 | None = None
    receive: Bytes32 | None = None
    send_header: Bytes32 | None = None
    receive_header: Bytes32 | None = None


class Header(Message):
    """What a header says: the sender's ratchet key, length of the chain before, number in this one."""

    public: bytes
    previous: int
    number: int


class Sealed(Message):
    """The state after sending, and header(80) ‖ nonce(24) ‖ ciphertext."""

    state: State
    message: bytes


class Opened(Message):
    """The state after receiving, and the payload; `late`: it was opened with a kept key."""

    state: State
    payload: bytes
    late: bool


def initiator(
    root: bytes, remote: bytes, header: bytes, next_header: bytes, associated: bytes, pair: bytes
) -> State:
    """RatchetInitAliceHE: sends first, to B's prekey; `pair` is a fresh seed. Refusal bad_bundle."""
    try:
        root, send, next_send = _step(root, pair, remote)
    except ValueError as error:
        raise Refusal("bad_bundle") from error
    return State(
        version=VERSION,
        associated=associated,
        pair=pair,
        root=root,
        next_send_header=next_send,
        next_receive_header=next_header,
        sent=0,
        received=0,
        previous=0,
        kept=[],
        remote=remote,
        send=send,
        send_header=header,
    )


def responder(root: bytes, pair: bytes, header: bytes, next_header: bytes, associated: bytes) -> State:
    """RatchetInitBobHE: receives first, with the prekey pair it was written to."""
    return State(
        version=VERSION,
        associated=associated,
        pair=pair,
        root=root,
        next_send_header=next_header,
        next_receive_header=header,
        sent=0,
        received=0,
        previous=0,
        kept=[],
    )


def encrypt(state: State, payload: bytes, size: int, fresh: bytes) -> Sealed:
    """The next message, its payload padded to `size` octets; `fresh` is 48 octets.

    Refusal wrong_state when nothing was received yet that could be answered, wrong_size when it is too long.
    """
    if state.send is None or state.send_header is None or state.sent >= (1 << 32) - 1:
        raise Refusal("wrong_state")
    padded = pad(payload, size)
    plain = x25519_public(state.pair) + state.previous.to_bytes(4, "big") + state.sent.to_bytes(4, "big")
    header = _seal(state.send_header, fresh[:NONCE], state.associated, plain)
    send, key = _next(state.send)
    body = _seal(_message_key(key), fresh[NONCE:FRESH_TO_SEND], state.associated + header, padded)
    return Sealed(msgspec.structs.replace(state, send=send, sent=state.sent + 1), header + body)


def decrypt(state: State, message: bytes, fresh: bytes, hour: int) -> Opened | None:
    """What a message says; None when no header key of this session opens it. `fresh` is 32 octets.

    Refusal repeated (its key is used up), out_of_step (too many are missing), bad_message (its header is
    ours and the rest is not).
    """
    if len(message) < OVERHEAD:
        return None
    state = _aged(state, hour)
    sealed = message[:HEADER]
    if state.receive_header and (header := _open_header(state, state.receive_header, sealed)):
        if header.number < state.received:
            return _late(state, state.receive_header, header.number, message)
        return _in_chain(_skip(state, header.number, hour), message)
    if header := _open_header(state, state.next_receive_header, sealed):
        state = _skip(state, header.previous, hour)
        return _in_chain(_skip(_turn(state, header.public, fresh), header.number, hour), message)
    for key in dict.fromkeys(chain.header for chain in state.kept):
        if header := _open_header(state, key, sealed):
            return _late(state, key, header.number, message)
    return None


def trim(state: State, limit: int) -> State:
    """The state with at most `limit` kept keys, the newest."""
    return msgspec.structs.replace(state, kept=_newest(state.kept, limit))


def _late(state: State, header: bytes, number: int, message: bytes) -> Opened:
    """A message that was passed over, opened with its kept key."""
    for at, chain in enumerate(state.kept):
        for entry in chain.keys if chain.header == header else ():
            if entry[0] == number:
                left = [each for each in chain.keys if each[0] != number]
                rest = [msgspec.structs.replace(chain, keys=left)] if left else []
                kept = [*state.kept[:at], *rest, *state.kept[at + 1 :]]
                payload = _open_body(state, entry[1], message)
                return Opened(msgspec.structs.replace(state, kept=kept), payload, late=True)
    raise Refusal("repeated")


def _in_chain(state: State, message: bytes) -> Opened:
    """The message whose key is the receiving chain's next."""
    if state.receive is None:
        raise Refusal("wrong_state")
    receive, key = _next(state.receive)
    payload = _open_body(state, key, message)
    after = msgspec.structs.replace(state, receive=receive, received=state.received + 1)
    return Opened(after, payload, late=False)


def _skip(state: State, until: int, hour: int) -> State:
    """SkipMessageKeysHE: keep the keys of the receiving chain up to a number; Refusal out_of_step."""
    if state.receive is None or state.receive_header is None or until <= state.received:
        return state
    if until - state.received > MAX_SKIP:
        raise Refusal("out_of_step")
    chain, found = state.receive, []
    for number in range(state.received, until):
        chain, key = _next(chain)
        found.append((number, key))
    kept = list(state.kept)
    for at, each in enumerate(kept):
        if each.header == state.receive_header and each.hour == hour:
            kept[at] = msgspec.structs.replace(each, keys=[*each.keys, *found])
            break
    else:
        kept.append(KeptChain(state.receive_header, hour, found))
    return msgspec.structs.replace(state, receive=chain, received=until, kept=_newest(kept, MAX_KEPT))


def _turn(state: State, public: bytes, fresh: bytes) -> State:
    """DHRatchetHE: the other side answered with a new key; new chains both ways. Refusal bad_message."""
    try:
        root, receive, next_receive = _step(state.root, state.pair, public)
        root, send, next_send = _step(root, fresh, public)
    except ValueError as error:
        raise Refusal("bad_message") from error
    return msgspec.structs.replace(
        state,
        previous=state.sent,
        sent=0,
        received=0,
        send_header=state.next_send_header,
        receive_header=state.next_receive_header,
        next_send_header=next_send,
        next_receive_header=next_receive,
        remote=public,
        root=root,
        receive=receive,
        send=send,
        pair=fresh,
    )


def _aged(state: State, hour: int) -> State:
    if all(chain.hour + KEEP_HOURS > hour for chain in state.kept):
        return state
    kept = [chain for chain in state.kept if chain.hour + KEEP_HOURS > hour]
    return msgspec.structs.replace(state, kept=kept)


def _newest(kept: Sequence[KeptChain], limit: int) -> list[KeptChain]:
    """At most `limit` keys: those that were kept first go."""
    surplus = sum(len(chain.keys) for chain in kept) - limit
    left = []
    for chain in kept:
        if surplus >= len(chain.keys):
            surplus -= len(chain.keys)
        elif surplus > 0:
            left.append(msgspec.structs.replace(chain, keys=chain.keys[surplus:]))
            surplus = 0
        else:
            left.append(chain)
    return left


def _step(root: bytes, pair: bytes, remote: bytes) -> tuple[bytes, bytes, bytes]:
    """KDF_RK_HE: root key, chain key, next header key; ValueError for a remote key of low order."""
    okm = keys.hkdf(keys.agree(pair, remote)[1], root, domain("ratchet"), 96)
    return okm[:32], okm[32:64], okm[64:]


def _next(chain: bytes) -> tuple[bytes, bytes]:
    """KDF_CK: the chain key after this message, and the message's key."""
    return hmac.digest(chain, b"\2", "sha256"), hmac.digest(chain, b"\1", "sha256")


def _message_key(key: bytes) -> bytes:
    return keys.hkdf(key, b"", domain("message"), 32)


def _seal(key: bytes, nonce: bytes, bound: bytes, plain: bytes) -> bytes:
    return nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, bound, nonce, key)


def _open_header(state: State, key: bytes, sealed: bytes) -> Header | None:
    try:
        plain = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            sealed[NONCE:], state.associated, sealed[:NONCE], key
        )
    except CryptoError:
        return None
    return Header(
        plain[_PUBLIC], int.from_bytes(plain[_PREVIOUS], "big"), int.from_bytes(plain[_NUMBER], "big")
    )


def _open_body(state: State, key: bytes, message: bytes) -> bytes:
    """The payload under a message key; Refusal bad_message."""
    header, nonce, sealed = message[:HEADER], message[HEADER : HEADER + NONCE], message[HEADER + NONCE :]
    try:
        padded = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            sealed, state.associated + header, nonce, _message_key(key)
        )
        return unpad(padded)
    except (CryptoError, Refusal) as error:
        raise Refusal("bad_message") from error
