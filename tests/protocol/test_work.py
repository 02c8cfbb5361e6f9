"""Proof of work: the vectors, and nothing easier."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from appliance.errors import Refusal
from appliance.protocol import codec, work
from appliance.protocol.messages import WorkChallenge, WorkSolution

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "work.json").read_text())
CHALLENGE = codec.read(bytes.fromhex(VECTORS["challenge"]), WorkChallenge)
SOLUTION = bytes.fromhex(VECTORS["solution"])


def test_the_puzzle_of_the_vectors() -> None:
    digest = work.solve_step(CHALLENGE.challenge, CHALLENGE.memory_kib, CHALLENGE.passes, SOLUTION)
    assert digest.hex() == VECTORS["digest"]
    assert work.zero_bits(digest) >= CHALLENGE.bits
    work.check(CHALLENGE, WorkSolution(CHALLENGE.challenge, SOLUTION))


@pytest.mark.parametrize(
    "solution",
    [
        WorkSolution(CHALLENGE.challenge, bytes.fromhex(VECTORS["wrong"])),
        WorkSolution(bytes(32), SOLUTION),
        WorkSolution(CHALLENGE.challenge, bytes(17)),
    ],
)
def test_wrong_solutions_are_refused(solution: WorkSolution) -> None:
    with pytest.raises(Refusal, match="work"):
        work.check(CHALLENGE, solution)


def test_harder_challenges_are_not_met_by_the_same_solution() -> None:
    harder = msgspec.structs.replace(CHALLENGE, bits=200)
    with pytest.raises(Refusal, match="work"):
        work.check(harder, WorkSolution(CHALLENGE.challenge, SOLUTION))


def test_a_challenge_argon2_cannot_take_is_refused() -> None:
    short = msgspec.structs.replace(CHALLENGE, challenge=b"short")
    with pytest.raises(Refusal, match="work"):
        work.check(short, WorkSolution(b"short", SOLUTION))
    with pytest.raises(Refusal, match="work"):
        work.solve_step(b"short", 256, 1, SOLUTION)
    with pytest.raises(Refusal, match="work"):
        work.solve_step(bytes(32), 1, 1, SOLUTION)


@pytest.mark.parametrize(("digest", "bits"), [("00ff", 8), ("80ff", 0), ("0100", 7), ("0000", 16)])
def test_zero_bits(digest: str, bits: int) -> None:
    assert work.zero_bits(bytes.fromhex(digest)) == bits
