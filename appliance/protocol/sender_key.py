"""Sender keys: a chain of keys by which one device writes to a channel, and all its members read.

A chain moves one way with every message. Whoever is given it at an iteration reads from there on and nothing
before; only its maker, who has the signing key, writes in it. What a chain is (whose, since when) is bound by
its id, and a message to the state of the roster in which it was posted.

    have               give            read
    SendingChain       at iteration    (its maker keeps a ReceivingChain of it, too)
    ReceivingChain     base … head     in the order of the log; again from the base on

Every function takes frozen values and returns new ones; what does not verify changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Final, Literal

import msgspec

from appliance.errors import Refusal
from appliance.protocol import keys
from appliance.protocol.content import MAX_ITERATIONS, RosterMark, SenderKey
from appliance.protocol.keys import SigningKey, domain
from appliance.protocol.membership import State
from appliance.protocol.messages import Bytes16, Bytes32, Message
from appliance.protocol.roster import Hour, Number

VERSION: Final = 1
MAX_AGE_HOURS: Final = 7 * 24
"""So old a chain is replaced."""
FRESH_TO_MAKE: Final = 64
"""Octets of randomness in a chain: its first key and the seed of its signing key."""

NEXT: Final = domain("channel chain")

Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Iteration = Annotated[int, msgspec.Meta(ge=0, le=MAX_ITERATIONS)]
LogNumber = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Reason = Literal["count", "age", "removal", "device"]
"""Why a chain has to be replaced: used up, too old, somebody was put out, a device was taken away."""

Present = Mapping[bytes, Collection[bytes]]
"""The devices of a channel's members now, by identity."""


class Chain(Message, omit_defaults=False):
    """What never changes of a chain: whose it is, its place among their chains, the roster it was made in."""

    channel: Bytes16
    identity: Bytes32
    device: Bytes16
    generation: Count
    """0 for the device's first chain in this channel, one more for each that follows."""
    since: Number
    """The roster's number when it was made."""
    signing: Bytes32

    @property
    def id(self) -> bytes:
        """The 16 octets by which messages name it; they can stand for no other chain."""
        numbers = self.generation.to_bytes(4, "big") + self.since.to_bytes(4, "big")
        bound = domain("chain") + self.channel + self.identity + self.device + numbers + self.signing
        return hashlib.sha256(bound).digest()[:16]


class Step(Message, omit_defaults=False):
    """A chain key and its iteration: from here on everything can be read. Secret."""

    iteration: Iteration
    key: Bytes32


class Given(Message, omit_defaults=False):
    """Who has a chain: the member who came with entry `since`, from `iteration` on, on these devices."""

    since: Number
    iteration: Iteration
    devices: Annotated[list[Bytes16], msgspec.Meta(min_length=1, max_length=64)]


class SendingChain(Message, omit_defaults=False):
    """The chain by which this device writes; stored before what it sealed leaves. Secret."""

    version: int
    chain: Chain
    made_hour: Hour
    seed: Bytes32
    step: Step
    own: Annotated[list[Bytes16], msgspec.Meta(max_length=64)]
    """The devices of its maker's account then: all of them read the same vault."""


class ReceivingChain(Message, omit_defaults=False):
    """A chain to read by: from `base` on again and again, from `head` on for the first time. Secret.

    `last` is the log's number of the last message that was read for the first time (0: none).
    """

    version: int
    chain: Chain
    base: Step
    head: Step
    last: LogNumber


def make(
    state: State, identity: bytes, device: bytes, generation: int, own: list[bytes], hour: int, fresh: bytes
) -> SendingChain:
    """A device's next chain; `fresh` is 64 octets. Refusal not_member for whoever cannot post."""
    if not state.may(identity, "post"):
        raise Refusal("not_member")
    key, seed = fresh[:32], fresh[32:FRESH_TO_MAKE]
    public = SigningKey(seed).public
    chain = Chain(state.channel, identity, device, generation, state.number, public)
    return SendingChain(VERSION, chain, hour, seed, Step(0, key), own)


def receiving(sending: SendingChain) -> ReceivingChain:
    """How its maker reads a chain: from its present iteration on."""
    return ReceivingChain(VERSION, sending.chain, sending.step, sending.step, 0)


def why_replace(
    sending: SendingChain, given: Iterable[Given], state: State, present: Present, hour: int
) -> Reason | None:
    """Why this chain, which those were given, must not be written in any more."""
    if sending.step.iteration >= MAX_ITERATIONS:
        return "count"
    # A clock that was set back makes no chain young again.
    if not 0 <= hour - sending.made_hour < MAX_AGE_HOURS:
        return "age"
    if sending.chain.since < state.cut:
        return "removal"
    if {*sending.own} != {*present.get(sending.chain.identity, ())}:
        return "device"
    whose = {member.since: member.identity for member in state.members.values()}
    for one in given:
        if not {*one.devices} <= {*present.get(whose.get(one.since, b""), ())}:
            return "device"
    return None


def note(given: list[Given], since: int, device: bytes, iteration: int) -> tuple[list[Given], int]:
    """What one more device is given at this iteration: it, or the first one that its member was given."""
    for at, one in enumerate(given):
        if one.since == since:
            devices = one.devices if device in one.devices else [*one.devices, device]
            after = msgspec.structs.replace(one, devices=devices)
            return [*given[:at], after, *given[at + 1 :]], one.iteration
    return [*given, Given(since, iteration, [device])], iteration


def give(chain: Chain, step: Step, state: State, info_key: bytes | None, id: bytes, sent: int) -> SenderKey:
    """What a member's device is told of a chain, from this step on."""
    return SenderKey(
        v=1,
        id=id,
        sent=sent,
        channel=chain.channel,
        generation=chain.generation,
        since=chain.since,
        signing=chain.signing,
        iteration=step.iteration,
        key=step.key,
        roster=RosterMark(state.number, state.hash),
        info_key=info_key,
    )


def chain_of(told: SenderKey, identity: bytes, device: bytes) -> Chain:
    """The chain that a device speaks of."""
    return Chain(told.channel, identity, device, told.generation, told.since, told.signing)


def take(told: SenderKey, chain: Chain, known: ReceivingChain | None) -> ReceivingChain:
    """How a chain is read that we were told of; `known` is what we have of the same one.

    Refusal bad_message when its key cannot be one, or does not lead to what is known.
    """
    step = Step(told.iteration, told.key)
    if known is None:
        if not keys.is_prime_order(told.signing):
            raise Refusal("bad_message")
        return ReceivingChain(VERSION, chain, step, step, 0)
    earlier, later = sorted((step, known.base), key=lambda one: one.iteration)
    if not hmac.compare_digest(walk(earlier, later.iteration).key, later.key):
        raise Refusal("bad_message")
    return msgspec.structs.replace(known, base=earlier)


def walk(step: Step, iteration: int) -> Step:
    """The same chain at a later iteration; Refusal out_of_step for an earlier one, whose key is gone."""
    if iteration < step.iteration:
        raise Refusal("out_of_step")
    key = step.key
    for _ in range(iteration - step.iteration):
        key = hmac.digest(key, NEXT, "sha256")
    return Step(iteration, key)


class Ladder:
    """The keys of one chain from a step on, as far as was asked: reading it again goes the way once."""

    __slots__ = ("_base", "_keys")

    def __init__(self, base: Step) -> None:
        self._base, self._keys = base.iteration, [base.key]

    def at(self, iteration: int) -> Step:
        """The chain at this iteration; Refusal out_of_step before the base."""
        if iteration < self._base:
            raise Refusal("out_of_step")
        while len(self._keys) <= iteration - self._base:
            self._keys.append(hmac.digest(self._keys[-1], NEXT, "sha256"))
        return Step(iteration, self._keys[iteration - self._base])

    def __repr__(self) -> str:
        return "<Ladder>"


def forget(chain: ReceivingChain, iteration: int) -> ReceivingChain:
    """Without the keys of what came before this iteration (at most what was read): they are gone for good."""
    until = min(iteration, chain.head.iteration)
    if until <= chain.base.iteration:
        return chain
    return msgspec.structs.replace(chain, base=walk(chain.base, until))
