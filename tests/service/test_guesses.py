"""Guesses: wrong ones in a row cost longer and longer, by name, by circuit and in all."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from appliance.errors import Refusal
from appliance.service import guesses as module
from appliance.service.guesses import FREE, IN_ALL, IN_ALL_SECONDS, LONGEST_PAUSE, Guesses, Place
from tests.services import refused

HOME, FAR = Place(), Place(home=False, circuit=7)


def guess(guesses: Guesses, place: Place = HOME, name: str = "ann", right: bool = False) -> None:
    with guesses.one(place, name) as verdict:
        verdict.right = right


async def test_after_some_wrong_guesses_there_is_a_pause_that_grows(autojump_clock: object) -> None:
    guesses, waits = Guesses(), []
    for _ in range(FREE):
        guess(guesses)
    for _ in range(12):
        with pytest.raises(Refusal) as caught:
            guess(guesses)
        assert caught.value.code == "too_many"
        waits.append(caught.value.details["seconds"])
        await trio.sleep(waits[-1])
        guess(guesses)
    assert waits == sorted(waits) and waits[0] <= 3 and waits[-1] == LONGEST_PAUSE + 1


async def test_the_right_one_forgets_wrong_ones() -> None:
    guesses = Guesses()
    for _ in range(3):
        for _ in range(FREE - 1):
            guess(guesses)
        guess(guesses, right=True)


async def test_a_guess_that_was_not_answered_does_not_count() -> None:
    guesses = Guesses()
    for _ in range(2 * FREE):
        with pytest.raises(Refusal, match="busy"), guesses.one(HOME, "ann"):
            raise Refusal("busy")
        with pytest.raises(ZeroDivisionError), guesses.one(HOME, "ann"):
            raise ZeroDivisionError
        with pytest.raises(Refusal, match="second_factor"), guesses.one(HOME, "ann") as verdict:
            verdict.withdrawn = True
            raise Refusal("second_factor")
    guess(guesses)


async def test_being_asked_for_the_second_factor_does_not_make_up_for_wrong_codes() -> None:
    guesses = Guesses()
    for _ in range(FREE):
        guess(guesses)
        with suppress(Refusal), guesses.one(HOME, "ann") as verdict:
            verdict.withdrawn = True
    with refused("too_many"):
        guess(guesses)


async def test_names_and_places_are_counted_apart() -> None:
    guesses = Guesses()
    for _ in range(FREE):
        guess(guesses, FAR)
    for place, name in ((FAR, "ann"), (FAR, "bob"), (Place(home=False, circuit=8), "ann")):
        with refused("too_many"):
            guess(guesses, place, name)
    guess(guesses, Place(home=False, circuit=8), "bob")
    guess(guesses, HOME)


async def test_all_wrong_guesses_together_are_bounded(autojump_clock: object) -> None:
    guesses = Guesses()
    for number in range(IN_ALL):
        guess(guesses, Place(home=False, circuit=number), f"name{number}")
    fresh = Place(home=False, circuit=9999)
    with refused("too_many"):
        guess(guesses, fresh, "somebody")
    guess(guesses, HOME, "somebody")
    await trio.sleep(2.5 * IN_ALL_SECONDS)
    for _ in range(2):
        guess(guesses, fresh, "somebody")
    with refused("too_many"):
        guess(guesses, fresh, "somebody")


async def test_right_guesses_are_not_bounded() -> None:
    guesses = Guesses()
    for _ in range(3 * IN_ALL):
        guess(guesses, right=True)


async def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch, autojump_clock: object) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    guesses = Guesses()
    for number in range(40):
        guess(guesses, HOME, f"name{number}")
    assert len(guesses._rows) == 10
