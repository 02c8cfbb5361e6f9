"""Peers: the vectors, both beginning at once, forgetting, replays, and any run of such events."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.errors import Refusal
from appliance.protocol import certificate, codec, first, peer, ratchet, replays
from appliance.protocol.peer import Peer
from appliance.protocol.record import padded_size
from appliance.protocol.vault import MAX_RECORD
from tests.protocol.parties import HOUR, Someone, acquainted, carry
from tests.vectors.checks import check_peer

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "peer.json").read_text())


def test_vectors() -> None:
    check_peer(VECTORS)


def test_both_begin_at_once_and_come_to_one_session() -> None:
    ada, bob = Someone("ada"), Someone("bob")
    to_bob, to_ada = ada.begin(ada.know(bob), bob), bob.begin(bob.know(ada), ada)
    from_ada, from_bob = ada.seal(to_bob, b"from ada"), bob.seal(to_ada, b"from bob")
    here, there = ada.open(from_ada.peer, from_bob.envelope), bob.open(from_bob.peer, from_ada.envelope)
    assert here and there and (here[1], there[1]) == (b"from bob", b"from ada")
    to_bob, to_ada = here[0], there[0]
    for at in range(3):
        to_bob, to_ada = carry(ada, to_bob, bob, to_ada, b"%d" % at)
        to_ada, to_bob = carry(bob, to_ada, ada, to_bob, b"%d" % at)
    assert to_bob.sessions[0].ephemeral == to_ada.sessions[0].ephemeral


def test_a_device_that_forgot_everything_is_healed_by_a_new_session() -> None:
    ada, to_bob, bob, to_ada = acquainted()
    lost = ada.seal(to_bob, b"nobody reads this")
    forgot = bob.know(ada)
    assert bob.open(forgot, lost.envelope) is None
    forgot, to_bob = carry(bob, bob.begin(forgot, ada, ada.give(5)), ada, lost.peer, b"resync")
    to_bob, forgot = carry(ada, to_bob, bob, forgot, b"again")
    # What was under way in the old session is still read; the next word of the healed device sets it right.
    late = bob.seal(to_ada, b"late")
    found = ada.open(to_bob, late.envelope)
    assert found and found[1] == b"late"
    forgot, to_bob = carry(bob, forgot, ada, found[0], b"here I am")
    carry(ada, to_bob, bob, forgot, b"so you are")


def test_a_late_message_opens_and_does_not_bring_its_old_session_back() -> None:
    ada, to_bob, bob, to_ada = acquainted()
    early = ada.seal(to_bob, b"early")
    later = ada.seal(early.peer, b"later")
    found = bob.open(to_ada, later.envelope)
    assert found
    renewed, to_bob = carry(bob, bob.begin(found[0], ada), ada, later.peer, b"new session")
    newest = renewed.sessions[0].ephemeral
    found = bob.open(renewed, early.envelope)
    assert found and found[1] == b"early" and found[0].sessions[0].ephemeral == newest


def test_a_one_time_prekey_begins_one_session() -> None:
    ada, bob = Someone("ada"), Someone("bob")
    to_bob = ada.begin(ada.know(bob), bob, bob.give(1))
    sealed = ada.seal(to_bob, b"hello")
    found = bob.open(bob.know(ada), sealed.envelope)
    assert found and bob.one_time == {}
    with pytest.raises(Refusal, match="repeated"):
        bob.open(found[0], sealed.envelope)
    with pytest.raises(Refusal, match="out_of_step"):
        bob.open(bob.know(ada), sealed.envelope)


def test_a_replay_to_the_last_resort_is_known_by_its_mark() -> None:
    """The peer was forgotten, the key is still there: only the memory of marks tells."""
    ada, bob = Someone("ada"), Someone("bob")
    sealed = ada.seal(ada.begin(ada.know(bob), bob), b"hello")
    marks: list[replays.Mark] = []
    for time in range(2):
        outer = first.open_envelope(bob.own, sealed.envelope, HOUR)
        assert outer
        found = peer.accept(bob.own, outer, [bob.lasting], {}, None, HOUR, bob.fresh(32))
        assert found.one_time_id == 0 and found.mark
        if time == 0:
            marks = replays.remember(marks, found.mark, HOUR)
        else:
            with pytest.raises(Refusal, match="repeated"):
                replays.remember(marks, found.mark, HOUR)


def test_prekeys_that_are_gone_put_the_sender_out_of_step() -> None:
    ada, bob = Someone("ada"), Someone("bob")
    sealed = ada.seal(ada.begin(ada.know(bob), bob), b"hello")
    outer = first.open_envelope(bob.own, sealed.envelope, HOUR)
    assert outer
    with pytest.raises(Refusal, match="out_of_step"):
        peer.accept(bob.own, outer, [], {}, None, HOUR, bob.fresh(32))
    older = [msgspec.structs.replace(bob.lasting, prekey_id=2), bob.lasting]
    assert peer.accept(bob.own, outer, older, {}, None, HOUR, bob.fresh(32)).payload == b"hello"


def test_messages_are_for_one_device_of_one_person() -> None:
    ada, to_bob, _, _ = acquainted()
    envelope = ada.seal(to_bob, b"hello").envelope
    carol, to_carol, _, _ = acquainted()
    assert carol.name == ada.name
    dave = Someone("dave")
    known = dave.begin(dave.know(ada), ada)
    assert dave.open(known, envelope) is None
    assert ada.open(to_carol, envelope) is None


def test_a_known_device_cannot_change_its_key() -> None:
    ada, bob = Someone("ada"), Someone("bob")
    sealed = ada.seal(ada.begin(ada.know(bob), bob), b"hello")
    other = msgspec.structs.replace(bob.know(ada), agreement=Someone("x").party.agreement)
    with pytest.raises(Refusal, match="bad_message"):
        bob.open(other, sealed.envelope)


def test_nobody_takes_the_place_of_a_device_by_its_id() -> None:
    """Ids are public: Eve's own identity may sign a certificate for Ada's device id."""
    ada, bob, eve = Someone("ada"), Someone("bob"), Someone("eve")
    eve.own = msgspec.structs.replace(eve.own, device=ada.own.device)
    value = certificate.read(eve.certificate, HOUR)
    eve.certificate = certificate.make(eve.identity, msgspec.structs.replace(value, device=ada.own.device))
    sealed = eve.seal(eve.begin(eve.know(bob), bob), b"I sit in Ada's place")
    with pytest.raises(Refusal, match="bad_message"):
        bob.open(bob.know(ada), sealed.envelope)


def test_a_bundle_of_another_device_is_refused() -> None:
    ada, bob, carol = Someone("ada"), Someone("bob"), Someone("carol")
    with pytest.raises(Refusal, match="bad_bundle"):
        ada.begin(ada.know(bob), carol)


def test_without_a_session_nothing_is_sealed() -> None:
    ada = Someone("ada")
    with pytest.raises(Refusal, match="wrong_state"):
        ada.seal(ada.know(Someone("bob")), b"x")


def passed_over(here: Peer, count: int) -> Peer:
    """The peer as if so many messages had been sent and lost."""
    session = here.sessions[0]
    chain = session.ratchet.send
    assert chain
    for _ in range(count):
        chain = ratchet._next(chain)[0]
    state = msgspec.structs.replace(session.ratchet, send=chain, sent=session.ratchet.sent + count)
    sessions = [msgspec.structs.replace(session, ratchet=state), *here.sessions[1:]]
    return msgspec.structs.replace(here, sessions=sessions)


def test_at_most_five_sessions_and_the_whole_fits_a_vault_record() -> None:
    """Five sessions with as many kept keys as they may have."""
    ada, bob = Someone("ada"), Someone("bob")
    to_bob, to_ada = ada.know(bob), bob.know(ada)
    for _ in range(6):
        to_bob = ada.begin(to_bob, bob)
        for run in range(2):
            to_bob = passed_over(to_bob, ratchet.MAX_SKIP)
            to_bob, to_ada = carry(ada, to_bob, bob, to_ada, b"%d" % run)
            if run == 0:
                to_ada, to_bob = carry(bob, to_ada, ada, to_bob, b"turn")
    kept = [sum(len(chain.keys) for chain in each.ratchet.kept) for each in to_ada.sessions]
    assert kept == [2000, 500, 500, 500, 500]
    assert padded_size(len(codec.encode(to_ada))) + 29 <= MAX_RECORD


def test_peers_read_back_and_newer_ones_are_refused() -> None:
    _, to_bob, _, to_ada = acquainted()
    for each in (to_bob, to_ada):
        assert peer.read(codec.decode(codec.encode(each))) == each
        assert repr(each) == "<Peer>" and repr(each.sessions[0]) == "<Session>"
    with pytest.raises(Refusal, match="unknown_version"):
        peer.read({"version": 2, "anything": 1})
    with pytest.raises(Refusal, match="malformed"):
        peer.read({"version": 1})


class Conversation(RuleBasedStateMachine):
    """Two devices and a network that delays, doubles, loses and changes; either may crash or be set back.

    A crash before saving is a send whose envelope left although its state was not stored (what the rule of
    saving first forbids): it must cost messages, never a nonce, and never the conversation for good.
    """

    def __init__(self) -> None:
        super().__init__()
        self.people = {"ada": Someone("ada"), "bob": Someone("bob")}
        ada, bob = self.people.values()
        self.peers = {"ada": ada.know(bob), "bob": bob.know(ada)}
        self.saved: dict[str, list[Peer]] = {"ada": [], "bob": []}
        self.wire: list[tuple[str, bytes, bytes]] = []
        self.read: dict[str, list[bytes]] = {"ada": [], "bob": []}
        self.uses: set[bytes] = set()
        self.set_back = False
        self.number = 0

    def other(self, who: str) -> str:
        """The other side."""
        return "bob" if who == "ada" else "ada"

    def seal(self, who: str) -> peer.Sealed:
        """The next message of a side, put on the wire; its nonces are new."""
        self.number += 1
        payload = b"%d" % self.number
        sealed = self.people[who].seal(self.peers[who], payload)
        nonces = {sealed.envelope[1:33]}
        assert not nonces & self.uses
        self.uses |= nonces
        self.wire.append((self.other(who), payload, sealed.envelope))
        return sealed

    @rule(who=st.sampled_from(["ada", "bob"]), one_time=st.booleans())
    def begin(self, who: str, one_time: bool) -> None:
        """A new session, by look-up."""
        there = self.people[self.other(who)]
        self.number += 1
        once = there.give(self.number) if one_time else None
        self.peers[who] = self.people[who].begin(self.peers[who], there, once)

    @rule(who=st.sampled_from(["ada", "bob"]))
    def send(self, who: str) -> None:
        """A message, saved and sent."""
        if self.peers[who].sessions:
            self.peers[who] = self.seal(who).peer

    @rule(who=st.sampled_from(["ada", "bob"]))
    def save_and_crash(self, who: str) -> None:
        """A message that was saved and never sent."""
        if self.peers[who].sessions:
            self.peers[who] = self.seal(who).peer
            self.wire.pop()

    @rule(who=st.sampled_from(["ada", "bob"]))
    def send_and_crash(self, who: str) -> None:
        """A message that was sent and not saved."""
        if self.peers[who].sessions:
            self.seal(who)
            self.set_back = True

    @rule(who=st.sampled_from(["ada", "bob"]))
    def keep_a_copy(self, who: str) -> None:
        """A backup."""
        self.saved[who].append(self.peers[who])

    @precondition(lambda self: any(self.saved.values()))
    @rule(who=st.sampled_from(["ada", "bob"]), random=st.randoms(use_true_random=False))
    def go_back(self, who: str, random: object) -> None:
        """The backup is restored."""
        if self.saved[who]:
            self.peers[who] = self.saved[who][-1]
            self.set_back = True

    @precondition(lambda self: self.wire)
    @rule(data=st.data(), again=st.booleans())
    def arrive(self, data: st.DataObject, again: bool) -> None:
        """Any envelope under way arrives; perhaps it will again."""
        at = data.draw(st.integers(0, len(self.wire) - 1))
        self.deliver(*(self.wire[at] if again else self.wire.pop(at)))

    @precondition(lambda self: self.wire)
    @rule(data=st.data())
    def arrive_changed(self, data: st.DataObject) -> None:
        """An envelope arrives with one bit changed, or cut: nothing is read, nothing changes."""
        who, _, envelope = self.wire[data.draw(st.integers(0, len(self.wire) - 1))]
        bit = data.draw(st.integers(0, len(envelope) * 8 - 1))
        changed = bytearray(envelope)
        changed[bit // 8] ^= 1 << bit % 8
        for broken in (bytes(changed), envelope[: bit // 8]):
            try:
                assert self.people[who].open(self.peers[who], broken) is None
            except Refusal as error:
                # Repeated: the header is whole, and its message was read before.
                assert error.code in ("bad_message", "unknown_version", "wrong_size", "repeated")

    @precondition(lambda self: self.wire)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """An envelope never arrives."""
        self.wire.pop(data.draw(st.integers(0, len(self.wire) - 1)))

    def deliver(self, who: str, payload: bytes, envelope: bytes) -> bool:
        """Whether it was read; then it says what was sent, and was not read before."""
        try:
            found = self.people[who].open(self.peers[who], envelope)
        except Refusal as error:
            assert error.code in ("repeated", "out_of_step", "bad_message")
            # A header that opens over a body that does not: only a sender that was set back makes those.
            assert error.code != "bad_message" or self.set_back
            return False
        if found is None:
            return False
        assert found[1] == payload
        assert self.set_back or payload not in self.read[who]
        self.read[who].append(payload)
        self.peers[who] = found[0]
        return True

    @invariant()
    def bounded(self) -> None:
        """A peer keeps its bounds and reads back."""
        for each in self.peers.values():
            assert len(each.sessions) <= peer.MAX_SESSIONS
            assert peer.read(codec.decode(codec.encode(each))) == each

    def teardown(self) -> None:
        """Whatever happened: a new session heals it, both ways."""
        ada, bob = self.people.values()
        to_bob, to_ada = ada.begin(self.peers["ada"], bob), self.peers["bob"]
        to_bob, to_ada = carry(ada, to_bob, bob, to_ada, b"resync")
        to_ada, to_bob = carry(bob, to_ada, ada, to_bob, b"heard")
        carry(ada, to_bob, bob, to_ada, b"well")


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=30)
