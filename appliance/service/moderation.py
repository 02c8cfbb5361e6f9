"""Moderation: conduct, thanks, reports and the second pair of eyes, wired together, and what they forget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import trio

from appliance.config import Config
from appliance.protocol.desk import ChangeSettings
from appliance.service.account_hooks import Hooks
from appliance.service.caller import Caller
from appliance.service.conduct import Conduct
from appliance.service.events import EventBook
from appliance.service.four_eyes import FourEyes
from appliance.service.household import Household
from appliance.service.logs import Logs
from appliance.service.ports import Clock
from appliance.service.reports import Reports
from appliance.service.settings import Settings
from appliance.service.thanking import Thanking
from appliance.store import thanks
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing

SWEEP_SECONDS: Final = 3600


@dataclass(frozen=True)
class Moderation:
    """Who keeps order among members, and by what."""

    conduct: Conduct
    thanking: Thanking
    reports: Reports
    four_eyes: FourEyes

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self.conduct.configure(config)
        self.reports.configure(config)
        self.four_eyes.configure(config)

    def join(self, hooks: Hooks) -> None:
        """Hook into what happens to accounts."""
        hooks.forget.append(lambda txn, account, name: thanks.forget_account(txn, account))
        hooks.export.append(lambda txn, account, name: {"karma": thanks.karma(txn, account)})
        hooks.export.append(self.reports.export)

    async def run(self) -> None:
        """Forget for ever, once an hour, what is over."""
        while True:
            await self.reports.forget_over()
            await self.four_eyes.forget_over()
            await trio.sleep(SWEEP_SECONDS)


def make_moderation(
    store: Store,
    ring: KeyRing,
    settings: Settings,
    clock: Clock,
    logs: Logs,
    home: Household,
    events: EventBook,
) -> Moderation:
    """All of it over one store."""
    config, audit = settings.config, home.audit
    conduct = Conduct(ring, config, clock)
    four_eyes = FourEyes(store, ring, config, clock, audit, events)

    async def remove_member(caller: Caller, account: bytes) -> None:
        await home.members.remove(caller, account)

    async def wipe(caller: Caller, subject: bytes) -> None:
        await audit.wipe(caller)

    async def switch_off(caller: Caller, subject: bytes) -> None:
        await settings.change(caller, ChangeSettings(values={"four_eyes": False}))

    four_eyes.register("member.remove", remove_member)
    four_eyes.register("audit.wipe", wipe)
    four_eyes.register("four_eyes.off", switch_off)
    return Moderation(
        conduct=conduct,
        thanking=Thanking(store, ring, conduct, logs),
        reports=Reports(store, ring, config, clock, logs, audit, events),
        four_eyes=four_eyes,
    )
