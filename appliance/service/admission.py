"""Who may keep mailboxes here: grants by work (policy open), by invitation, or as a peer.

A grant's secret is known to its holder only; the store keeps its hash.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import work
from appliance.protocol.mailbox import verify_peer
from appliance.protocol.messages import Grant, GrantRequest, PeerProof, RelayInfo, WorkChallenge, WorkSolution
from appliance.service.nonces import SpentTokens
from appliance.service.ports import Clock, hour_of
from appliance.service.relay import Relay
from appliance.store import grants
from appliance.store.engine import Store
from appliance.store.transaction import Transaction

WORK_SECONDS: Final = 600
WORK_PASSES: Final = 1
MAX_GRANTS: Final = 10_000
"""Grants of one origin that strangers can have made at a time."""
MAX_CHECKS: Final = 32
"""Solutions that may wait to be checked."""


class Admission:
    """Gives grants to strangers by the relay's policy. Owner: the event loop; grants are durable."""

    def __init__(
        self, store: Store, config: Config, clock: Clock, relay: Relay, is_peer: Callable[[bytes], bool]
    ) -> None:
        self._store = store
        self._clock = clock
        self._relay = relay
        self._is_peer = is_peer
        self._challenges = SpentTokens(clock, WORK_SECONDS, "work", config.nonces_kept)
        # One guess takes the puzzle's memory: bounded, so that strangers cannot multiply it.
        self._checking = trio.CapacityLimiter(1)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def info(self) -> RelayInfo:
        """The relay's terms; under policy open with a puzzle to solve."""
        challenge = self._challenge(self._challenges.issue()) if self._config.relay_policy == "open" else None
        return self._relay.info(challenge)

    async def grant(self, request: GrantRequest) -> Grant:
        """A grant for work done or as a peer; Refusal policy, work, nonce or signature."""
        policy = self._config.relay_policy
        if policy == "open" and request.work is not None:
            await self._check_work(request.work)
            return await self._give("work")
        if policy in ("open", "peers") and request.peer is not None:
            self._check_peer(request.peer)
            return await self._give("peer")
        raise Refusal("policy", policy=policy)

    async def _check_work(self, solution: WorkSolution) -> None:
        self._challenges.check(solution.challenge)
        if self._checking.statistics().tasks_waiting >= MAX_CHECKS:
            raise Refusal("busy")
        challenge = self._challenge(solution.challenge)
        await trio.to_thread.run_sync(work.check, challenge, solution, limiter=self._checking)
        self._challenges.check(solution.challenge)  # another task may have spent it meanwhile
        self._challenges.spend(solution.challenge)

    def _check_peer(self, proof: PeerProof) -> None:
        self._relay.book.check(proof.nonce)
        verify_peer(proof, self._relay.host)
        self._relay.book.spend(proof.nonce)
        # Asked last: without proof nobody learns who is a contact of this box.
        if not self._is_peer(proof.identity):
            raise Refusal("policy", policy=self._config.relay_policy)

    async def _give(self, origin: grants.Origin) -> Grant:
        config = self._config
        now = hour_of(self._clock())
        grant = Grant(
            secret=secrets.token_bytes(32),
            mailboxes=config.grant_mailboxes,
            octets=config.grant_octets,
            expires_hour=now + config.grant_days * 24,
        )

        def job(txn: Transaction) -> None:
            if sum(record.origin == origin for record in grants.list_all(txn)) >= MAX_GRANTS:
                raise Refusal("relay_full")
            grants.create(
                txn,
                grants.grant_id(grant.secret),
                origin=origin,
                mailboxes=grant.mailboxes,
                octets=grant.octets,
                now_hour=now,
                expires_hour=grant.expires_hour,
            )

        await self._store.write(job)
        return grant

    def _challenge(self, token: bytes) -> WorkChallenge:
        return WorkChallenge(
            challenge=token,
            memory_kib=self._config.work_memory_kib,
            passes=WORK_PASSES,
            bits=self._config.work_bits,
            seconds=WORK_SECONDS,
        )
