"""Rosters: the vectors, what holds whatever members try, forks, and what it costs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import codec, membership, roster
from appliance.protocol.directory import Entry as DirectoryEntry
from appliance.protocol.keys import SigningKey
from appliance.protocol.membership import RIGHTS, Mark, State
from tests.vectors.channel_checks import check_roster

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "roster.json").read_text())
ONION = SigningKey(b"\x0b" * 32).public
PEOPLE = [SigningKey(bytes([1 + at]) * 32) for at in range(5)]
NAMES = ["ada", "bob", "cleo", "dan", "eve"]
INFO = roster.Info("t", "")
SEALED = bytes(60)


def entry(state: State | None, actor: int, change: Any) -> roster.Entry:
    """The next entry of somebody."""
    number, before = (state.number, state.hash) if state else (0, bytes(32))
    return roster.Entry(1, bytes(16), number + 1, before, 1, PEOPLE[actor].public, change)


def after(state: State | None, actor: int, change: Any) -> State:
    """The state after somebody's change, which travels in between."""
    return membership.apply(state, roster.read(roster.sign(PEOPLE[actor], entry(state, actor, change))))


def created(public: bool) -> State:
    """A channel of Ada's."""
    return after(None, 0, roster.Create(public, "ada", ONION, INFO if public else SEALED, 0, 0))


def test_vectors() -> None:
    check_roster(VECTORS)


CHANGES: dict[str, Callable[[int, roster.Role], Any]] = {
    "create": lambda whom, role: roster.Create(True, NAMES[whom], ONION, INFO, 0, 0),
    "add": lambda whom, role: roster.Add(NAMES[whom], ONION, PEOPLE[whom].public, role),
    "join": lambda whom, role: roster.Join(NAMES[whom], ONION),
    "remove": lambda whom, role: roster.Remove(PEOPLE[whom].public),
    "leave": lambda whom, role: roster.Leave(),
    "role": lambda whom, role: roster.SetRole(PEOPLE[whom].public, role),
    "info": lambda whom, role: roster.SetInfo(INFO if whom % 2 else SEALED),
    "timer": lambda whom, role: roster.SetTimer(whom),
    "slow": lambda whom, role: roster.SetSlow(whom),
    "close": lambda whom, role: roster.Close(),
}
ATTEMPTS = st.lists(
    st.tuples(
        st.integers(0, 4),
        # Closing ends the story: not as often as the rest.
        st.sampled_from([each for each in CHANGES if each != "close"] * 4 + ["close"]),
        st.integers(0, 4),
        st.sampled_from(["owner", "moderator", "member"]),
    ),
    max_size=40,
)


@given(st.booleans(), ATTEMPTS)
def test_whatever_is_tried_the_rules_hold(public: bool, attempts: list[Any]) -> None:
    state = created(public)
    for actor, kind, whom, role in attempts:
        change = CHANGES[kind](whom, role)
        try:
            next_ = after(state, actor, change)
        except Refusal as error:
            assert error.code == "bad_roster"
            continue
        check_step(state, next_, PEOPLE[actor].public, kind)
        assert membership.load(codec.decode(codec.encode(membership.store(next_)))) == next_
        state = next_


def check_step(before: State, now: State, actor: bytes, kind: str) -> None:
    """What must hold of every change, told in other words than the rules are written in."""
    assert now.number == before.number + 1 and now.trail[-1] == now.hash != before.hash
    me = before.members.get(actor)
    changed = {
        each
        for each in before.members.keys() | now.members.keys()
        if before.members.get(each) != now.members.get(each)
    }
    gone = before.members.keys() - now.members.keys()
    assert kind != "create" and len(changed) <= 1
    if me is None:
        # Somebody from outside can do one thing, and only in public, and only for themselves.
        assert kind == "join" and before.public and changed == {actor} and actor not in before.barred
    elif me.role == "member":
        assert kind == "leave" and changed == {actor}
    elif me.role == "moderator":
        for each in changed - {actor}:
            old, new = before.members.get(each), now.members.get(each)
            assert {one.role for one in (old, new) if one} == {"member"}
        assert kind != "close" and kind != "role"
    assert now.cut == (now.number if gone else before.cut)
    assert all(not now.may(each, "post") for each in gone)
    if now.closed:
        assert kind in ("close", "leave") and not any(now.may(each, "post") for each in now.members)
    else:
        assert any(member.role == "owner" for member in now.members.values())
    assert isinstance(now.info, roster.Info) == now.public == before.public
    names = [(member.name, member.onion) for member in now.members.values()]
    assert len(names) == len(set(names))
    assert all(identity == member.identity for identity, member in now.members.items())
    assert not now.members.keys() & set(now.barred)


def test_every_change_but_two_is_in_the_table() -> None:
    assert set(roster.KINDS) - {"create", "join"} <= RIGHTS.keys()
    assert set(CHANGES) == set(roster.KINDS)


def test_a_fork_is_told_from_what_was_seen() -> None:
    entries = [bytes.fromhex(each) for each in VECTORS["rosters"][0]["entries"]]
    whole = membership.replay(entries)
    seen = membership.replay(entries[:7]).mark
    assert membership.replay(entries, None, seen) == whole
    other = Mark(seen.number, bytes(32))
    for shown, known in ((entries[:6], seen), (entries, other), ([], seen)):
        with pytest.raises(Refusal, match="bad_roster"):
            membership.replay(shown, None, known)
    with pytest.raises(Refusal, match="bad_roster"):
        membership.replay([], whole, other)
    assert membership.agrees(whole, seen) is True and membership.agrees(whole, other) is False
    assert membership.agrees(whole, Mark(whole.number + 1, bytes(32))) is None


def test_the_directory_is_asked_who_comes_in() -> None:
    state = created(True)
    link = roster.read(roster.sign(PEOPLE[1], entry(state, 1, roster.Join("bob", ONION))))
    bob = PEOPLE[1].public
    joined = membership.apply(state, link, bob)
    with pytest.raises(Refusal, match="bad_roster"):
        membership.apply(state, link, PEOPLE[2].public)
    shown = DirectoryEntry(1, "bob", ONION, bob, 1, 1, [])
    membership.check_member(joined.members[bob], shown)
    with pytest.raises(Refusal, match="bad_roster"):
        membership.check_member(
            joined.members[bob], msgspec.structs.replace(shown, identity=PEOPLE[2].public)
        )


def test_a_damaged_state_is_refused_and_a_newer_one_told() -> None:
    stored = codec.decode(codec.encode(membership.store(created(True))))
    for broken, code in (
        (stored | {"version": 2}, "unknown_version"),
        (stored | {"version": 0}, "bad_roster"),
        (stored | {"hash": bytes(32)}, "bad_roster"),
        (stored | {"members": stored["members"] * 2}, "bad_roster"),
        ([], "bad_roster"),
    ):
        with pytest.raises(Refusal, match=code):
            membership.load(broken)


def test_a_thousand_members_and_no_more_and_it_is_cheap() -> None:
    """Everything but signatures, which are the same few microseconds each for everybody."""
    state = created(True)
    began = time.process_time()
    for number in range(2, 1001):
        identity = number.to_bytes(32, "big")
        link = roster.Link(
            msgspec.structs.replace(
                entry(state, 0, roster.Add(f"m{number}", ONION, identity, "member")), actor=PEOPLE[0].public
            ),
            number.to_bytes(32, "little"),
        )
        state = membership.apply(state, link)
    spent = time.process_time() - began
    assert len(state.members) == membership.MAX_MEMBERS and len(state.trail) == membership.TRAIL
    with pytest.raises(Refusal, match="channel_full"):
        after(state, 1, roster.Join("late", ONION))
    # Some 40 µs an entry at 500 members; a quadratic slip would take many times that.
    assert spent < 2


def test_the_longest_entry_fits() -> None:
    info = roster.Info("\U0001f30a" * 64, "\U0001f30a" * 500)
    state = after(created(True), 0, roster.SetInfo(info))
    assert state.info == info
