"""Linking: a device that is signed in leaves a sealed packet for a new one, which takes it once.

The packet's key is in the link that the new device reads from the old one's screen; the box never has it.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol import account as wire
from appliance.service.caller import Caller
from appliance.service.ports import Clock
from appliance.service.sign_in import Issued, SignIn, Started
from appliance.store import accounts, sessions
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

LINK_SECONDS: Final = 5 * 60
MAX_LINKS: Final = 4
"""Links of one account; the oldest makes room."""
MAX_IN_ALL: Final = 1024


class _Link(NamedTuple):
    account: bytes
    session: bytes
    packet: bytes
    until: float


class Linking:
    """In memory only: a link does not outlive the box's stop, and leaves no trace. Owner: the event loop."""

    def __init__(self, store: Store, ring: KeyRing, clock: Clock, sign_in: SignIn) -> None:
        self._store = store
        self._machine = ring.machine
        self._clock = clock
        self._sign_in = sign_in
        self._links: dict[bytes, _Link] = {}

    def put(self, caller: Caller, body: wire.PutLink) -> None:
        """Leave a packet for five minutes; Refusal wrong_state when its id is used, or busy."""
        now = self._clock()
        self._links = {id: link for id, link in self._links.items() if link.until > now}
        there = self._links.get(body.id)
        if there is not None:
            if there.account == caller.account and hmac.compare_digest(there.packet, body.packet):
                return
            raise Refusal("wrong_state", field="id")
        mine = [id for id, link in self._links.items() if link.account == caller.account]
        for id in mine[: max(0, len(mine) + 1 - MAX_LINKS)]:
            del self._links[id]
        if len(self._links) >= MAX_IN_ALL:
            raise Refusal("busy")
        self._links[body.id] = _Link(caller.account, caller.session, body.packet, now + LINK_SECONDS)

    async def take(self, body: wire.TakeLink) -> tuple[wire.Linked, Issued]:
        """Take the packet and sign in to the account that left it; Refusal no_link, suspended."""
        link = self._links.pop(body.id, None)
        if link is None or link.until <= self._clock():
            raise Refusal("no_link")

        def job(txn: Transaction) -> Started:
            account = accounts.find(txn, self._machine, link.account)
            if account is None:
                raise Refusal("no_link")
            account.check_in(self._clock())
            # Whoever was signed out leaves no way back in behind.
            if sessions.find(txn, self._machine, link.session) is None:
                raise Refusal("no_link")
            return self._sign_in.start(txn, account, body.label)

        issued = self._sign_in.issue(await self._store.write(job))
        return wire.Linked(link.packet, issued.session), issued
