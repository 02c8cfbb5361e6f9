"""Where our mail is to be left: a mailbox for each device of others, and telling those until they know."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import trio

from appliance.client.person import records, telling
from appliance.client.person.ledger import Batch
from appliance.client.person.outbound import known_target
from appliance.protocol import codec
from appliance.protocol import content as contents
from appliance.protocol.content import VERSION, Content, Hello, Profile
from appliance.protocol.post import Dispatch
from appliance.protocol.route import Route

if TYPE_CHECKING:
    from appliance.client.person.core import Core

What = Literal["routes", "hello"]

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
        """Tell one device what it does not know: where to write to, our profile, that it was accepted."""
        core, device = self._core, record.peer.device
        told = digest([routes, *core.appearance.marks()])
        if not self._wanting(record, told):
            return
        shown = await core.appearance.profile()

        async def step(batch: Batch) -> None:
            there = await core.ledger.session(batch, device)
            if there is None or not there.routes:
                return
            for what in self._wanting(there, told):
                news = self._news(routes, shown) if what == "routes" else [self._hello()]
                sealed = [await core.outbound.seal(batch, one, [known_target(there.peer)]) for one in news]
                await self._told(batch, device, what, told if what == "routes" else b"", news, sealed)
                for one in sealed:
                    core.dispatcher.leave(batch, one)

        await core.ledger.run(step)

    def _wanting(self, record: records.Session, told: bytes) -> list[What]:
        """What a device does not know, and was not told lately."""
        now, dispatcher = self._core.now(), self._core.dispatcher
        routes, hello = telling.find(record, "routes"), telling.find(record, "hello")
        wanting: list[What] = []
        if record.told != told and (
            routes is None
            or routes.digest != told
            or (dispatcher.looked and telling.is_due(routes, now, dispatcher.is_underway))
        ):
            wanting.append("routes")
        if hello and dispatcher.looked and telling.is_due(hello, now, dispatcher.is_underway):
            wanting.append("hello")
        return wanting

    def _news(self, routes: list[Route], shown: tuple[str, bytes | None, str | None]) -> list[Content]:
        now = self._core.now()
        return [
            contents.Routes(VERSION, secrets.token_bytes(16), now, routes),
            # Also when it says nothing: what it said before is taken away by that.
            Profile(VERSION, secrets.token_bytes(16), now, *shown),
        ]

    def _hello(self) -> Hello:
        return Hello(VERSION, secrets.token_bytes(16), self._core.now())

    async def _told(
        self,
        batch: Batch,
        device: bytes,
        what: What,
        digest: bytes,
        said: Sequence[Content],
        sealed: list[Dispatch],
    ) -> None:
        record = await self._core.ledger.session(batch, device)
        if record is not None:
            ids, left = [one.id for one in said], [one.id for one in sealed]
            tell = records.Tell(what, digest, ids, left, self._core.now(), 0)
            batch.set(records.session(self._core.seat.device, device), telling.told(record, tell))

    async def hello(self, conversation: str) -> None:
        """Say hello to every device of somebody: their request is accepted, this begins sessions."""
        core = self._core
        targets = await core.outbound.targets(conversation)

        async def step(batch: Batch) -> None:
            hello = self._hello()
            dispatch = await core.outbound.seal(batch, hello, targets)
            for target in targets:
                await self._told(batch, target.device.device, "hello", b"", [hello], [dispatch])
            core.dispatcher.leave(batch, dispatch)

        await core.ledger.run(step)
        core.soon(self.settle)

    async def tell_anew(self, device: bytes) -> None:
        """A device may know nothing of us any more: tell it all again."""
        await self._change(device, telling.forgotten)
        await self.settle()

    async def bounced(self, dispatch: bytes, handle: bytes) -> None:
        """A device could not be told, since its mailbox is gone: look for another one."""
        core = self._core
        mark = next((one for one in core.ledger.head.sessions if one.handle == handle), None)
        if mark is None:
            return
        record = await core.vault.get(records.session(core.seat.device, mark.peer), records.Session)
        if record is None or all(dispatch not in tell.dispatches for tell in record.tells):
            return
        await core.people.refresh(record.conversation)
        bundle = core.people.bundle(mark.peer)
        if bundle is not None:
            routes = bundle.routes
            await self._change(
                mark.peer, lambda now: telling.bounced(msgspec.structs.replace(now, routes=routes))
            )
            await self.settle()

    async def _change(self, device: bytes, change: Callable[[records.Session], records.Session]) -> None:
        async def step(batch: Batch) -> None:
            record = await self._core.ledger.session(batch, device)
            if record is not None:
                batch.set(records.session(self._core.seat.device, device), change(record))

        await self._core.ledger.run(step)

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
                    batch.set(name, msgspec.structs.replace(record, told=b"", tells=[]))

        await core.ledger.run(step)


def digest(value: object) -> bytes:
    """Eight octets that tell whether something is the same as it was."""
    return hashlib.sha256(codec.encode(value)).digest()[:8]
