"""Where our mail is to be left: a mailbox for each correspondent's device, and telling those of it."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.outbound import known_target
from appliance.protocol import codec
from appliance.protocol import content as contents
from appliance.protocol.content import VERSION, Content, Hello, Profile
from appliance.protocol.post import Dispatch
from appliance.protocol.route import Route

if TYPE_CHECKING:
    from appliance.client.person.core import Core

REQUESTS: Final = bytes(8)
"""The handle of the request mailbox."""
AT_ONCE: Final = 256


class Routes:
    """Our mailboxes."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._turn = trio.Lock()
        self.requests: list[Route] = []

    async def settle(self) -> None:
        """See to it that every contact's device knows where to write to."""
        async with self._turn:
            known = await self._core.ledger.run(self._sessions)
            wanted = [one for one in known if self._core.chats.state(one.conversation) == "contact"]
            routes = await self._mailboxes([REQUESTS, *(record.handle for record in wanted)])
            self.requests = routes.get(REQUESTS, [])
            for record in wanted:
                if routes.get(record.handle):
                    await self._tell(record, routes[record.handle])

    async def _sessions(self, batch: Batch) -> list[records.Session]:
        names = [records.session(self._core.seat.device, one) for one in self._core.ledger.peers(batch)]
        await self._core.vault.read(*names)
        found = [await self._core.ledger.session(batch, one) for one in self._core.ledger.peers(batch)]
        return [record for record in found if record is not None and record.peer.sessions]

    async def _mailboxes(self, handles: list[bytes]) -> dict[bytes, list[Route]]:
        routes: dict[bytes, list[Route]] = {}
        for at in range(0, len(handles), AT_ONCE):
            answer = await self._core.member.want_mailboxes(handles[at : at + AT_ONCE])
            routes.update({one.handle: one.routes for one in answer.mailboxes})
        return routes

    async def _tell(self, record: records.Session, routes: list[Route]) -> None:
        """Tell one device where we want its mail and what we call ourselves, if it does not know that."""
        core, display = self._core, self._core.account.display
        told = digest([routes, display])
        if told == record.told:
            return
        now, device = core.now(), record.peer.device
        news: list[Content] = [contents.Routes(VERSION, secrets.token_bytes(16), now, routes)]
        if display:
            news.append(Profile(VERSION, secrets.token_bytes(16), now, display))

        async def step(batch: Batch) -> list[Dispatch]:
            there = await core.ledger.session(batch, device)
            if there is None or not there.routes:
                return []
            made = [await core.outbound.seal(batch, one, [known_target(there.peer)]) for one in news]
            after = await core.ledger.session(batch, device)
            if after is not None:
                name = records.session(core.seat.device, device)
                batch.set(name, msgspec.structs.replace(after, told=told))
            return made

        for dispatch in await core.ledger.run(step):
            core.dispatcher.send(dispatch)

    async def hello(self, conversation: str) -> None:
        """Say hello to every device of somebody: their request is accepted, this begins sessions."""
        core = self._core
        targets = await core.outbound.targets(conversation)

        async def step(batch: Batch) -> Dispatch:
            hello = Hello(VERSION, secrets.token_bytes(16), core.now())
            return await core.outbound.seal(batch, hello, targets)

        core.dispatcher.send(await core.ledger.run(step))
        core.soon(self.settle)

    async def drop(self, conversation: str) -> None:
        """Give up the mailboxes of somebody blocked."""
        core = self._core
        known = await core.ledger.run(self._sessions)
        theirs = [record for record in known if record.conversation == conversation]
        if not theirs:
            return
        await core.member.drop_mailboxes([record.handle for record in theirs])

        async def step(batch: Batch) -> None:
            for one in theirs:
                record = await core.ledger.session(batch, one.peer.device)
                if record is not None:
                    name = records.session(core.seat.device, one.peer.device)
                    batch.set(name, msgspec.structs.replace(record, told=b""))

        await core.ledger.run(step)


def digest(value: object) -> bytes:
    """Eight octets that tell whether something is the same as it was."""
    return hashlib.sha256(codec.encode(value)).digest()[:8]
