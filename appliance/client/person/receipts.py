"""Receipts: "delivered" leaves with the change that saved the message; "read" when a person has seen it."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

from appliance.client.person import expiry, unread
from appliance.client.person.ledger import Batch
from appliance.client.person.outbound import known_target
from appliance.errors import Refusal
from appliance.protocol.content import VERSION, Receipt

if TYPE_CHECKING:
    from appliance.client.person.core import Core
    from appliance.client.person.inbound import Effects

TARGETS: Final = 32
"""As many as a small envelope holds."""


class Receipts:
    """Tells others that their messages came."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def seal(self, batch: Batch, effects: Effects) -> None:
        """Seal the receipts of what was read in this step."""
        for id, messages in effects.receipts.items():
            await self._leave(batch, id, "delivered", messages)
        for device, heard in effects.heard.items():
            record = await self._core.ledger.session(batch, device)
            if record is None:
                continue
            # Who has nowhere to be answered will tell it again.
            with suppress(Refusal):
                receipt = self._receipt("delivered", heard)
                sealed = await self._core.outbound.seal(batch, receipt, [known_target(record.peer)])
                self._core.dispatcher.leave(batch, sealed)

    async def mark_read(self, id: str, messages: list[bytes]) -> None:
        """A person has seen these messages; the other side is told if that is wanted."""
        chat = self._core.chats.get(id)
        if chat is None:
            return
        timed = [one for one in messages if (chat.timeline.said(one) or {}).get("timer")]

        async def step(batch: Batch) -> None:
            now = self._core.now()
            seen = [one for one in messages if one in chat.talk.fresh]
            if not seen:
                return
            batch.talk(id, lambda talk: unread.read(talk, seen))
            if timed:
                lives = [(chat.timeline.said(one) or {}).get("timer", 0) for one in timed]
                batch.talk(id, lambda talk: expiry.started(talk, lives, now))
                batch.log(id, {"k": "s", "at": now, "t": timed})
                self._core.chats.show(batch, id)
            if chat.talk.state == "contact" and self._core.account.settings.read_receipts:
                await self._leave(batch, id, "read", seen)

        await self._core.ledger.run(step)

    async def _leave(
        self, batch: Batch, id: str, what: Literal["delivered", "read"], messages: list[bytes]
    ) -> None:
        for at in range(0, len(messages), TARGETS):
            receipt = self._receipt(what, messages[at : at + TARGETS])
            dispatch = await self._core.outbound.seal_known(batch, id, receipt)
            if dispatch is not None:
                self._core.dispatcher.leave(batch, dispatch)

    def _receipt(self, what: Literal["delivered", "read"], messages: list[bytes]) -> Receipt:
        return Receipt(VERSION, secrets.token_bytes(16), self._core.now(), what, messages)
