"""Invites: made by owners and admins, with a key to the closed onion where it is wanted."""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import partial

import msgspec
import trio

from appliance.errors import Refusal
from appliance.protocol import account as wire
from appliance.protocol.desk import NewReader
from appliance.service import rights
from appliance.service.audit import Audit
from appliance.service.caller import Caller
from appliance.service.ports import Clock, TorPort
from appliance.store import invites
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction


class Invites:
    """Durable; a code is told once. Owner: the event loop."""

    def __init__(
        self, store: Store, ring: KeyRing, clock: Clock, tor: TorPort, host: str, audit: Audit
    ) -> None:
        self._audit = audit
        self._store = store
        self._machine = ring.machine
        self._clock = clock
        self._tor = tor
        self._host = host

    def page(self) -> wire.Invites:
        """Every invite that is still good; codes are not known any more."""
        now = int(self._clock())
        rows = self._store.read(lambda txn: invites.list_good(txn, self._machine, now))
        return wire.Invites([_shown(row) for row in rows])

    async def create(self, caller: Caller, body: wire.NewInvite) -> wire.Invite:
        """A new invite with its code, its link and, if wanted, a reader's key; Refusal role."""
        rights.check(caller, "invite_admin" if body.role == "admin" else "invite")
        if body.reader:  # readers are the owners' affair: the first closes the onion to all others
            rights.check(caller, "set_box")
        now = int(self._clock())
        code = secrets.token_urlsafe(16)
        id = invites.id_of(code)
        invite = invites.Invite(
            id=id,
            role=body.role,
            uses=body.uses,
            left=body.uses,
            expires=now + body.hours * 3600,
            note=body.note,
            reader=f"invite {id.hex()[:8]}" if body.reader else "",
        )
        # The invite first: were the power cut before the reader is there, nobody would have its code.

        def make(txn: Transaction) -> list[invites.Invite]:
            over = invites.create(txn, self._machine, invite, now)
            self._audit.note(txn, caller, "invite.make", body.note, role=body.role, uses=body.uses)
            return over

        over = await self._store.write(make)
        for old in over:
            await self._shut_out(old)
        key = None
        if body.reader:
            try:
                key = (await self._tor.add_reader(NewReader(name=invite.reader))).private_key
            except Refusal:
                await self._store.write(lambda txn: invites.remove(txn, self._machine, id), freeing=True)
                raise
        link = f"http://{self._host}/#/invite/{code}"
        return msgspec.structs.replace(_shown(invite), code=code, link=link, reader_key=key)

    async def revoke(self, caller: Caller, id: bytes) -> None:
        """Take an invite back, and its reader's key if nobody has used it; Refusal no_item or role."""
        now = int(self._clock())
        found = self._store.read(lambda txn: invites.find(txn, self._machine, id, now))
        if found is None:
            raise Refusal("no_item")
        rights.check(caller, "invite_admin" if found.role == "admin" else "invite")

        def take(txn: Transaction) -> invites.Invite | None:
            gone = invites.remove(txn, self._machine, id)
            if gone is not None:
                self._audit.note(txn, caller, "invite.revoke", gone.note, role=gone.role)
            return gone

        gone = await self._store.write(take, freeing=True)
        if gone is not None:
            await self._shut_out(gone)

    async def forget_over(self) -> None:
        """Forget invites that are over, with the keys nobody used."""
        now = int(self._clock())
        job = partial(invites.forget_over, machine=self._machine, now=now)
        for old in await self._store.write(job, freeing=True):
            await self._shut_out(old)

    async def _shut_out(self, invite: invites.Invite) -> None:
        """Take back the key of an invite that nobody used; members who came by it keep theirs."""
        if invite.reader and invite.left == invite.uses:
            # The invite is gone, so nobody would come back for its key. And who takes it back by way of the
            # onion is cut off by just this.
            with trio.CancelScope(shield=True), suppress(Refusal):  # the owner may have removed it already
                await self._tor.remove_reader(invite.reader)


def _shown(row: invites.Invite) -> wire.Invite:
    return wire.Invite(
        id=row.id,
        role=row.role,
        uses=row.uses,
        left=row.left,
        expires=row.expires,
        note=row.note,
    )
