"""The household: every service of accounts, wired together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import trio

from appliance.config import Config
from appliance.protocol import onion
from appliance.service.account_hooks import Hooks
from appliance.service.accounts import Accounts
from appliance.service.audit import Audit
from appliance.service.changes import Changes
from appliance.service.credentials import Credentials
from appliance.service.door import Door
from appliance.service.guesses import Guesses
from appliance.service.invites import Invites
from appliance.service.linking import Linking
from appliance.service.lock import Lock
from appliance.service.members import Members
from appliance.service.nameplate import Nameplate
from appliance.service.plain import Plain
from appliance.service.ports import Clock, TorPort
from appliance.service.sign_in import SignIn
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing

SWEEP_SECONDS: Final = 3600


@dataclass(frozen=True)
class Household:
    """Who lives here, how they come in, and what others hook into that."""

    hooks: Hooks
    lock: Lock
    nameplate: Nameplate
    sign_in: SignIn
    door: Door
    accounts: Accounts
    members: Members
    invites: Invites
    linking: Linking
    plain: Plain
    audit: Audit

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self.sign_in.configure(config)
        self.door.configure(config)
        self.accounts.configure(config)
        self.plain.configure(config)
        self.audit.configure(config)

    async def run(self) -> None:
        """Forget for ever, once an hour, what is over."""
        while True:
            await self.sign_in.forget_over()
            await self.invites.forget_over()
            await self.members.lift_over()
            await trio.sleep(SWEEP_SECONDS)


def make_household(
    store: Store,
    ring: KeyRing,
    config: Config,
    clock: Clock,
    changes: Changes,
    tor: TorPort,
    credentials: Credentials | None = None,
) -> Household:
    """All of them over one store; `credentials` only where Argon2id should be cheap."""
    host = onion.address(ring.identity.public)
    credentials = credentials or Credentials()
    guesses, hooks = Guesses(), Hooks()
    lock = Lock(ring, changes)
    audit = Audit(store, ring, config, clock)
    nameplate = Nameplate(store, ring, changes, audit)
    sign_in = SignIn(store, ring, config, clock, lock, credentials, guesses, hooks, host)
    door = Door(store, ring, config, clock, nameplate, credentials, guesses, sign_in, audit)
    accounts = Accounts(
        store, ring, config, clock, nameplate, credentials, guesses, sign_in, hooks, changes, host, audit
    )
    return Household(
        hooks=hooks,
        lock=lock,
        nameplate=nameplate,
        sign_in=sign_in,
        door=door,
        accounts=accounts,
        members=Members(store, ring, clock, nameplate, accounts, sign_in, hooks, audit),
        invites=Invites(store, ring, clock, tor, host, audit),
        linking=Linking(store, ring, clock, sign_in),
        plain=Plain(ring, config, clock, guesses, sign_in, door, accounts),
        audit=audit,
    )
