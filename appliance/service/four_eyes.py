"""Four eyes: where the box is set so, what destroys needs a second owner or admin within 24 hours.

An act that is asked for is kept, not done; it is done when somebody else agrees, or asks for the same. The
command line of the box counts as somebody else to members, and members to it. Switching this off is such an
act itself.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Final

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol.codec import to_text
from appliance.protocol.moderation import Approval, Approvals, Asked
from appliance.service.audit import Audit
from appliance.service.caller import Caller
from appliance.service.events import EventBook
from appliance.service.ports import Clock
from appliance.service.rights import check, may
from appliance.store import accounts, pending
from appliance.store.engine import Store
from appliance.store.pending import Pending
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

WAIT_SECONDS: Final = 24 * 3600

Run = Callable[[Caller, bytes], Awaitable[None]]
"""(whoever agrees, subject): does it; checks that caller's right again."""


class FourEyes:
    """Durable. Owner: the event loop."""

    def __init__(
        self, store: Store, ring: KeyRing, config: Config, clock: Clock, audit: Audit, events: EventBook
    ) -> None:
        self._store = store
        self._machine = ring.machine
        self._clock = clock
        self._audit = audit
        self._events = events
        self._runs: dict[Asked, Run] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def register(self, action: Asked, run: Run) -> None:
        """Say how an act is done once it is agreed to."""
        self._runs[action] = run

    async def ask(self, caller: Caller, action: Asked, subject: bytes, target: str) -> None:
        """Do it now where one pair of eyes is enough, or where this is the second; else keep it.

        Whoever calls has checked that the caller may do this. Refusal second_eyes: it waits.
        """
        if not self._config.four_eyes:
            await self._runs[action](caller, subject)
            return
        now = int(self._clock())

        def job(txn: Transaction) -> Pending | None:
            """What waits now; None when somebody else had asked for it, so that both are there."""
            rows = [one for one in pending.list_all(txn, self._machine) if one.until > now]
            same = [one for one in rows if (one.action, one.subject) == (action, subject)]
            for one in same:
                if one.account == _account(caller):
                    return one
            for one in same:
                if self._stands(txn, one):
                    self._agree(txn, caller, one)
                    return None
            if len(rows) >= pending.MOST:
                raise Refusal("busy")
            made = Pending(
                os.urandom(16),
                action,
                subject,
                target,
                _account(caller),
                caller.name,
                now,
                now + WAIT_SECONDS,
            )
            pending.save(txn, self._machine, made)
            self._audit.note(txn, caller, "ask.made", target, subject, act=action)
            return made

        waits = await self._store.write(job)
        self._events.tell_level("admin", "desk")
        if waits is not None:
            raise Refusal("second_eyes", id=to_text(waits.id), until=waits.until)
        await self._runs[action](caller, subject)

    def page(self, caller: Caller) -> Approvals:
        """What waits. Refusal role."""
        check(caller, "approve")
        now = self._clock()
        rows = self._store.read(lambda txn: pending.list_all(txn, self._machine))
        return Approvals([_shown(one, caller) for one in rows if one.until > now])

    async def approve(self, caller: Caller, id: bytes) -> None:
        """Agree to what somebody else asked for: it is done. Refusals: role, no_item, yourself, …"""
        check(caller, "approve")

        def job(txn: Transaction) -> Pending:
            one = self._require(txn, id)
            if one.account == _account(caller):
                raise Refusal("yourself")
            if not self._stands(txn, one):
                raise Refusal("role")
            self._agree(txn, caller, one)
            return one

        one = await self._store.write(job)
        self._events.tell_level("admin", "desk")
        await self._runs[one.action](caller, one.subject)  # type: ignore[index]

    async def refuse(self, caller: Caller, id: bytes) -> None:
        """Say no, or take back what one asked for. Refusals: role, no_item."""
        check(caller, "approve")

        def job(txn: Transaction) -> None:
            one = self._require(txn, id)
            pending.remove(txn, self._machine, id)
            self._audit.note(txn, caller, "ask.refused", one.target, one.subject, act=one.action)

        await self._store.write(job, freeing=True)
        self._events.tell_level("admin", "desk")

    async def forget_over(self) -> None:
        """Forget what nobody agreed to in time."""
        now = int(self._clock())
        rows = self._store.read(lambda txn: pending.list_all(txn, self._machine))
        over = [one.id for one in rows if one.until <= now]

        def job(txn: Transaction) -> None:
            for id in over:
                pending.remove(txn, self._machine, id)

        if over:
            await self._store.write(job, freeing=True)

    def _agree(self, txn: Transaction, caller: Caller, one: Pending) -> None:
        pending.remove(txn, self._machine, one.id)
        self._audit.note(
            txn, caller, "ask.approved", one.target, one.subject, act=one.action, asked_by=one.name
        )

    def _require(self, txn: Transaction, id: bytes) -> Pending:
        one = pending.find(txn, self._machine, id)
        if one is None or one.until <= self._clock():
            raise Refusal("no_item")
        return one

    def _stands(self, txn: Transaction, one: Pending) -> bool:
        """Whether whoever asked is still one who may."""
        if not one.account:
            return True
        asker = accounts.find(txn, self._machine, one.account)
        return asker is not None and not asker.is_out(self._clock()) and may(asker.role, "approve")


def _account(caller: Caller) -> bytes:
    return caller.account if caller.is_member else b""


def _shown(one: Pending, caller: Caller) -> Approval:
    return Approval(
        id=one.id,
        action=one.action,  # type: ignore[arg-type]
        target=one.target,
        subject=one.subject or None,
        asked_by=one.name,
        second=one.second,
        until=one.until,
        mine=one.account == _account(caller),
    )
