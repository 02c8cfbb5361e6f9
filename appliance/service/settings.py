"""Runtime settings: the configuration of the start, overlaid by what the owner changed since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

import trio

from appliance.config import Config, choices, convert, declarations, shown
from appliance.errors import Refusal
from appliance.protocol.audit import Action
from appliance.protocol.desk import ChangeSettings, Setting
from appliance.protocol.desk import Settings as SettingsPage
from appliance.service.caller import Caller
from appliance.store import settings
from appliance.store.engine import Store
from appliance.store.transaction import Transaction

FIXED: Final = frozenset({"data", "listen", "tor_torrc"})
"""Known before the store is open, so they come from the command line or the environment only."""


Note = Callable[[Transaction, Caller, Action, str], None]
"""(transaction, caller, action, which settings): what writes a change down."""


def _unnoted(txn: Transaction, caller: Caller, action: Action, words: str) -> None:
    return None


class Settings:
    """`config` is what holds now. Owner: the event loop; durable in the store."""

    def __init__(self, store: Store, started: Config, given: frozenset[str]) -> None:
        self._store = store
        self._given = given
        overlay = {name: value for name, value in store.read(settings.load).items() if name not in given}
        self.config = _overlaid(started, overlay)
        self._running = self.config
        self._listeners: list[Callable[[Config], None]] = []
        self._changing = trio.Lock()
        self.note: Note = _unnoted

    def follow(self, listener: Callable[[Config], None]) -> None:
        """Call `listener` with the configuration now and after every change."""
        self._listeners.append(listener)
        listener(self.config)

    async def page(self) -> SettingsPage:
        """Every setting that can be changed here, and whether a change waits for a restart."""
        rows = [
            Setting(name, shown(getattr(self.config, name)), default, unit, doc, live, choices(name))
            for name, default, unit, doc, live in declarations()
            if name not in FIXED
        ]
        return SettingsPage(rows, self._restart())

    async def change(
        self, caller: Caller, change: ChangeSettings, action: Action = "box.settings"
    ) -> SettingsPage:
        """Set or reset settings, all or none; live ones hold at once."""
        async with self._changing:
            await self._change(caller, change, action)
        return await self.page()

    async def _change(self, caller: Caller, change: ChangeSettings, action: Action) -> None:
        values = {name: _checked(name, value) for name, value in change.values.items()}
        config = _overlaid(self.config, values)
        if config.ttl_default_hours > config.ttl_max_hours:
            raise Refusal("bad_setting", name="ttl_default_hours", reason="larger than ttl_max_hours")

        def job(txn: Transaction) -> None:
            for name, value in values.items():
                settings.save(txn, name, None if change.values[name] is None else shown(value))
            self.note(txn, caller, action, _summary(values))

        await self._store.write(job)
        self.config = config
        for listener in self._listeners:
            listener(config)

    def _restart(self) -> bool:
        live = {f.name: f.metadata["live"] for f in fields(Config)}
        return any(
            not live[name] and getattr(self.config, name) != getattr(self._running, name) for name in live
        )


def _summary(values: dict[str, Any]) -> str:
    """What was set; of free text, which may hold addresses, the name only."""
    return ", ".join(
        name if isinstance(value, str | tuple) and choices(name) is None else f"{name} = {shown(value)}"
        for name, value in values.items()
    )


def _checked(name: str, value: Any) -> Any:
    if name in FIXED:
        raise Refusal("bad_setting", name=name, reason="given at the start")
    default = getattr(Config(), name, None)
    return convert(name, default if value is None and default is not None else value)


def _overlaid(config: Config, values: dict[str, Any]) -> Config:
    return config.with_values(values)
