"""Members: the accounts of a box as those see them who look after it: names and sums, roles and limits.

A suspension ends the sign-ins in the same transaction; what was on its way looks at the account again where
it is written (`conduct`), so it is either before the suspension or refused.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol import account as wire
from appliance.service.account_hooks import Hooks
from appliance.service.accounts import Accounts, bans_shown
from appliance.service.audit import Audit
from appliance.service.caller import Caller
from appliance.service.nameplate import Nameplate
from appliance.service.ports import Clock
from appliance.service.rights import MODERATOR_DAYS, check_power, may
from appliance.service.sign_in import SignIn
from appliance.store import accounts, sessions, thanks
from appliance.store.accounts import Account, Ban
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

MOST_BANS: Final = 64
"""Bans of one account."""
_DAY: Final = 24 * 3600


class Members:
    """Durable. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        clock: Clock,
        nameplate: Nameplate,
        accounts: Accounts,
        sign_in: SignIn,
        hooks: Hooks,
        audit: Audit,
    ) -> None:
        self._store = store
        self._machine = ring.machine
        self._clock = clock
        self._nameplate = nameplate
        self._accounts = accounts
        self._sign_in = sign_in
        self._hooks = hooks
        self._audit = audit

    async def page(self) -> wire.Members:
        """Every account by name."""

        def look(txn: Transaction) -> list[wire.Member]:
            return [self._shown(txn, account) for account in accounts.list_all(txn, self._machine)]

        return wire.Members(await self._store.read_cold(look))

    def name_of(self, account: bytes) -> str:
        """What an account is called; Refusal no_account."""
        return self._store.read(lambda txn: accounts.require(txn, self._machine, account)).name

    async def change(self, caller: Caller, account: bytes, body: wire.ChangeMember) -> wire.Member:
        """Change role or limits, or suspend; a suspended member's sign-ins end at once.

        Refusals: role, yourself, last_owner, wrong_state, malformed.
        """

        def job(txn: Transaction) -> tuple[wire.Member, list[bytes]]:
            old = accounts.require(txn, self._machine, account)
            new = self._changed(txn, caller, old, body)
            if old.protects and (new.suspended or new.role != "owner"):
                raise Refusal("wrong_state", reason="this account protects the box")
            accounts.save(txn, self._machine, new)
            if new.suspended and not old.suspended:
                touched = sessions.end_all(txn, self._machine, account)
            elif new.role != old.role:
                touched = [row.session for row in sessions.list_account(txn, self._machine, account)]
            else:
                touched = []
            return self._shown(txn, new), touched

        member, touched = await self._store.write(job)
        self._sign_in.ended(account, touched)
        self._nameplate.changed()
        return member

    def _changed(self, txn: Transaction, caller: Caller, old: Account, body: wire.ChangeMember) -> Account:
        """The account after the change, each part of it allowed and noted."""
        fields: dict[str, Any] = {}
        if body.role is not None:
            check_power(caller, "change_role", old.account, old.role, body.role)
            fields["role"] = body.role
            self._note(txn, caller, "member.role", old, old=old.role, new=body.role)
        if body.suspended is not None:
            until = self._until(caller, "suspend", old, body.until) if body.suspended else 0
            if not body.suspended:
                check_power(caller, "suspend", old.account, old.role)
                self._check_lift(caller, old.suspended_until)
            fields |= {"suspended": body.suspended, "suspended_until": until}
            fields["reason"] = body.reason if body.suspended else ""
            if body.suspended:
                self._note(txn, caller, "member.suspend", old, until=until, reason=body.reason)
            else:
                self._note(txn, caller, "member.restore", old)
        limits = {"can_post": body.can_post, "can_upload": body.can_upload}
        if given := {name: value for name, value in limits.items() if value is not None}:
            check_power(caller, "set_limits", old.account, old.role)
            fields |= given
            self._note(txn, caller, "member.limits", old, **given)
        return msgspec.structs.replace(old, **fields)

    async def ban(self, caller: Caller, account: bytes, body: wire.ChangeBan) -> wire.Member:
        """Ban from writing in an area or one place of it, or lift that ban. Refusals: role, yourself, …"""
        place = body.place or b""

        def job(txn: Transaction) -> wire.Member:
            old = accounts.require(txn, self._machine, account)
            now = int(self._clock())
            there = [ban for ban in old.bans if (ban.area, ban.place) == (body.area, place)]
            bans = [ban for ban in old.bans if ban not in there and not 0 < ban.until <= now]
            if body.lift:
                check_power(caller, "ban", account, old.role)
                for ban in there:
                    self._check_lift(caller, ban.until)
                self._note(txn, caller, "member.unban", old, area=body.area)
            else:
                until = self._until(caller, "ban", old, body.until)
                bans.append(Ban(area=body.area, place=place, until=until))
                self._note(txn, caller, "member.ban", old, area=body.area, until=until)
            if len(bans) > MOST_BANS:
                raise Refusal("wrong_state", reason="too many bans")
            new = msgspec.structs.replace(old, bans=tuple(bans))
            accounts.save(txn, self._machine, new)
            return self._shown(txn, new)

        return await self._store.write(job)

    async def remove(self, caller: Caller, account: bytes) -> None:
        """Delete a member's account with all that belongs to it; Refusal role, last_owner, no_account."""

        def check(txn: Transaction) -> None:
            old = accounts.require(txn, self._machine, account)
            check_power(caller, "delete_member", account, old.role)
            self._note(txn, caller, "member.remove", old)

        await self._accounts.remove(account, check)

    def check_removal(self, caller: Caller, account: bytes) -> str:
        """Refuse what `remove` would refuse for the caller's rights; the account's name."""
        old = self._store.read(lambda txn: accounts.require(txn, self._machine, account))
        check_power(caller, "delete_member", account, old.role)
        return old.name

    async def lift_over(self) -> None:
        """End suspensions and bans whose time has come."""

        def is_due(txn: Transaction) -> bool:
            now = self._clock()
            return any(
                (one.suspended and not one.is_out(now)) or any(0 < ban.until <= now for ban in one.bans)
                for one in accounts.list_all(txn, self._machine)
            )

        if await self._store.read_cold(is_due):
            await self._store.write(lambda txn: accounts.lift_over(txn, self._machine, int(self._clock())))

    def _until(self, caller: Caller, act: Any, old: Account, until: int | None) -> int:
        """The second at which a suspension or ban ends; 0 is never, which is for admins."""
        now = int(self._clock())
        if until is not None and until <= now:
            raise Refusal("malformed", field="until")
        far = until is None or until > now + MODERATOR_DAYS * _DAY
        check_power(caller, act, old.account, old.role)
        if far:
            check_power(caller, "suspend_for_ever", old.account, old.role)
        return until or 0

    def _check_lift(self, caller: Caller, until: int) -> None:
        """What only an admin may have done a moderator does not undo."""
        if not may(caller.role, "suspend_for_ever") and (
            not until or until > self._clock() + MODERATOR_DAYS * _DAY
        ):
            raise Refusal("role")

    def _note(
        self, txn: Transaction, caller: Caller, action: Any, target: Account, **details: str | int
    ) -> None:
        self._audit.note(txn, caller, action, target.name, target.account, **details)

    def _shown(self, txn: Transaction, account: Account) -> wire.Member:
        rows = sessions.list_account(txn, self._machine, account.account)
        now = self._clock()
        out = account.is_out(now)
        return wire.Member(
            account=account.account,
            name=account.name,
            role=account.role,
            created_hour=account.created_hour,
            used_hour=max((row.used_hour for row in rows), default=account.created_hour),
            sessions=len(rows),
            suspended=out,
            octets=sum(hook(txn, account.account) for hook in self._hooks.octets),
            suspended_until=account.suspended_until if out else 0,
            reason=account.reason if out else "",
            can_post=account.can_post,
            can_upload=account.can_upload,
            karma=thanks.karma(txn, account.account),
            bans=bans_shown(account, now),
        )
