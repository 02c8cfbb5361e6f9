"""The message of a channel: what a device posts there, sealed by its chain of sender keys and signed.

    message = 01 ‖ chain id(16) ‖ iteration(u32) ‖ commitment(32) ‖ nonce(24) ‖ ciphertext ‖ signature(64)

The commitment ties the message to one chain key: two members who were given different ones cannot be made to
read different things in it. The signature is the chain's, so no member can write in another's name.
"""

from __future__ import annotations

import hmac
from typing import Final

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError

from appliance.errors import Refusal
from appliance.protocol import keys
from appliance.protocol.content import MAX_ITERATIONS
from appliance.protocol.envelope import SIZES, pad, padme, size_for, unpad
from appliance.protocol.keys import SIGNATURE_SIZE, SigningKey, domain
from appliance.protocol.membership import State
from appliance.protocol.messages import Message
from appliance.protocol.sender_key import Chain, Ladder, ReceivingChain, SendingChain, Step, walk

VERSION: Final = 1
MAX_PAYLOAD: Final = 65_536
"""Octets of what one message says."""
NONCE: Final = 24

_CHANNEL_CONTEXT: Final = "channel"
_KEY: Final = domain("channel message")
_COMMIT: Final = domain("channel commitment")
_CHAIN: Final = slice(1, 17)
_ITERATION: Final = slice(17, 21)
_COMMITMENT: Final = slice(21, 53)
_NONCE: Final = slice(53, 77)
_HEAD: Final = 77
OVERHEAD: Final = _HEAD + 16 + SIGNATURE_SIZE
"""Octets of a message that are neither payload nor padding."""
MAX_MESSAGE: Final = OVERHEAD + padme(MAX_PAYLOAD + 1)


class Parts(Message):
    """A message taken apart; `signed` is all but the signature."""

    chain: bytes
    iteration: int
    commitment: bytes
    nonce: bytes
    sealed: bytes
    signed: bytes
    signature: bytes


class Sealed(Message):
    """The chain after sending, and the message."""

    chain: SendingChain
    message: bytes


class Opened(Message):
    """The chain after receiving, and what was said."""

    chain: ReceivingChain
    payload: bytes


def room(size: int) -> int:
    """The payload octets that fit a message of this size."""
    return size - OVERHEAD - 1


def message_size(octets: int) -> int:
    """Of how many octets the message with so many of payload is; Refusal too_large."""
    if octets > MAX_PAYLOAD:
        raise Refusal("too_large")
    if octets <= room(SIZES[-1]):
        return size_for(octets, OVERHEAD)
    return OVERHEAD + padme(octets + 1)


def check(message: bytes) -> None:
    """Refusal wrong_size or unknown_version; all that the box can know of a message."""
    octets = len(message)
    if octets not in SIZES:
        padded = octets - OVERHEAD
        if not SIZES[-1] < octets <= MAX_MESSAGE or padme(padded) != padded:
            raise Refusal("wrong_size")
    if message[0] != VERSION:
        raise Refusal("unknown_version")


def parse(message: bytes) -> Parts:
    """The parts of a message; Refusal unknown_version, bad_message."""
    try:
        check(message)
    except Refusal as error:
        if error.code == "unknown_version" and message[0] > VERSION:
            raise
        raise Refusal("bad_message") from error
    iteration = int.from_bytes(message[_ITERATION], "big")
    if iteration >= MAX_ITERATIONS:
        raise Refusal("bad_message")
    return Parts(
        chain=message[_CHAIN],
        iteration=iteration,
        commitment=message[_COMMITMENT],
        nonce=message[_NONCE],
        sealed=message[_HEAD:-SIGNATURE_SIZE],
        signed=message[:-SIGNATURE_SIZE],
        signature=message[-SIGNATURE_SIZE:],
    )


def seal(sending: SendingChain, state: State, payload: bytes, nonce: bytes) -> Sealed:
    """The next message, posted in this state of the roster; `nonce` is 24 random octets.

    Refusals: not_member (or closed), wrong_state (the chain is used up, or older than the last removal),
    too_large.
    """
    chain, step = sending.chain, sending.step
    if not state.may(chain.identity, "post"):
        raise Refusal("not_member")
    if step.iteration >= MAX_ITERATIONS or chain.since < state.cut:
        raise Refusal("wrong_state")
    padded = pad(payload, message_size(len(payload)) - OVERHEAD)
    bound = _bound(state, chain)
    head = bytes((VERSION,)) + chain.id + step.iteration.to_bytes(4, "big")
    head += hmac.digest(step.key, _COMMIT, "sha256") + nonce
    key = hmac.digest(step.key, _KEY, "sha256")
    signed = head + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, bound + head, nonce, key)
    signature = SigningKey(sending.seed).sign(_CHANNEL_CONTEXT, bound + signed)
    after = msgspec.structs.replace(sending, step=walk(step, step.iteration + 1))
    return Sealed(after, signed + signature)


def verify(chain: Chain, state: State, parts: Parts) -> None:
    """That a member's device posted this in this state of the roster, in this chain (found by its id).

    Refusals: not_member, old_roster (the chain was made before the last removal), bad_message.
    """
    if chain.channel != state.channel or chain.since > state.number:
        raise Refusal("bad_message")
    if not state.may(chain.identity, "post"):
        raise Refusal("not_member")
    if chain.since < state.cut:
        raise Refusal("old_roster")
    try:
        keys.verify(chain.signing, parts.signature, _CHANNEL_CONTEXT, _bound(state, chain) + parts.signed)
    except Refusal as error:
        raise Refusal("bad_message") from error


def open_parts(
    known: ReceivingChain, state: State, number: int, parts: Parts, ladder: Ladder | None = None
) -> Opened:
    """What a verified message says, that stands in the log under this number.

    Read for the first time its iteration is at least the head's, and the head goes behind it; again, it is
    below the head's. Refusals: repeated, out_of_step (from before the base: not for us), bad_message.
    """
    again = number <= known.last
    if parts.iteration < known.base.iteration:
        raise Refusal("out_of_step")
    if again != (parts.iteration < known.head.iteration):
        raise Refusal("repeated")
    if again:
        step = ladder.at(parts.iteration) if ladder else walk(known.base, parts.iteration)
        return Opened(known, open_at(step, known.chain, state, parts))
    step = walk(known.head, parts.iteration)
    payload = open_at(step, known.chain, state, parts)
    after = msgspec.structs.replace(known, head=walk(step, step.iteration + 1), last=number)
    return Opened(after, payload)


def open_at(step: Step, chain: Chain, state: State, parts: Parts) -> bytes:
    """The payload of a verified message by the chain key of its iteration; Refusal bad_message."""
    if not hmac.compare_digest(hmac.digest(step.key, _COMMIT, "sha256"), parts.commitment):
        raise Refusal("bad_message")
    key, bound = hmac.digest(step.key, _KEY, "sha256"), _bound(state, chain) + parts.signed[:_HEAD]
    try:
        padded = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(parts.sealed, bound, parts.nonce, key)
        return unpad(padded)
    except (CryptoError, Refusal) as error:
        raise Refusal("bad_message") from error


def _bound(state: State, chain: Chain) -> bytes:
    place = domain("channel") + state.channel + state.number.to_bytes(4, "big") + state.hash
    return place + chain.identity + chain.device
