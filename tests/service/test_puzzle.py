from __future__ import annotations

from dataclasses import replace

from appliance.protocol.messages import WorkChallenge, WorkSolution
from appliance.protocol.work import is_solved
from appliance.service.puzzle import WORK_SECONDS, Puzzle
from tests.services import House, refused

EASY = {"work_bits": 2, "work_memory_kib": 64}


def puzzle(house: House) -> Puzzle:
    return Puzzle(replace(house.config, **EASY), house.clock)


def solve(challenge: WorkChallenge, *, wrong: bool = False) -> WorkSolution:
    number = 0
    while is_solved(challenge, number.to_bytes(8, "big")) == wrong:
        number += 1
    return WorkSolution(challenge.challenge, number.to_bytes(8, "big"))


async def test_a_solution_is_good_once_for_its_own_purpose_and_for_a_while(house: House) -> None:
    here, there = puzzle(house), puzzle(house)
    solution = solve(here.challenge())
    with refused("work"):
        await there.check(solution)
    await here.check(solution)
    with refused("work"):
        await here.check(solution)
    late = solve(here.challenge())
    house.clock.now += WORK_SECONDS + 1
    with refused("work"):
        await here.check(late)


async def test_a_wrong_solution_is_refused_and_its_challenge_stays_good(house: House) -> None:
    here = puzzle(house)
    challenge = here.challenge()
    with refused("work"):
        await here.check(solve(challenge, wrong=True))
    await here.check(solve(challenge))


async def test_the_difficulty_is_a_setting_that_holds_at_once(house: House) -> None:
    here = puzzle(house)
    assert here.challenge().bits == 2
    here.configure(replace(house.config, work_bits=7, work_memory_kib=128))
    challenge = here.challenge()
    assert (challenge.bits, challenge.memory_kib) == (7, 128)
