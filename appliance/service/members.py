"""Members: the accounts of a box as its owners and admins see them. They see no more than names and sums."""

from __future__ import annotations

import msgspec

from appliance.errors import Refusal
from appliance.protocol import account as wire
from appliance.service.account_hooks import Hooks
from appliance.service.accounts import Accounts
from appliance.service.caller import Caller
from appliance.service.nameplate import Nameplate
from appliance.service.rights import check_power
from appliance.service.sign_in import SignIn
from appliance.store import accounts, sessions
from appliance.store.accounts import Account
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction


class Members:
    """Durable. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        nameplate: Nameplate,
        accounts: Accounts,
        sign_in: SignIn,
        hooks: Hooks,
    ) -> None:
        self._store = store
        self._machine = ring.machine
        self._nameplate = nameplate
        self._accounts = accounts
        self._sign_in = sign_in
        self._hooks = hooks

    async def page(self) -> wire.Members:
        """Every account by name."""

        def look(txn: Transaction) -> list[wire.Member]:
            return [self._shown(txn, account) for account in accounts.list_all(txn, self._machine)]

        return wire.Members(await self._store.read_cold(look))

    async def change(self, caller: Caller, account: bytes, body: wire.ChangeMember) -> wire.Member:
        """Change a role or suspend; a suspended member's sign-ins end at once.

        Refusals: role, yourself, last_owner, wrong_state.
        """

        def job(txn: Transaction) -> tuple[wire.Member, list[bytes], bool]:
            old = accounts.require(txn, self._machine, account)
            new = msgspec.structs.replace(
                old,
                role=old.role if body.role is None else body.role,
                suspended=old.suspended if body.suspended is None else body.suspended,
            )
            if body.role is not None:
                check_power(caller, "change_role", account, old.role, new.role)
            if body.suspended is not None:
                check_power(caller, "suspend_for_ever", account, old.role)
            if old.protects and (new.suspended or new.role != "owner"):
                raise Refusal("wrong_state", reason="this account protects the box")
            accounts.save(txn, self._machine, new)
            ends = new.suspended and not old.suspended
            if ends:
                touched = sessions.end_all(txn, self._machine, account)
            else:
                touched = [row.session for row in sessions.list_account(txn, self._machine, account)]
            return self._shown(txn, new), touched, ends

        member, touched, ends = await self._store.write(job)
        if ends:
            self._sign_in.ended(account, touched)
        else:
            self._sign_in.renew(touched)
        self._nameplate.changed()
        return member

    async def remove(self, caller: Caller, account: bytes) -> None:
        """Delete a member's account with all that belongs to it; Refusal role, last_owner, no_account."""

        def check(txn: Transaction) -> None:
            old = accounts.require(txn, self._machine, account)
            check_power(caller, "delete_member", account, old.role)

        await self._accounts.remove(account, check)

    def _shown(self, txn: Transaction, account: Account) -> wire.Member:
        rows = sessions.list_account(txn, self._machine, account.account)
        return wire.Member(
            account=account.account,
            name=account.name,
            role=account.role,
            created_hour=account.created_hour,
            used_hour=max((row.used_hour for row in rows), default=account.created_hour),
            sessions=len(rows),
            suspended=account.suspended,
            octets=sum(hook(txn, account.account) for hook in self._hooks.octets),
        )
