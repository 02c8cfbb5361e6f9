"""The nameplate: what the box is called, who owns it first, and how it introduces itself."""

from __future__ import annotations

from collections.abc import Callable

from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.desk import Identity
from appliance.protocol.names import is_plain
from appliance.protocol.safety import fingerprint
from appliance.service.audit import Audit
from appliance.service.caller import Caller
from appliance.service.changes import Changes
from appliance.store import accounts
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction


class Nameplate:
    """Title and owners of the box; durable. Owner: the event loop."""

    def __init__(self, store: Store, ring: KeyRing, changes: Changes, audit: Audit) -> None:
        self._audit = audit
        self._store = store
        self._ring = ring
        self._changes = changes
        self._claimed = False
        self.on_changed: Callable[[], None] = _nothing

    @property
    def claimed(self) -> bool:
        """Whether the box has an owner; once it has one it always has."""
        if not self._claimed:
            self._claimed = bool(self._plate().owners)
        return self._claimed

    @property
    def title(self) -> str:
        """What the box is called, at its door; empty before the claim."""
        return self._plate().title

    @property
    def first_owner(self) -> str:
        """The account name of whoever owns the box longest; empty before the claim."""
        owners = self._plate().owners
        if not owners:
            return ""
        found = self._store.read(lambda txn: accounts.find(txn, self._ring.machine, owners[0]))
        return "" if found is None else found.name

    async def rename(self, caller: Caller, title: str) -> None:
        """Change the title; Refusal not_claimed or malformed."""
        if not title.strip() or not is_plain(title):
            raise Refusal("malformed", field="name")
        if not self.claimed:
            raise Refusal("not_claimed")

        def job(txn: Transaction) -> None:
            accounts.rename(txn, self._ring.machine, title)
            self._audit.note(txn, caller, "box.rename", title)

        await self._store.write(job)
        self.changed()

    def changed(self) -> None:
        """The plate was written: tell the pages."""
        self._changes.touch()
        self.on_changed()

    async def identity(self) -> Identity:
        """Address, title and fingerprint of this box."""
        return Identity(
            address=onion.address(self._ring.identity.public),
            name=self.title,
            fingerprint=fingerprint(self._ring.identity.public),
        )

    def _plate(self) -> accounts.Plate:
        return self._store.read(lambda txn: accounts.plate(txn, self._ring.machine))


def _nothing() -> None:
    return None
