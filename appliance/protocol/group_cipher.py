"""The group cipher: what a channel needs of its encryption, and how sender keys do it.

Another cipher (MLS, say) would stand behind the same calls. An object is the state of one channel on one
device: a call that is refused leaves it as it was, and what `changes` tells is stored before anything that
was made leaves. What is kept to read belongs to the account: all its devices find it in the vault. What is
kept to write is the device's own; one that was set back is a new device, and begins a new chain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

import msgspec

from appliance.errors import Refusal
from appliance.protocol import channel_message, codec, sender_key
from appliance.protocol.content import SenderKey
from appliance.protocol.membership import MAX_MEMBERS, State
from appliance.protocol.messages import Bytes16, Message
from appliance.protocol.roster import Number
from appliance.protocol.sender_key import (
    Given,
    Iteration,
    Ladder,
    Present,
    Reason,
    ReceivingChain,
    SendingChain,
)

Told = TypeVar("Told")

VERSION: Final = 1
MAX_CHAINS: Final = 64
"""Chains kept of one device; the oldest go first."""
MAX_DEVICES: Final = 2000
"""Devices of a channel."""
MAX_RETIRED: Final = 8
"""Of so many chains that were replaced it is remembered who was given them."""


class Recipient(Message):
    """A device of somebody."""

    identity: bytes
    device: bytes


class Heard(Message):
    """What a message said, and the device that posted it."""

    sender: Recipient
    payload: bytes


class GroupCipher(ABC, Generic[Told]):
    """The encryption of one channel, as one device has it; `Told` is what devices tell one another."""

    encryption: ClassVar[str]
    """Its name in the channel's description."""

    @abstractmethod
    def why_renew(self, state: State, present: Present, hour: int) -> str | None:
        """Why nothing may be sealed before `renew`; None when all is well."""

    @abstractmethod
    def renew(self, state: State, present: Present, hour: int, fresh: bytes) -> None:
        """Begin to write with new keys; `fresh` is 64 octets."""

    @abstractmethod
    def missing(self, state: State, present: Present) -> list[Recipient]:
        """The members' devices that cannot read us yet."""

    @abstractmethod
    def give(self, state: State, to: Recipient, id: bytes, sent: int) -> Told:
        """What such a device is told over a session with it, and remember that."""

    @abstractmethod
    def answer(self, state: State, to: Recipient, wanted: bytes, id: bytes, sent: int) -> Told | None:
        """What a member's device is told that asks for these keys; None when they are not for it."""

    @abstractmethod
    def take(self, told: Told, sender: Recipient) -> None:
        """What we were told, over a session with that device."""

    @abstractmethod
    def seal(self, state: State, payload: bytes, fresh: bytes) -> bytes:
        """A message to be posted in this state of the roster; `fresh` is 24 octets."""

    @abstractmethod
    def open(self, state: State, number: int, message: bytes) -> Heard | None:
        """What the log's entry `number` says, posted in this state; None when its key has not come yet."""

    @abstractmethod
    def forget(self, oldest: Mapping[bytes, int]) -> None:
        """Let go of the keys of all that left the log; `oldest`: each chain's first iteration there."""

    @abstractmethod
    def changes(self) -> dict[str, Any]:
        """The records that changed since this was last asked, by name; None: to be removed."""


class Retired(Message, omit_defaults=False):
    """A chain of ours that was replaced, and from where who had it: [member's since, iteration]."""

    chain: Bytes16
    given: Annotated[list[tuple[Number, Iteration]], msgspec.Meta(max_length=MAX_MEMBERS)]


class Sending(Message, omit_defaults=False):
    """What a device keeps to write: its chain. Secret."""

    version: int
    chain: SendingChain


class Shares(Message, omit_defaults=False):
    """Who was given a device's chain, and its last ones."""

    version: int
    given: Annotated[list[Given], msgspec.Meta(max_length=MAX_MEMBERS)]
    retired: Annotated[list[Retired], msgspec.Meta(max_length=MAX_RETIRED)]


class Reading(Message, omit_defaults=False):
    """What an account keeps to read one device's messages: its chains, by generation. Secret."""

    version: int
    chains: Annotated[list[ReceivingChain], msgspec.Meta(min_length=1, max_length=MAX_CHAINS)]


_RECORDS: Final[dict[str, type[Sending | Shares | Reading]]] = {
    "sending": Sending,
    "shares": Shares,
    "reading": Reading,
}


class SenderKeys(GroupCipher[SenderKey]):
    """Sender keys: every device writes by a chain of its own (sender_key.py)."""

    encryption = "sender-keys/1"

    def __init__(self, identity: bytes, device: bytes, info_key: bytes | None = None) -> None:
        self._own, self.info_key = Recipient(identity, device), info_key
        self._sending: SendingChain | None = None
        self._shares = Shares(VERSION, [], [])
        self._chains: dict[bytes, ReceivingChain] = {}
        self._devices: dict[Recipient, dict[bytes, int]] = {}
        self._ladders: dict[bytes, Ladder] = {}
        self._order: dict[Recipient, list[tuple[int, int, int]]] = {}
        self._changed: set[str | Recipient] = set()

    def __repr__(self) -> str:
        return f"<SenderKeys {len(self._chains)} chains>"

    # Records

    def load(self, records: Mapping[str, Any]) -> None:
        """Take in stored records (decoded CBOR) by the names that `changes` gave them.

        Refusal unknown_version, or wrong_state for a damaged one.
        """
        for name, value in records.items():
            if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > VERSION:
                raise Refusal("unknown_version")
            try:
                record = codec.convert(value, _RECORDS[name.partition("/")[0]])
            except (Refusal, KeyError) as error:
                raise Refusal("wrong_state") from error
            if isinstance(record, Sending):
                self._sending = record.chain
            elif isinstance(record, Shares):
                self._shares = record
            else:
                for chain in record.chains:
                    self._put(chain)
        self._changed.clear()

    def changes(self) -> dict[str, Any]:
        """See GroupCipher: "sending/…" and "shares/…" are the device's own, "reading/…" the account's."""
        found: dict[str, Any] = {}
        own = self._own.device.hex()
        for each in self._changed:
            if each == "sending" and self._sending:
                found[f"sending/{own}"] = Sending(VERSION, self._sending)
            elif each == "shares":
                found[f"shares/{own}"] = self._shares
            elif isinstance(each, Recipient):
                chains = self._of(each)
                name = f"reading/{each.identity.hex()}/{each.device.hex()}"
                found[name] = Reading(VERSION, chains) if chains else None
        self._changed.clear()
        return found

    # Writing

    def why_renew(self, state: State, present: Present, hour: int) -> Reason | None:
        """See GroupCipher; "count" before the first chain."""
        if self._sending is None:
            return "count"
        return sender_key.why_replace(self._sending, self._shares.given, state, present, hour)

    def renew(self, state: State, present: Present, hour: int, fresh: bytes) -> None:
        """See GroupCipher. Refusal not_member."""
        before, own = self._sending, self._own
        generation = before.chain.generation + 1 if before else 0
        devices = sorted(present.get(own.identity, ()))
        chain = sender_key.make(state, own.identity, own.device, generation, devices, hour, fresh)
        retired = self._shares.retired
        if before is not None:
            given = [(one.since, one.iteration) for one in self._shares.given]
            retired = [*retired, Retired(before.chain.id, given)][-MAX_RETIRED:]
        self._sending, self._shares = chain, Shares(VERSION, [], retired)
        self._changed |= {"sending", "shares"}
        self._put(sender_key.receiving(chain))

    def missing(self, state: State, present: Present) -> list[Recipient]:
        """See GroupCipher. One's own other devices find the chain in the vault."""
        given = {(one.since, device) for one in self._shares.given for device in one.devices}
        found = []
        for identity, devices in present.items():
            member = state.member(identity)
            if member is None or identity == self._own.identity:
                continue
            found += [Recipient(identity, each) for each in devices if (member.since, each) not in given]
        return found

    def give(self, state: State, to: Recipient, id: bytes, sent: int) -> SenderKey:
        """See GroupCipher. Refusals not_member, wrong_state (`renew` first)."""
        member, sending = state.member(to.identity), self._sending
        if member is None:
            raise Refusal("not_member")
        if sending is None or sending.chain.since < state.cut:
            raise Refusal("wrong_state")
        given, first = sender_key.note(self._shares.given, member.since, to.device, sending.step.iteration)
        told = self._tell(sending.chain.id, first, state, id, sent)
        self._shares = msgspec.structs.replace(self._shares, given=given)
        self._changed.add("shares")
        return told

    def answer(self, state: State, to: Recipient, wanted: bytes, id: bytes, sent: int) -> SenderKey | None:
        """See GroupCipher: `wanted` is a chain's id. It is given from where its member was given it first."""
        member, known, sending = state.member(to.identity), self._chains.get(wanted), self._sending
        if member is None or known is None or _maker(known) != self._own:
            return None
        if sending is not None and sending.chain.id == wanted:
            if sending.chain.since >= state.cut:
                return self.give(state, to, id, sent)
            # Nothing is sealed with it any more, but it may be read from where it was given.
            given = [(one.since, one.iteration) for one in self._shares.given]
        else:
            given = next((one.given for one in self._shares.retired if one.chain == wanted), [])
        first = dict(given).get(member.since)
        if first is None and member.since > known.chain.since:
            return None
        return self._tell(wanted, first or 0, state, id, sent)

    def seal(self, state: State, payload: bytes, fresh: bytes) -> bytes:
        """See GroupCipher. Refusals not_member, wrong_state (`renew` first), too_large."""
        if self._sending is None:
            raise Refusal("wrong_state")
        sealed = channel_message.seal(self._sending, state, payload, fresh)
        self._sending = sealed.chain
        self._changed.add("sending")
        return sealed.message

    # Reading

    def take(self, told: SenderKey, sender: Recipient) -> None:
        """See GroupCipher. Refusal bad_message; too_many beyond the devices a channel may have."""
        chain = sender_key.chain_of(told, sender.identity, sender.device)
        known = self._chains.get(chain.id)
        taken = sender_key.take(told, chain, known)
        others = self._of(sender)
        if not others and len(self._devices) >= MAX_DEVICES:
            raise Refusal("too_many")
        if known is None and len(others) >= MAX_CHAINS:
            if others[0].chain.generation >= told.generation:
                raise Refusal("bad_message")
            self._drop(others[0].chain.id)
        self._put(taken)

    def open(self, state: State, number: int, message: bytes) -> Heard | None:
        """See GroupCipher. Refusals not_member, old_roster, repeated, bad_message, unknown_version;
        out_of_step: it was posted before we were given its chain.
        """
        parts = channel_message.parse(message)
        known = self._chains.get(parts.chain)
        if known is None:
            return None
        channel_message.verify(known.chain, state, parts)
        sender, place = _maker(known), (number, known.chain.generation, parts.iteration)
        order = self._order.setdefault(sender, [])
        at = self._check_order(known, sender, order, place)
        ladder = None
        if number <= known.last:
            ladder = self._ladders.setdefault(parts.chain, Ladder(known.base))
        opened = channel_message.open_parts(known, state, number, parts, ladder)
        if opened.chain is not known:
            self._chains[parts.chain] = opened.chain
            self._changed.add(sender)
        if order[at : at + 1] != [place]:
            order.insert(at, place)
        return Heard(sender, opened.payload)

    def forget(self, oldest: Mapping[bytes, int]) -> None:
        """See GroupCipher. Chains of which nothing is left go, but for a device's newest one."""
        for id, known in [*self._chains.items()]:
            first = oldest.get(id)
            if first is None and known.last == 0:
                continue  # nothing was read by it: what it is for may be yet to come
            if first is None and self._of(_maker(known))[-1] is not known:
                self._drop(id)
                continue
            after = sender_key.forget(known, known.head.iteration if first is None else first)
            if after is not known:
                self._put(after)

    # Within

    def _tell(self, id: bytes, first: int, state: State, message: bytes, sent: int) -> SenderKey:
        known = self._chains[id]
        step = sender_key.walk(known.base, max(first, known.base.iteration))
        return sender_key.give(known.chain, step, state, self.info_key, message, sent)

    def _check_order(
        self,
        known: ReceivingChain,
        sender: Recipient,
        order: list[tuple[int, int, int]],
        place: tuple[int, int, int],
    ) -> int:
        """Where a message stands among what was read of its device; Refusal repeated if that cannot be.

        Generation and iteration rise with the numbers of the log: nothing is shown twice or turned around.
        """
        for id in self._devices[sender]:
            one = self._chains[id]
            ahead = one.chain.generation - known.chain.generation
            if one.last > 0 and ((ahead > 0 and one.last < place[0]) or (ahead == 0 and one is not known)):
                raise Refusal("repeated")
        at = bisect_left(order, (place[0], 0, 0))
        if order[at : at + 1] == [place]:
            return at
        before, after = order[max(0, at - 1) : at], order[at : at + 1]
        if before and before[0][1:] >= place[1:]:
            raise Refusal("repeated")
        if after and (after[0][0] == place[0] or after[0][1:] <= place[1:]):
            raise Refusal("repeated")
        return at

    def _of(self, device: Recipient) -> list[ReceivingChain]:
        """A device's chains, the oldest generation first."""
        ids = self._devices.get(device, {})
        return [self._chains[id] for id in sorted(ids, key=ids.__getitem__)]

    def _put(self, chain: ReceivingChain) -> None:
        id, maker = chain.chain.id, _maker(chain)
        self._chains[id] = chain
        self._devices.setdefault(maker, {})[id] = chain.chain.generation
        self._ladders.pop(id, None)
        self._changed.add(maker)

    def _drop(self, id: bytes) -> None:
        maker = _maker(self._chains.pop(id))
        self._devices[maker].pop(id)
        if not self._devices[maker]:
            del self._devices[maker]
            self._order.pop(maker, None)
        self._ladders.pop(id, None)
        self._changed.add(maker)


def _maker(chain: ReceivingChain) -> Recipient:
    return Recipient(chain.chain.identity, chain.chain.device)
