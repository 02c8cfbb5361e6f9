"""The vault of an account: its devices read and change sealed records here; the box cannot open them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol.post import Dispatch, DispatchState
from appliance.protocol.vault import Change, Changed, Left, Read, Records
from appliance.service.account_hooks import Hooks
from appliance.service.caller import Caller
from appliance.service.dispatch import Dispatching, Intake, Sent
from appliance.service.ports import Clock, hour_of
from appliance.store import queue, vault
from appliance.store.engine import Store
from appliance.store.transaction import Transaction

PAGE_OCTETS: Final = 1024 * 1024
"""An answer ends with the change that passes this."""
TOMB_HOURS: Final = 30 * 24
"""For so long a vault remembers what was removed."""
SWEEP_ACCOUNTS: Final = 500

OnChanged = Callable[[bytes, int, bytes | None], None]


class Vault:
    """Sealed records of every account. Durable; `on_changed(account, revision, device)` after the commit."""

    def __init__(self, store: Store, config: Config, clock: Clock, dispatching: Dispatching) -> None:
        self._store = store
        self._dispatching = dispatching
        self._clock = clock
        self.on_changed: OnChanged = lambda account, revision, device: None
        self._swept = b""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def join(self, hooks: Hooks) -> None:
        """Take part when an account is listed, exported or deleted."""
        hooks.forget.append(lambda txn, account, name: vault.forget(txn, account))
        hooks.octets.append(lambda txn, account: vault.figures(txn, account).octets)
        hooks.export.append(_export)

    async def changes(self, caller: Caller, after: int, began: int = 0) -> Records:
        """What changed since revision `after`; Refusal vault_old when that cannot be told any more."""

        def job(txn: Transaction) -> vault.Page:
            return vault.changes(txn, caller.account, after, began, PAGE_OCTETS)

        return self._records(await self._store.read_cold(job))

    async def read(self, caller: Caller, wanted: Read) -> Records:
        """Some records by id."""
        return self._records(
            await self._store.read_cold(lambda txn: vault.read(txn, caller.account, wanted.ids, PAGE_OCTETS))
        )

    async def change(self, caller: Caller, change: Change) -> Changed:
        """Put and remove, all or nothing, and with it dispatches and what was read; answered once durable.

        Refusals vault_conflict, vault_full, too_large, malformed, busy, no_device; nothing has left then.
        """
        limit, hour = self._config.vault_octets, hour_of(self._clock())
        intake = self._intake(caller, change.dispatches)
        device = caller.account + caller.require_device() if change.done else b""

        def job(txn: Transaction) -> tuple[int, list[Sent | Refusal]]:
            # First what may be refused as a whole: the rest only answers.
            revision = vault.change(txn, caller.account, change, limit, hour)
            queue.settle(txn, device, change.done, hour)
            return revision, intake(txn)

        revision, sent = await self._store.write(job, freeing=not (change.put or change.dispatches))
        if change.put or change.remove:
            self.on_changed(caller.account, revision, caller.device)
        return Changed(revision, [_left(answer) for answer in self._dispatching.announce(sent)])

    def _intake(self, caller: Caller, messages: list[Dispatch]) -> Intake:
        if not messages:
            return lambda txn: []
        try:
            return self._dispatching.intake(caller, messages)
        except Refusal as refusal:
            given = [refusal] * len(messages)
            return lambda txn: [*given]

    async def run(self) -> None:
        """Sweep for ever: batch after batch while there is work, then pause."""
        while True:
            if not await self.sweep():
                await trio.sleep(self._config.sweep_seconds)

    async def sweep(self) -> int:
        """One bounded step: rows of deleted accounts, and removals too old to be told; how many went."""
        batch = self._config.sweep_batch
        before = hour_of(self._clock()) - TOMB_HOURS
        accounts = self._store.read(lambda txn: vault.list_accounts(txn, self._swept, SWEEP_ACCOUNTS))
        self._swept = accounts[-1] if len(accounts) == SWEEP_ACCOUNTS else b""

        def is_idle(txn: Transaction) -> bool:
            return not vault.has_doomed(txn) and not vault.count_old_tombs(txn, accounts, before)

        def job(txn: Transaction) -> int:
            return vault.sweep_doomed(txn, batch) + vault.sweep_tombs(txn, accounts, before, batch)

        # Where nothing is to do, as nearly always, nothing is written.
        if await self._store.read_cold(is_idle):
            return 0
        return await self._store.write(job, freeing=True)

    def _records(self, page: vault.Page) -> Records:
        return Records(
            revision=page.head.revision,
            records=page.records,
            more=page.more,
            octets=page.head.octets,
            octets_limit=self._config.vault_octets,
        )


def _left(answer: DispatchState | Refusal) -> Left:
    return Left(None, answer.code) if isinstance(answer, Refusal) else Left(answer)


def _export(txn: Transaction, account: bytes, name: str) -> dict[str, Any]:
    head = vault.figures(txn, account)
    return {"vault_records": head.records, "vault_octets": head.octets}
