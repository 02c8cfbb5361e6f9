"""Services on a real store under a clock that the test moves."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK, capability_hash, mailbox_id, sign_request
from appliance.protocol.messages import (
    Acknowledge,
    CreateMailbox,
    DeleteMailbox,
    Deposit,
    DepositGroup,
    Fetch,
    MailboxState,
    Outcome,
)
from appliance.service.ports import hour_of
from appliance.service.relay import Relay
from appliance.store import grants
from appliance.store.engine import Store
from appliance.store.schema import open_store
from appliance.store.storekey import KeyRing, open_keys


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_hours(self, hours: float) -> None:
        self.now += hours * 3600

    @property
    def hour(self) -> int:
        return hour_of(self.now)


@dataclass
class House:
    """An open store with its keys, and the clock and settings that services get."""

    store: Store
    ring: KeyRing
    clock: Time
    config: Config

    @property
    def host(self) -> str:
        return onion.address(self.ring.identity.public)

    def relay(self, **settings: object) -> Relay:
        return Relay(self.store, replace(self.config, **settings), self.clock, self.host)

    async def grant(self, *, mailboxes: int = 100, octets: int = 1 << 40, hours: int = 10_000) -> bytes:
        """A grant of the owner; its secret."""
        secret = os.urandom(32)
        await self.store.write(
            lambda txn: grants.create(
                txn,
                grants.grant_id(secret),
                origin="owner",
                mailboxes=mailboxes,
                octets=octets,
                now_hour=self.clock.hour,
                expires_hour=self.clock.hour + hours,
            )
        )
        return secret


@asynccontextmanager
async def opened(folder: Path, clock: Time) -> AsyncIterator[House]:
    store = open_store(folder)
    try:
        ring = open_keys(folder, store)
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            yield House(store, ring, clock, Config(data=folder))
            nursery.cancel_scope.cancel()
    finally:
        store.close()


@dataclass(frozen=True)
class Holder:
    """Who owns a mailbox at a relay: signs what the relay wants signed."""

    relay: Relay
    key: SigningKey = field(default_factory=lambda: SigningKey(os.urandom(32)))
    capability: bytes = field(default_factory=lambda: os.urandom(32))

    @property
    def id(self) -> bytes:
        return mailbox_id(self.key.public)

    def nonce(self) -> bytes:
        return self.relay.nonces(1).nonces[0]

    def create_request(self, grant: bytes, kind: str = "contact") -> CreateMailbox:
        blank = CreateMailbox(grant, self.key.public, capability_hash(self.capability), kind, BLANK)
        return sign_request(self.key, self.relay.host, self.nonce(), blank)

    def fetch_request(self, nonce: bytes | None = None, **fields: object) -> Fetch:
        blank = Fetch(mailbox=self.id, auth=BLANK, **fields)
        return sign_request(self.key, self.relay.host, nonce or self.nonce(), blank)

    async def create(self, grant: bytes, kind: str = "contact") -> MailboxState:
        return await self.relay.create(self.create_request(grant, kind))

    async def delete(self) -> None:
        blank = DeleteMailbox(mailbox=self.id, auth=BLANK)
        await self.relay.delete(sign_request(self.key, self.relay.host, self.nonce(), blank))

    async def deposit(
        self, *envelopes: bytes, hours: int = 24, capability: bytes | None = None
    ) -> list[Outcome]:
        group = DepositGroup(self.id, capability or self.capability, hours, list(envelopes))
        (outcomes,) = (await self.relay.deposit(Deposit([group]))).groups
        return outcomes

    async def fetch(self, **fields: object) -> list[bytes]:
        return [one.envelope for one in (await self.relay.fetch(self.fetch_request(**fields))).envelopes]

    async def acknowledge(self, *ids: bytes) -> int:
        blank = Acknowledge(self.id, list(ids), BLANK)
        signed = sign_request(self.key, self.relay.host, self.nonce(), blank)
        return (await self.relay.acknowledge(signed)).removed


def envelope(size: int = 960) -> bytes:
    return b"\1" + os.urandom(size - 1)


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


@contextmanager
def refused(code: str) -> Iterator[None]:
    """The block must raise this refusal."""
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.code == code
