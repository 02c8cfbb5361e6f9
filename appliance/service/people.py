"""People at other boxes: their entries, prekeys and logs, asked for by this box on behalf of its members.

The answers are passed on as they came: signatures and proofs are for the member's client to check, and this
box has no part in what it thinks of them. Nothing is kept, so that no news is ever hidden by what was known.
"""

from __future__ import annotations

import hashlib
from typing import Final, TypeVar

import trio

from appliance.errors import Refusal
from appliance.protocol import address, onion, work
from appliance.protocol.directory import (
    Consistency,
    ConsistencyQuery,
    FarConsistency,
    FarLookUp,
    FarTake,
    Found,
    LookUp,
    Taken,
    TakenPrekey,
    TakePrekeys,
)
from appliance.protocol.messages import Message, WorkChallenge, WorkSolution
from appliance.service.caller import Caller
from appliance.service.directory import Directory
from appliance.service.remotes import Remotes

T = TypeVar("T")

ANSWER_OCTETS: Final = 128 * 1024
"""More than an entry, its proof and the bundles of 16 devices can have."""
SECONDS: Final = 60.0
PASSED_ON: Final = {"no_account", "busy", "too_many", "unreachable", "tor_off", "bad_answer"}
WAITING: Final = 8
"""Questions of one account that may be under way at a time."""
ALL_WAITING: Final = 256
"""The same of all accounts together."""
WORK_KIB: Final = 64 * 1024
WORK_BITS: Final = 12
WORK_PASSES: Final = 2
WORK_SECONDS: Final = 30.0
"""The hardest puzzle that this box solves for a member, and how long it tries."""


class People:
    """Questions to other boxes, over Tor; to our own directory where the address is ours."""

    def __init__(self, remotes: Remotes, directory: Directory, box: bytes) -> None:
        self._remotes = remotes
        self._directory = directory
        self._box = box
        self._asking: dict[bytes, int] = {}
        self._guessing = trio.CapacityLimiter(1)

    async def look_up(self, caller: Caller, wanted: FarLookUp) -> Found:
        """The entry of somebody with its proof and bundles; Refusals bad_address, unreachable, theirs."""
        who = address.read(wanted.address)
        question = LookUp(who.name, wanted.size)
        if who.box == self._box:
            return await self._directory.look_up(question)
        with _Turn(self._asking, caller.account):
            return await self._ask(caller, who.box, "/v1/directory", Found, question)

    async def take(self, caller: Caller, wanted: FarTake) -> Taken:
        """One-time prekeys of somebody's devices; a puzzle of bearable size is solved here."""
        who = address.read(wanted.address)
        question = TakePrekeys(who.name, wanted.devices)
        if who.box == self._box:
            return await self._directory.take(question, stranger=False)
        with _Turn(self._asking, caller.account):
            path = "/v1/directory/prekeys"
            taken = await self._ask(caller, who.box, path, Taken, question)
            missing = [one.device for one in taken.prekeys if one.prekey is None]
            if taken.work is None or not missing:
                return taken
            solution = await self._solve(taken.work)
            if solution is None:
                return taken
            question = TakePrekeys(who.name, missing, solution)
            try:
                return _joined(taken, await self._ask(caller, who.box, path, Taken, question))
            except Refusal:
                return taken  # what was given is gone there: it must not be lost here as well

    async def consistency(self, caller: Caller, wanted: FarConsistency) -> Consistency:
        """The proof that an older tree of somebody's box is a prefix of a later one."""
        box = address.read(wanted.address).box
        question = ConsistencyQuery(wanted.first, wanted.second)
        if box == self._box:
            return await self._directory.consistency(question)
        with _Turn(self._asking, caller.account):
            return await self._ask(caller, box, "/v1/directory/consistency", Consistency, question)

    async def _ask(self, caller: Caller, box: bytes, path: str, kind: type[T], question: Message) -> T:
        # Members of one box have circuits of their own: the other side cannot tell that they are together.
        member = hashlib.blake2b(caller.account, digest_size=8).hexdigest()
        try:
            return await self._remotes.ask(
                onion.address(box),
                f"people {member}",
                path,
                kind,
                SECONDS,
                question=question,
                most=ANSWER_OCTETS,
            )
        except Refusal as refusal:
            # Another box's word about sign-ins or settings must not pass for ours.
            if refusal.code in PASSED_ON:
                raise
            raise Refusal("bad_answer") from refusal

    async def _solve(self, challenge: WorkChallenge) -> WorkSolution | None:
        """A solution, or None when the puzzle is too hard for somebody else's sake or takes too long."""
        bearable = 8 <= challenge.memory_kib <= WORK_KIB and 1 <= challenge.passes <= WORK_PASSES
        if not bearable or challenge.bits > WORK_BITS or len(challenge.challenge) < work.MIN_CHALLENGE:
            return None
        ended = trio.current_time() + WORK_SECONDS
        number = 0
        while trio.current_time() < ended:
            solution = number.to_bytes(8, "big")
            if await trio.to_thread.run_sync(work.is_solved, challenge, solution, limiter=self._guessing):
                return WorkSolution(challenge.challenge, solution)
            number += 1
        return None


class _Turn:
    """One question among those that are under way; Refusal too_many (of this account) or busy."""

    def __init__(self, asking: dict[bytes, int], account: bytes) -> None:
        self._asking = asking
        self._account = account

    def __enter__(self) -> None:
        if self._asking.get(self._account, 0) >= WAITING:
            raise Refusal("too_many")
        if sum(self._asking.values()) >= ALL_WAITING:
            raise Refusal("busy")
        self._asking[self._account] = self._asking.get(self._account, 0) + 1

    def __exit__(self, *_: object) -> None:
        left = self._asking[self._account] - 1
        if left:
            self._asking[self._account] = left
        else:
            del self._asking[self._account]


def _joined(first: Taken, second: Taken) -> Taken:
    """What was taken in two goes, each device once, in the order of the first."""
    later = {one.device: one.prekey for one in second.prekeys}
    both = [TakenPrekey(one.device, one.prekey or later.get(one.device)) for one in first.prekeys]
    return Taken(both, second.work)
