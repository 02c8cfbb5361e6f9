"""When two devices are out of step: a new session, and what was not received is sent again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.timeline import MINE
from appliance.protocol.content import VERSION
from appliance.protocol.content import Resync as Again

if TYPE_CHECKING:
    from appliance.client.person.core import Core

PAUSE_SECONDS: Final = 3600
"""Between two new sessions with one device."""
MAX_AGAIN: Final = 20
MAX_AGE_SECONDS: Final = 24 * 3600


class Resync:
    """Heals sessions."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._running: set[bytes] = set()
        self._answered: dict[bytes, int] = {}

    async def begin(self, conversation: str, peer: bytes) -> None:
        """Something of this device could not be read: begin a new session and ask for it again."""
        if peer in self._running:
            return
        self._running.add(peer)
        try:
            await self._begin(conversation, peer)
        finally:
            self._running.discard(peer)

    async def _begin(self, conversation: str, peer: bytes) -> None:
        core = self._core
        name = records.session(core.seat.device, peer)
        known = await core.vault.get(name, records.Session)
        if known is not None and core.now() - known.resynced < PAUSE_SECONDS:
            return
        targets = await core.outbound.targets(conversation, peer, renew=True)
        if not targets:
            return

        async def step(batch: Batch) -> None:
            record, now = await core.ledger.session(batch, peer), core.now()
            if record is not None:
                if now - record.resynced < PAUSE_SECONDS:
                    return
                batch.set(name, msgspec.structs.replace(record, resynced=now))
            again = Again(VERSION, secrets.token_bytes(16), now)
            core.dispatcher.leave(batch, await core.outbound.seal(batch, again, targets, True))

        await core.ledger.run(step)

    async def answer(self, conversation: str, peer: bytes) -> None:
        """The other side asks: send again what this device of theirs has no receipt for."""
        chat = self._core.chats.get(conversation)
        if chat is None or chat.talk.state == "blocked":
            return
        # An honest device asks once an hour; each answer is up to twenty messages.
        if self._core.now() - self._answered.get(peer, 0) < PAUSE_SECONDS // 2:
            return
        self._answered[peer] = self._core.now()
        self._core.soon(self._core.routes.tell_anew, peer)
        await chat.begin()
        since = self._core.now() - MAX_AGE_SECONDS
        missing = [
            entry.id
            for entry in chat.timeline.shown()
            if entry.by == MINE and entry.content and entry.at >= since
            if peer not in entry.delivered and not entry.deleted
        ]
        for id in missing[-MAX_AGAIN:]:
            await self._core.chats.resend(conversation, id, peer)
