"""Who may keep mailboxes here: grants by work (policy open), by invitation, or as a peer.

A grant's secret is known to its holder only; the store keeps its hash.
"""

from __future__ import annotations

import secrets
from typing import Final

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.mailbox import verify_peer
from appliance.protocol.messages import Grant, GrantRequest, PeerProof, RelayInfo
from appliance.service.ports import Clock, hour_of
from appliance.service.puzzle import Puzzle
from appliance.service.relay import Relay
from appliance.store import grants
from appliance.store.engine import Store
from appliance.store.transaction import Transaction

MAX_GRANTS: Final = 10_000
"""Grants of one origin that strangers can have made at a time."""


class Admission:
    """Gives grants to strangers by the relay's policy. Owner: the event loop; grants are durable."""

    def __init__(self, store: Store, config: Config, clock: Clock, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._relay = relay
        self._puzzle = Puzzle(config, clock)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config
        self._puzzle.configure(config)

    def info(self) -> RelayInfo:
        """The relay's terms; under policy open with a puzzle to solve."""
        challenge = self._puzzle.challenge() if self._config.relay_policy == "open" else None
        return self._relay.info(challenge)

    async def grant(self, request: GrantRequest) -> Grant:
        """A grant for work done or as a peer; Refusal policy, work, nonce or signature."""
        policy = self._config.relay_policy
        if policy == "open" and request.work is not None:
            await self._puzzle.check(request.work)
            return await self._give("work")
        if policy in ("open", "peers") and request.peer is not None:
            self._check_peer(request.peer)
            return await self._give("peer")
        raise Refusal("policy", policy=policy)

    def _check_peer(self, proof: PeerProof) -> None:
        self._relay.book.check(proof.nonce)
        verify_peer(proof, self._relay.host)
        self._relay.book.spend(proof.nonce)
        # Asked last: without proof nobody learns who is a peer of this box.
        if onion.address(proof.identity) not in self._config.relay_peers:
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
