"""The Double Ratchet: the vectors, any order and loss, changed messages, bounds, and states set back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import codec, prekeys, ratchet
from tests.protocol.parties import HOUR, Fresh
from tests.vectors.checks import check_ratchet

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "ratchet.json").read_text())
SIZE = 32
ROOT, HEADER_A, HEADER_B, BOUND, PAIR = (bytes((at,)) * 32 for at in range(1, 6))


class Side:
    """One state and where its randomness comes from."""

    def __init__(self, label: str, initiates: bool) -> None:
        self.fresh = Fresh(label)
        public = prekeys.x25519_public(PAIR)
        self.state = (
            ratchet.initiator(ROOT, public, HEADER_A, HEADER_B, BOUND, self.fresh(32))
            if initiates
            else ratchet.responder(ROOT, PAIR, HEADER_A, HEADER_B, BOUND)
        )

    def write(self, payload: bytes) -> bytes:
        """The next message."""
        sealed = ratchet.encrypt(self.state, payload, SIZE, self.fresh(48))
        self.state = sealed.state
        return sealed.message

    def read(self, message: bytes, hour: int = HOUR) -> bytes | None:
        """Its payload; None when it is not ours."""
        opened = ratchet.decrypt(self.state, message, self.fresh(32), hour)
        if opened is None:
            return None
        self.state = opened.state
        return opened.payload


def pair() -> tuple[Side, Side]:
    """Both sides before the first message."""
    return Side("a", True), Side("b", False)


def test_vectors() -> None:
    check_ratchet(VECTORS)


TURNS = st.lists(st.tuples(st.booleans(), st.integers(1, 6), st.randoms(use_true_random=False)), max_size=10)


@given(TURNS)
def test_any_order_loss_and_repeats(turns: list[tuple[bool, int, Any]]) -> None:
    """Whatever arrives is read once, in whatever order; what comes again changes nothing."""
    a, b = pair()
    assert b.read(a.write(b"first")) == b"first"
    way = {True: (a, b), False: (b, a)}
    held: list[tuple[bool, bytes, bytes]] = []
    for number, (by_a, count, random) in enumerate(turns):
        sender, _ = way[by_a]
        held += [
            (by_a, b"%d %d" % (number, at), sender.write(b"%d %d" % (number, at))) for at in range(count)
        ]
        random.shuffle(held)
        arriving, held = held[: random.randint(0, len(held))], held[random.randint(0, len(held)) :]
        held = [each for each in held if each not in arriving]
        for from_a, text, message in arriving:
            _, reader = way[from_a]
            assert reader.read(message) == text
            before = reader.state
            try:
                assert reader.read(message) is None
            except Refusal as error:
                assert error.code == "repeated"
            assert reader.state is before
    assert b.read(a.write(b"last")) == b"last" and a.read(b.write(b"last")) == b"last"


@given(st.integers(0, 8 * (ratchet.OVERHEAD + SIZE) - 1), st.booleans())
def test_no_bit_can_be_changed(bit: int, skipped: bool) -> None:
    a, b = pair()
    first, second = a.write(b"one"), a.write(b"two")
    message = first
    if skipped:
        b.read(second)
    changed = bytearray(message)
    changed[bit // 8] ^= 1 << bit % 8
    before = b.state
    try:
        assert b.read(bytes(changed)) is None
    except Refusal as error:
        assert error.code == "bad_message"
    assert b.state is before
    assert b.read(message) == b"one"


@pytest.mark.parametrize("cut", [0, 1, 79, 80, 104, 119, 120, ratchet.OVERHEAD + SIZE - 1])
def test_cut_messages_are_not_read(cut: int) -> None:
    a, b = pair()
    message = a.write(b"one")
    try:
        assert b.read(message[:cut]) is None
    except Refusal as error:
        assert error.code == "bad_message"
    assert b.read(message) == b"one"


def test_a_thousand_may_be_missing_and_not_one_more() -> None:
    a, b = pair()
    messages = [a.write(b"") for _ in range(ratchet.MAX_SKIP + 2)]
    with pytest.raises(Refusal, match="out_of_step"):
        b.read(messages[ratchet.MAX_SKIP + 1])
    assert b.read(messages[ratchet.MAX_SKIP]) == b""
    assert sum(len(chain.keys) for chain in b.state.kept) == ratchet.MAX_SKIP
    assert b.read(messages[ratchet.MAX_SKIP + 1]) == b"" and b.read(messages[0]) == b""


def test_a_thousand_of_the_chain_before_may_be_missing_too() -> None:
    a, b = pair()
    b.read(a.write(b""))
    old = [a.write(b"%d" % at) for at in range(ratchet.MAX_SKIP)]
    a.read(b.write(b""))
    new = [a.write(b"new %d" % at) for at in range(ratchet.MAX_SKIP)]
    assert b.read(new[-1]) == b"new 999"
    assert sum(len(chain.keys) for chain in b.state.kept) == 2 * ratchet.MAX_SKIP - 1
    assert b.read(old[0]) == b"0" and b.read(new[5]) == b"new 5"


def test_at_most_two_thousand_keys_are_kept_and_the_oldest_go() -> None:
    a, b = pair()
    runs = []
    for number in range(4):
        runs.append([a.write(b"%d" % at) for at in range(701)])
        assert b.read(runs[-1][-1], HOUR + number) == b"700"
        a.read(b.write(b""))
    assert sum(len(chain.keys) for chain in b.state.kept) == ratchet.MAX_KEPT
    # Four runs of 700: the first and a hundred of the second are gone.
    assert b.read(runs[0][699]) is None
    with pytest.raises(Refusal, match="repeated"):
        b.read(runs[1][99])
    assert b.read(runs[1][100]) == b"100" and b.read(runs[3][0]) == b"0"


def test_kept_keys_age() -> None:
    a, b = pair()
    messages = [a.write(b"%d" % at) for at in range(4)]
    b.read(messages[3], HOUR)
    assert b.read(messages[0], HOUR + ratchet.KEEP_HOURS - 1) == b"0"
    with pytest.raises(Refusal, match="repeated"):
        b.read(messages[1], HOUR + ratchet.KEEP_HOURS)
    assert b.read(a.write(b"x"), HOUR + ratchet.KEEP_HOURS) == b"x"
    assert b.state.kept == []


def test_the_responder_cannot_send_before_it_received() -> None:
    _, b = pair()
    with pytest.raises(Refusal, match="wrong_state"):
        b.write(b"x")


def test_a_payload_must_leave_room_for_its_padding() -> None:
    a, b = pair()
    assert b.read(a.write(bytes(SIZE - 1))) == bytes(SIZE - 1)
    before = a.state
    with pytest.raises(Refusal, match="wrong_size"):
        a.write(bytes(SIZE))
    assert a.state is before


def test_a_key_of_low_order_is_refused() -> None:
    with pytest.raises(Refusal, match="bad_bundle"):
        ratchet.initiator(ROOT, bytes(32), HEADER_A, HEADER_B, BOUND, PAIR)
    a, b = pair()
    plain = bytes(32) + bytes(8)
    header = ratchet._seal(HEADER_A, bytes(24), BOUND, plain)
    with pytest.raises(Refusal, match="bad_message"):
        b.read(header + a.write(b"x")[80:])


def test_a_state_set_back_never_repeats_a_nonce_under_a_key() -> None:
    """A crash between saving and sending, or a restored backup: the same keys, never the same nonces."""
    a, b = pair()
    b.read(a.write(b"one"))
    a.read(b.write(b"answer"))
    seen: set[tuple[bytes, bytes]] = set()
    for _ in range(3):
        back = a.state
        for at in range(5):
            assert a.state.send and a.state.send_header
            key = ratchet._next(a.state.send)[1]
            message = a.write(b"%d" % at)
            uses = {(a.state.send_header, message[:24]), (key, message[80:104])}
            assert a.state.send_header == back.send_header and not uses & seen
            seen |= uses
        a.state = back


def test_the_other_side_survives_a_sender_that_was_set_back() -> None:
    """The first of the doubled messages is read, the other is known as a repeat; what follows is read."""
    a, b = pair()
    back = a.state
    one = a.write(b"one")
    a.state = back
    other, third = a.write(b"other"), a.write(b"third")
    assert b.read(one) == b"one"
    with pytest.raises(Refusal, match="repeated"):
        b.read(other)
    assert b.read(third) == b"third"


def test_old_keys_do_not_open_new_messages() -> None:
    """Who read a whole state is shut out once both sides have turned the ratchet with new keys."""
    a, b = pair()
    b.read(a.write(b"one"))
    a.read(b.write(b"two"))
    b.read(a.write(b"three"))
    stolen = Side("thief", False)
    stolen.state = b.state
    a.read(b.write(b"four"))
    b.read(a.write(b"five"))
    a.read(b.write(b"six"))
    message = a.write(b"seven")
    assert stolen.read(message) is None and b.read(message) == b"seven"


def test_states_read_back_and_hide_in_repr() -> None:
    a, b = pair()
    messages = [a.write(b"%d" % at) for at in range(3)]
    b.read(messages[2])
    for side in (a, b):
        assert codec.read(codec.encode(side.state), ratchet.State) == side.state
        assert repr(side.state) == "<State>"
    assert repr(b.state.kept[0]) == "<KeptChain>"
