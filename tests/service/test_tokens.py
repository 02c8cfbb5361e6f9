"""Access tokens: short, bounded, ended at once."""

from __future__ import annotations

from appliance.service.caller import Caller
from appliance.service.tokens import ACCESS_SECONDS, MAX_LIVE, AccessTokens
from tests.services import Time


def caller(session: bytes = b"S" * 16) -> Caller:
    return Caller(b"A" * 16, "ann", "member", session)


def test_a_token_signs_in_until_it_runs_out(clock: Time) -> None:
    tokens = AccessTokens(clock)
    token = tokens.issue(caller(), b"g")
    assert (
        tokens.caller(token) == caller() and tokens.caller("") is None and tokens.caller(token[:-1]) is None
    )
    assert tokens.caller("\udcff") is None
    clock.now += ACCESS_SECONDS - 1
    assert tokens.caller(token) == caller()
    clock.now += 1
    assert tokens.caller(token) is None


def test_a_dropped_sign_in_has_no_token_left(clock: Time) -> None:
    tokens = AccessTokens(clock)
    mine = [tokens.issue(caller(), b"g") for _ in range(2)]
    other = tokens.issue(caller(b"T" * 16), b"g")
    tokens.drop(b"S" * 16)
    tokens.drop(b"never was 16 oct")
    assert [tokens.caller(token) for token in mine] == [None, None]
    assert tokens.caller(other) == caller(b"T" * 16)


def test_a_sign_in_has_few_at_a_time_and_old_ones_are_forgotten(clock: Time) -> None:
    tokens = AccessTokens(clock)
    issued = [tokens.issue(caller(), b"g") for _ in range(MAX_LIVE + 1)]
    assert tokens.caller(issued[0]) is None
    assert all(tokens.caller(token) for token in issued[1:])
    for number in range(50):
        tokens.issue(caller(bytes([number]) * 16), b"g")
    clock.now += ACCESS_SECONDS
    tokens.issue(caller(), b"g")
    assert len(tokens._live) == len(tokens._of) == 1 and not tokens._proven


def test_the_use_of_a_token_proves_its_generation(clock: Time) -> None:
    tokens = AccessTokens(clock)
    first, second = tokens.issue(caller(), b"1"), tokens.issue(caller(), b"2")
    assert tokens.proven(b"S" * 16) == b""
    tokens.caller(first)
    assert tokens.proven(b"S" * 16) == b"1"
    tokens.caller(second)
    assert tokens.proven(b"S" * 16) == b"2"


def test_a_bound_device_holds_for_tokens_that_are_out(clock: Time) -> None:
    tokens = AccessTokens(clock)
    token = tokens.issue(caller(), b"g")
    tokens.bind(b"S" * 16, b"D" * 16)
    tokens.bind(b"T" * 16, b"E" * 16)
    found = tokens.caller(token)
    assert found is not None and found.device == b"D" * 16
    assert token not in repr(found) and "ann" not in repr(found)
