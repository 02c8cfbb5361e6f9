"""Attachments that arrive: kept when they come, fetched and checked when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.uploads import AT_ONCE, WANTED_SECONDS, typed
from appliance.errors import Refusal
from appliance.protocol import attachment
from appliance.protocol.attachment import Plan
from appliance.protocol.content import Attachment

if TYPE_CHECKING:
    from appliance.client.person.core import Core

LOOKS: Final = 20
LOOK_SECONDS: Final = 1.0
ARRIVING_SECONDS: Final = 900
"""So long after it was sent an attachment may still be on its way."""
KEPT_AT_ONCE: Final = 256


class Files:
    """Attachments of this device."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._wanted: dict[bytes, bytes] = {}
        self._contents: dict[bytes, Attachment] = {}
        self._indexed: set[bytes] = set()

    async def load(self) -> None:
        """Read which attachments were still arriving."""
        record = await self._core.vault.get(records.wants(self._core.seat.device), records.Wants)
        for said in record.contents if record else []:
            self._expect(typed(said))

    def wants(self, id: bytes) -> bool:
        """Whether this envelope is a chunk we wait for."""
        return id in self._wanted

    def want(self, batch: Batch, said: dict[str, Any]) -> None:
        """An attachment was announced: keep its chunks when they come."""
        now = self._core.now()

        def change(wants: records.Wants | None) -> records.Wants:
            there = wants.contents if wants else []
            recent = [one for one in there if now - one["sent"] < WANTED_SECONDS and one["id"] != said["id"]]
            return records.Wants(1, [*recent, said])

        batch.change(records.wants(self._core.seat.device), records.Wants, change)
        self._expect(typed(said))
        # What came before its message was held back.
        batch.after.append(self._core.inbound.look)

    def _expect(self, said: Attachment) -> None:
        self._contents[said.id] = said
        self._wanted.update(dict.fromkeys(said.chunks, said.id))

    def kept(self, ids: Iterable[bytes]) -> None:
        """These envelopes are kept now."""
        touched = {self._wanted.pop(id) for id in ids if id in self._wanted}
        for message in touched - set(self._wanted.values()):
            self._core.soon(self._complete, message)

    async def _complete(self, message: bytes) -> None:
        said = self._contents.get(message)
        if said is None:
            return
        plan = attachment.plan(said.size)
        if plan.indexes and message not in self._indexed:
            # The index is here: now the chunks themselves are known.
            self._indexed.add(message)
            self._wanted.update(dict.fromkeys(await self._ids(said, plan), message))
            self._core.inbound.look()
            return
        self.unwant(message)

    def unwant(self, message: bytes) -> None:
        """No chunk of it is waited for any more."""
        for chunk in [chunk for chunk, of in self._wanted.items() if of == message]:
            del self._wanted[chunk]
        if self._contents.pop(message, None) is None:
            return

        def change(wants: records.Wants | None) -> records.Wants | None:
            if wants is None:
                return None
            return records.Wants(1, [one for one in wants.contents if one["id"] != message])

        name = records.wants(self._core.seat.device)
        self._core.ledger.later(lambda batch: batch.change(name, records.Wants, change))

    async def fetch(self, said: dict[str, Any]) -> bytes:
        """The whole content, checked; Refusal not_found while it has not arrived, not_opened."""
        value = typed(said)
        plan = attachment.plan(value.size)
        ids = (await self._ids(value, plan))[: plan.pieces]
        pieces: list[bytes] = []
        for at in range(0, len(ids), AT_ONCE):
            envelopes = await self._read(ids[at : at + AT_ONCE], value)
            pieces += [
                attachment.open_chunk(value.key, plan, at + number, envelope)
                for number, envelope in enumerate(envelopes)
            ]
        whole = b"".join(pieces)
        if attachment.digest(whole) != value.digest:
            raise Refusal("not_opened")
        return whole

    async def _ids(self, said: Attachment, plan: Plan) -> list[bytes]:
        if not plan.indexes:
            return list(said.chunks)
        envelopes = await self._read(list(said.chunks), said)
        pieces = [
            attachment.open_chunk(said.key, plan, plan.count + number, envelope)
            for number, envelope in enumerate(envelopes)
        ]
        return attachment.read_index(plan, pieces)

    async def _read(self, ids: list[bytes], said: Attachment) -> list[bytes]:
        """Kept envelopes; waits for a while when they may still be on their way. Refusal not_found."""
        for look in range(LOOKS):
            found = await self._kept(ids)
            if len(found) == len(ids):
                return found
            if self._core.now() - said.sent >= ARRIVING_SECONDS or look + 1 == LOOKS:
                break
            await trio.sleep(LOOK_SECONDS)
        raise Refusal("not_found")

    async def _kept(self, ids: list[bytes]) -> list[bytes]:
        """Those that are there; asked again where the box does not answer."""
        found: list[bytes] = []

        async def ask() -> None:
            found[:] = [one for one in await self._core.member.read_kept(ids) if one is not None]

        await self._core.steady(ask)
        return found

    async def drop(self, said: dict[str, Any]) -> None:
        """The attachment was deleted: its chunks go from our box."""
        value = typed(said)
        self._core.uploads.drop(value.id)
        plan = attachment.plan(value.size)
        listed: list[bytes] = []
        with suppress(Refusal):
            # Without its index nobody knows the chunks; then they never came.
            listed = await self._ids(value, plan) if plan.indexes else []
        ids = [*value.chunks, *listed]
        for at in range(0, len(ids), KEPT_AT_ONCE):
            await self._core.member.drop_kept(ids[at : at + KEPT_AT_ONCE])
