"""The memory of sessions begun without a one-time prekey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import prekeys, replays
from appliance.protocol.replays import Mark


def test_a_mark_is_known_until_its_key_is_gone() -> None:
    marks = replays.remember([], b"a" * 32, 1000)
    with pytest.raises(Refusal, match="repeated"):
        replays.remember(marks, b"a" * 32, 1000)
    later = replays.remember(marks, b"b" * 32, 1000 + replays.KEEP_HOURS - 1)
    assert [each.mark[:1] for each in later] == [b"a", b"b"]
    last = replays.remember(later, b"c" * 32, 1000 + replays.KEEP_HOURS)
    assert [each.mark[:1] for each in last] == [b"b", b"c"]


def test_marks_outlive_the_secrets_they_guard() -> None:
    assert replays.KEEP_HOURS > prekeys.ROTATE_HOURS + prekeys.KEEP_HOURS


def test_of_too_many_the_oldest_go() -> None:
    marks = [Mark(at.to_bytes(32, "big"), 1) for at in range(replays.MAX_MARKS)]
    after = replays.remember(marks, b"\xff" * 32, 1)
    assert len(after) == replays.MAX_MARKS and after[0] == marks[1] and after[-1].mark == b"\xff" * 32


@given(st.lists(st.integers(0, 20), max_size=60))
def test_each_mark_is_taken_once(numbers: list[int]) -> None:
    marks: list[Mark] = []
    taken = set()
    for number in numbers:
        mark = number.to_bytes(32, "big")
        try:
            marks = replays.remember(marks, mark, 5)
            assert number not in taken
            taken.add(number)
        except Refusal as error:
            assert error.code == "repeated" and number in taken


def test_a_header_is_known_whatever_follows_it_and_of_too_many_the_oldest_go() -> None:
    messages = [at.to_bytes(replays.HEADER, "big") for at in range(replays.MAX_SEEN + 1)]
    seen = b""
    for message in messages[:-1]:
        assert not replays.was_seen(seen, message)
        seen = replays.note(seen, message + b"body")
    assert all(replays.was_seen(seen, message + b"another") for message in messages[:-1])
    seen = replays.note(seen, messages[-1])
    assert len(seen) == replays.MAX_SEEN * 8
    assert [replays.was_seen(seen, message) for message in messages] == [False] + [True] * replays.MAX_SEEN
