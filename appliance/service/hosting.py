"""The relay as its host sees it: what is held, when it goes, and who was invited."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol.codec import from_text, to_text
from appliance.protocol.desk import ExpiryDay, GrantCode, GrantRow, NewGrant, RelayBrief, RelayLoad
from appliance.service.invitation import write_invitation
from appliance.service.ports import Clock, hour_of
from appliance.store import counters, grants
from appliance.store.engine import Store
from appliance.store.grants import GrantId
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction


class Hosting:
    """Load and invitations of this relay; `host` is its onion address."""

    def __init__(self, store: Store, config: Config, clock: Clock, ring: KeyRing, host: str) -> None:
        self._store = store
        self._clock = clock
        self._ring = ring
        self._host = host
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def brief(self) -> RelayBrief:
        """The relay in one line."""
        found = self._store.read(counters.load)
        return RelayBrief(self._config.relay_policy, found.held, found.octets, self._config.relay_octets)

    async def load(self) -> RelayLoad:
        """Everything the relay page shows."""
        found, rows = await self._store.read_cold(lambda txn: (counters.load(txn), self._rows(txn)))
        return RelayLoad(
            policy=self._config.relay_policy,
            held=found.held,
            octets=found.octets,
            octets_limit=self._config.relay_octets,
            disk_free=self._store.free_bytes(),
            mailboxes=found.mailboxes,
            days=_days(found.hours),
            grants=rows,
        )

    async def grant(self, new: NewGrant) -> GrantCode:
        """Make an invitation; its secret is shown in this answer only."""
        sealer = self._ring.require()
        secret = secrets.token_bytes(32)
        grant = grants.grant_id(secret)
        now = hour_of(self._clock())

        def job(txn: Transaction) -> None:
            grants.create(
                txn,
                grant,
                origin="owner",
                mailboxes=new.mailboxes,
                octets=new.octets,
                now_hour=now,
                expires_hour=now + new.days * 24,
            )
            grants.set_label(txn, sealer, grant, new.label)

        await self._store.write(job)
        return GrantCode(to_text(grant), write_invitation(self._host, secret))

    async def revoke(self, id: str) -> None:
        """End an invitation and everything kept under it."""
        grant = GrantId(from_text(id))
        if not await self._store.write(lambda txn: _revoke(txn, grant), freeing=True):
            raise Refusal("no_item")

    def _rows(self, txn: Transaction) -> list[GrantRow]:
        names = {} if self._ring.sealer is None else grants.labels(txn, self._ring.sealer)
        rows = [
            GrantRow(
                id=to_text(record.grant),
                label=names.get(record.grant, ""),
                origin=record.origin,
                mailboxes=record.mailboxes,
                mailboxes_limit=record.mailboxes_limit,
                octets=record.octets,
                octets_limit=record.octets_limit,
                created=record.created_hour * 3600,
                expires=record.expires_hour * 3600,
            )
            for record in grants.list_all(txn)
            if record.origin != "self"
        ]
        return sorted(rows, key=lambda row: (-row.created, row.label))


def _revoke(txn: Transaction, grant: GrantId) -> bool:
    record = grants.find(txn, grant)
    return record is not None and record.origin != "self" and grants.revoke(txn, grant)


def _days(hours: list[tuple[int, int, int]]) -> list[ExpiryDay]:
    sums: dict[str, tuple[int, int]] = {}
    for hour, envelopes, octets in hours:
        day = datetime.fromtimestamp(hour * 3600, UTC).date().isoformat()
        before = sums.get(day, (0, 0))
        sums[day] = (before[0] + envelopes, before[1] + octets)
    return [ExpiryDay(day, envelopes, octets) for day, (envelopes, octets) in sorted(sums.items())]
