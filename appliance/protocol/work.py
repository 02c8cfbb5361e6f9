"""Proof of work: an Argon2id puzzle, so that a grant from an open relay costs memory and not only cores."""

from __future__ import annotations

from typing import Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from appliance.errors import Refusal
from appliance.protocol.keys import DOMAIN
from appliance.protocol.messages import WorkChallenge, WorkSolution

DIGEST_SIZE: Final = 32
MIN_CHALLENGE: Final = 16
"""Octets; a challenge is Argon2's salt."""
MAX_SOLUTION: Final = 16


def solve_step(challenge: bytes, memory: int, passes: int, solution: bytes) -> bytes:
    """The 32-byte digest of one try; `memory` in KiB. Slow by design: run it in a thread. Refusal work."""
    try:
        return hash_secret_raw(
            DOMAIN + b"work\0" + solution, challenge, passes, memory, 1, DIGEST_SIZE, Type.ID
        )
    except HashingError as error:
        raise Refusal("work") from error


def zero_bits(digest: bytes) -> int:
    """How many bits are zero before the first one."""
    return len(digest) * 8 - int.from_bytes(digest, "big").bit_length()


def is_solved(challenge: WorkChallenge, solution: bytes) -> bool:
    """One try at a challenge."""
    digest = solve_step(challenge.challenge, challenge.memory_kib, challenge.passes, solution)
    return zero_bits(digest) >= challenge.bits


def check(challenge: WorkChallenge, solution: WorkSolution) -> None:
    """Refusal work unless the solution answers this challenge; whether it is still fresh is the caller's."""
    if solution.challenge != challenge.challenge or len(challenge.challenge) < MIN_CHALLENGE:
        raise Refusal("work")
    if len(solution.solution) > MAX_SOLUTION or not is_solved(challenge, solution.solution):
        raise Refusal("work")
