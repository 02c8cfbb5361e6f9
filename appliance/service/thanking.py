"""Thanks: one for each member and entry, never for one's own, taken back at will; they add up to karma."""

from __future__ import annotations

from typing import cast

from appliance.errors import Refusal
from appliance.protocol.account import Area
from appliance.protocol.moderation import Thank, Thanked
from appliance.service import authors
from appliance.service.caller import Caller
from appliance.service.conduct import Conduct, Step
from appliance.service.logs import Logs
from appliance.store import logs, thanks
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction


class Thanking:
    """Durable. Owner: the event loop."""

    def __init__(self, store: Store, ring: KeyRing, conduct: Conduct, logs: Logs) -> None:
        self._store = store
        self._ring = ring
        self._conduct = conduct
        self._logs = logs

    async def give(self, caller: Caller, body: Thank) -> Thanked:
        """Thank for an entry; again is alike. Refusals: yourself, no_log, no_item, suspended, banned, …"""
        sealer = self._ring.require()
        written = await self._store.read_cold(lambda txn: authors.find(txn, sealer, body.log, body.entry))
        self._logs.check_read(body.log, written.kind, caller.account, written.entry)
        author = written.author
        if author is None:
            raise Refusal("no_item")
        if author == caller.account:
            raise Refusal("yourself")

        with self._conduct.enter(caller, Step("thank", cast(Area, written.area), body.log)) as leave:

            def job(txn: Transaction) -> Thanked:
                leave.check(txn)
                if logs.number_of(txn, body.log, body.entry) is None:
                    raise Refusal("no_item")
                thanks.give(txn, sealer, body.log, body.entry, caller.account, author)
                return Thanked(thanks.count(txn, body.log, body.entry), True)

            return await self._store.write(job)

    async def take_back(self, caller: Caller, body: Thank) -> Thanked:
        """Take it back; again is alike."""
        sealer = self._ring.require()

        def job(txn: Transaction) -> Thanked:
            thanks.take_back(txn, sealer, body.log, body.entry, caller.account)
            return Thanked(thanks.count(txn, body.log, body.entry), False)

        return await self._store.write(job, freeing=True)
