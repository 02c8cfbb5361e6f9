"""Sender keys: the vectors, a channel in which everything happens, bounds, refusals, what stays hidden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import channel_message, keys, membership, roster, sender_key
from appliance.protocol.group_cipher import MAX_CHAINS, MAX_RETIRED, Recipient, SenderKeys
from tests.protocol.channel_world import NAMES, ONION, World
from tests.protocol.parties import Fresh
from tests.vectors.channel_checks import check_sender_keys

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "sender_keys.json").read_text())
HOUR = 1000


def test_vectors() -> None:
    check_sender_keys(VECTORS)


ACTIONS = {
    "say": lambda world, a, b: world.say(a, b),
    "crash": lambda world, a, b: world.say(a, b, crash=True),
    "refused": lambda world, a, b: world.say(a, b, refused=True),
    "join": lambda world, a, b: world.change(a, roster.Join(NAMES[a], ONION)),
    "leave": lambda world, a, b: world.change(a, roster.Leave()),
    "put out": lambda world, a, b: world.change(0, roster.Remove(world.accounts[a].key.public)),
    "add": lambda world, a, b: world.change(
        0, roster.Add(NAMES[a], ONION, world.accounts[a].key.public, "member")
    ),
    "timer": lambda world, a, b: world.change(0, roster.SetTimer(b)),
    "deliver": lambda world, a, b: world.deliver(b),
    "lose": lambda world, a, b: world.deliver(b, lose=True),
    "double": lambda world, a, b: world.deliver(b, twice=True),
    "read": lambda world, a, b: world.catch_up(a, b),
    "replay": lambda world, a, b: world.replay(b),
    "new device": lambda world, a, b: world.new_device(a),
    "revoke": lambda world, a, b: world.revoke(a),
    "week": lambda world, a, b: setattr(world, "hour", world.hour + 168),
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [*ACTIONS, *["say"] * 6, "read", "read", "deliver", "lose", "lose", "join", "add", "week"]
        ),
        st.integers(0, 3),
        st.integers(0, 20),
    ),
    min_size=8,
    max_size=60,
)


@settings(max_examples=150)
@given(STEPS)
def test_who_is_in_reads_everything_and_nobody_else_anything(steps: list[tuple[str, int, int]]) -> None:
    world = World()
    world.change(1, roster.Join("bob", ONION))
    for what, who, which in steps:
        ACTIONS[what](world, who, which)
    world.settle()
    world.check()


@settings(max_examples=60)
@given(STEPS, STEPS, st.integers(0, 3))
def test_an_account_that_was_set_back_goes_on_as_new(
    before: list[tuple[str, int, int]], between: list[tuple[str, int, int]], who: int
) -> None:
    world = World()
    world.change(1, roster.Join("bob", ONION))
    for what, a, b in before:
        ACTIONS[what](world, a, b)
    backup = world.snapshot(who)
    for what, a, b in between:
        ACTIONS[what](world, a, b)
    world.restore(who, backup)
    for each in range(4):
        world.say(each, 0)
    world.settle()
    world.check()


class Pair:
    """A channel of two, Ada who writes and Bob who reads."""

    def __init__(self) -> None:
        self.fresh = Fresh("pair")
        self.world = World()
        self.world.change(1, roster.Join("bob", ONION))
        self.ada, self.bob = (
            SenderKeys(each.key.public, each.devices[0]) for each in self.world.accounts[:2]
        )
        self.from_ada = Recipient(self.ada._own.identity, self.ada._own.device)
        self.to_bob = Recipient(self.bob._own.identity, self.bob._own.device)
        self.renew()

    @property
    def state(self) -> membership.State:
        """The roster now."""
        return self.world.state

    def renew(self) -> None:
        """Ada's next chain, given to Bob."""
        self.ada.renew(self.state, self.world.present(), HOUR, self.fresh(64))
        self.bob.take(self.ada.give(self.state, self.to_bob, bytes(16), 1), self.from_ada)

    def say(self, text: bytes = b"x") -> bytes:
        """Ada's next message."""
        return self.ada.seal(self.state, text, self.fresh(24))

    def hear(self, number: int, message: bytes, code: str | None = None) -> bytes | None:
        """What Bob reads; or that it is refused."""
        if code is None:
            heard = self.bob.open(self.state, number, message)
            return heard.payload if heard else None
        with pytest.raises(Refusal) as caught:
            self.bob.open(self.state, number, message)
        assert caught.value.code == code
        return None


def test_a_chain_is_used_up_after_so_many() -> None:
    pair = Pair()
    for number in range(sender_key.MAX_ITERATIONS):
        assert pair.ada.why_renew(pair.state, pair.world.present(), HOUR) is None
        last = pair.say(str(number).encode())
    assert pair.ada.why_renew(pair.state, pair.world.present(), HOUR) == "count"
    with pytest.raises(Refusal, match="wrong_state"):
        pair.say()
    # All but the last was lost: one walk, and no more than that can be asked of anybody.
    assert pair.hear(1, last) == b"999"


def test_every_reason_to_begin_anew() -> None:
    pair = Pair()
    present = pair.world.present()
    assert pair.ada.why_renew(pair.state, present, HOUR + 167) is None
    assert pair.ada.why_renew(pair.state, present, HOUR + 168) == "age"
    assert pair.ada.why_renew(pair.state, present, HOUR - 1) == "age"
    ada, bob = pair.from_ada.identity, pair.to_bob.identity
    more = present | {ada: [*present[ada], bytes(16)]}
    assert pair.ada.why_renew(pair.state, more, HOUR) == "device"
    assert pair.ada.why_renew(pair.state, present | {bob: [bytes(16)]}, HOUR) == "device"
    # One more device of a member is given the keys; it is no reason to make new ones.
    two = present | {bob: [*present[bob], bytes(16)]}
    assert pair.ada.why_renew(pair.state, two, HOUR) is None
    assert [each.device for each in pair.ada.missing(pair.state, two)] == [bytes(16)]
    pair.world.change(1, roster.Leave())
    assert pair.ada.why_renew(pair.state, pair.world.present(), HOUR) == "removal"


def test_order_repeats_and_what_a_box_can_turn_around() -> None:
    pair = Pair()
    one, two, three = pair.say(b"1"), pair.say(b"2"), pair.say(b"3")
    assert pair.hear(5, two) == b"2"
    pair.hear(5, three, "repeated")
    pair.hear(6, one, "repeated")
    pair.hear(6, two, "repeated")
    assert pair.hear(4, one) == b"1"
    pair.hear(3, one, "repeated")
    pair.hear(4, two, "repeated")
    pair.renew()
    later = pair.say(b"4")
    assert pair.hear(8, later) == b"4"
    # What was held back of the chain before cannot come after the next one any more.
    pair.hear(9, three, "repeated")
    assert pair.hear(7, three) == b"3"


def test_a_message_is_bound_to_its_roster() -> None:
    pair = Pair()
    message = pair.say(b"before")
    before = pair.state
    pair.world.change(0, roster.SetTimer(60))
    pair.hear(3, message, "bad_message")
    fork = msgspec.structs.replace(before, hash=bytes(32))
    with pytest.raises(Refusal, match="bad_message"):
        pair.bob.open(fork, 3, message)
    other = msgspec.structs.replace(before, channel=b"\1" * 16)
    with pytest.raises(Refusal, match="bad_message"):
        pair.bob.open(other, 3, message)
    heard = pair.bob.open(before, 3, message)
    assert heard and heard.payload == b"before"


def test_who_was_put_out_posts_nothing_and_old_chains_count_no_more() -> None:
    pair = Pair()
    pair.world.change(2, roster.Join("cleo", ONION))
    held = pair.say(b"held back")
    ada = pair.ada._sending
    assert ada
    pair.world.change(0, roster.Remove(pair.world.accounts[2].key.public))
    pair.hear(5, held, "old_roster")
    # Whoever has all of Ada's secrets but not her place in the roster.
    gone = msgspec.structs.replace(
        pair.state, members={pair.to_bob.identity: pair.state.members[pair.to_bob.identity]}
    )
    with pytest.raises(Refusal, match="not_member"):
        pair.bob.open(gone, 5, held)
    with pytest.raises(Refusal, match="not_member"):
        channel_message.seal(ada, gone, b"x", bytes(24))
    with pytest.raises(Refusal, match="not_member"):
        sender_key.make(gone, pair.from_ada.identity, bytes(16), 0, [], HOUR, bytes(64))


def test_a_member_cannot_write_in_anothers_name() -> None:
    """Bob has the keys of Ada's chain, and everything but the key that signs."""
    pair = Pair()
    known = next(iter(pair.bob._chains.values()))
    forged = sender_key.SendingChain(1, known.chain, HOUR, b"\7" * 32, known.head, [])
    message = channel_message.seal(forged, pair.state, b"I, Ada", bytes(24)).message
    pair.hear(3, message, "bad_message")
    # Nor by telling others that her chain is his, or that his is hers.
    told = pair.ada.give(pair.state, pair.to_bob, bytes(16), 1)
    cleo = SenderKeys(b"\3" * 32, b"\3" * 16)
    cleo.take(told, pair.to_bob)
    assert cleo.open(pair.state, 3, pair.say()) is None
    squatter = Recipient(pair.to_bob.identity, pair.from_ada.device)
    cleo.take(told, squatter)
    cleo.take(told, pair.from_ada)
    heard = cleo.open(pair.state, 4, pair.say(b"really"))
    assert heard and heard.sender == pair.from_ada


def test_a_member_cannot_say_different_things_to_different_people() -> None:
    """Two keys for one chain: whoever has the one it is not committed to reads nothing, not another thing."""
    pair = Pair()
    cleo = SenderKeys(b"\3" * 32, b"\3" * 16)
    told = pair.ada.give(pair.state, pair.to_bob, bytes(16), 1)
    cleo.take(msgspec.structs.replace(told, key=b"\4" * 32), pair.from_ada)
    message = pair.say(b"to all")
    with pytest.raises(Refusal, match="bad_message"):
        cleo.open(pair.state, 3, message)
    assert pair.hear(3, message) == b"to all"
    # Nor can a chain be told anew with another key.
    with pytest.raises(Refusal, match="bad_message"):
        pair.bob.take(msgspec.structs.replace(told, key=b"\4" * 32), pair.from_ada)
    with pytest.raises(Refusal, match="bad_message"):
        pair.bob.take(msgspec.structs.replace(told, iteration=1), pair.from_ada)


def test_a_refused_message_changes_nothing() -> None:
    pair = Pair()
    message = pair.say(b"x" * 500)
    pair.bob.changes()
    for at in range(0, len(message), 7):
        broken = message[:at] + bytes((message[at] ^ 1,)) + message[at + 1 :]
        try:
            assert pair.bob.open(pair.state, 3, broken) is None
        except Refusal as error:
            assert error.code in ("bad_message", "unknown_version")
    assert not pair.bob.changes()
    assert pair.hear(3, message) == b"x" * 500


def test_bounds_of_chains() -> None:
    pair = Pair()
    first = pair.say(b"first")
    for _ in range(MAX_CHAINS):
        pair.renew()
    assert len(pair.bob._of(pair.from_ada)) == MAX_CHAINS and pair.hear(3, first) is None
    assert len(pair.ada._shares.retired) == MAX_RETIRED
    told = pair.ada.give(pair.state, pair.to_bob, bytes(16), 1)
    old = msgspec.structs.replace(told, generation=0, signing=keys.SigningKey(bytes(32)).public)
    with pytest.raises(Refusal, match="bad_message"):
        pair.bob.take(old, pair.from_ada)
    low = msgspec.structs.replace(told, generation=99, signing=bytes(32))
    with pytest.raises(Refusal, match="bad_message"):
        pair.bob.take(low, pair.from_ada)


def test_keys_of_what_left_the_log_are_gone() -> None:
    pair = Pair()
    messages = [pair.say(str(at).encode()) for at in range(6)]
    for at, message in enumerate(messages):
        pair.hear(at + 3, message)
    chain = channel_message.parse(messages[0]).chain
    pair.bob.forget({chain: 3})
    pair.hear(4, messages[1], "out_of_step")
    assert pair.hear(6, messages[3]) == b"3"
    pair.bob.forget({})
    pair.hear(8, messages[5], "out_of_step")
    assert pair.hear(9, pair.say(b"next")) == b"next"
    pair.renew()
    pair.bob.forget({})
    assert pair.hear(10, messages[5]) is None


def test_secrets_stay_out_of_repr() -> None:
    pair = Pair()
    chain = next(iter(pair.bob._chains.values()))
    shown: list[Any] = [pair.ada, pair.ada._sending, chain, chain.base, sender_key.Ladder(chain.base)]
    shown += [pair.ada.give(pair.state, pair.to_bob, bytes(16), 1), *pair.ada.changes().values()]
    for each in shown:
        text = repr(each)
        assert text.startswith("<") and chain.base.key.hex() not in text and str(chain.base.key) not in text
    assert repr(chain.base) == "<Step>" and repr(pair.bob) == "<SenderKeys 1 chains>"


def test_sizes_tell_little() -> None:
    sizes = {channel_message.message_size(octets) for octets in range(0, 65_537, 3)}
    assert len(sizes) < 50 and max(sizes) <= channel_message.MAX_MESSAGE
    with pytest.raises(Refusal, match="too_large"):
        channel_message.message_size(65_537)
    for size in (0, 959, 16_321, channel_message.MAX_MESSAGE + 2048):
        with pytest.raises(Refusal, match="wrong_size"):
            channel_message.check(b"\1" * size)
