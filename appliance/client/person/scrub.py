"""Taking what deleted and disappeared messages said out of the vault, and their attachments off the box."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from appliance.client.entrance import Unanswered
from appliance.client.person import expiry, records
from appliance.client.person.ledger import Batch
from appliance.client.person.timeline import Event
from appliance.errors import Refusal

if TYPE_CHECKING:
    from appliance.client.person.chats import Chat
    from appliance.client.person.core import Core

LOOK_SECONDS: Final = 20.0
"""How late a message may be taken out; it is not shown any more from its second on."""


class Scrub:
    """Removes for good."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def run(self) -> None:
        """Take out what disappears, soon after its time."""
        while True:
            news = self._core.news()
            with suppress(Unanswered, Refusal):
                await self.sweep()
            with trio.move_on_after(LOOK_SECONDS):
                await news.wait()

    async def sweep(self) -> None:
        """Take out every message whose time has come, read or not read from the log."""
        for chat in self._core.chats.all:
            if 0 < chat.talk.expires <= self._core.now():
                await self._sweep(chat)

    async def _sweep(self, chat: Chat) -> None:
        before = _key(chat.talk)
        names, now = await chat.timed(), self._core.now()
        expiring = [one for one in chat.timeline.entries.values() if one.expires and not one.removed]
        due = [one.id for one in expiring if (one.expires or 0) <= now]
        if due:
            await self.messages(chat.id, due, wholly=True, names=names)
        later = min((one.expires or 0 for one in expiring if (one.expires or 0) > now), default=0)
        timed: dict[str, int] = {}
        for name, value in zip(names, await self._core.vault.read(*names), strict=True):
            _, device, _, number = name.split("/")
            if value and any(expiry.life_of(event) for event in value["events"]):
                timed[device] = min(int(number), timed.get(device, int(number)))

        def settled(talk: records.Talk) -> records.Talk:
            # Another device may have begun to count meanwhile.
            if _key(talk) != before:
                return msgspec.structs.replace(talk, expires=now + expiry.AGAIN_SECONDS)
            return msgspec.structs.replace(talk, expires=later, timed=timed)

        await self._core.chats.change_talk(chat.id, settled)

    async def messages(
        self, id: str, targets: list[bytes], wholly: bool = False, names: list[str] | None = None
    ) -> None:
        """What these messages said is no more, in these stretches or all; with `wholly` no trace stays."""
        chat = self._core.chats.get(id)
        if chat is None:
            return
        wanted = set(targets)
        for target in targets:
            # What comes of an attachment from now on is not kept.
            self._core.files.unwant(target)
        for content in [chat.timeline.said(target) for target in targets]:
            # First, for whoever is cut off does it again as long as the message is there.
            if content and content["kind"] == "attachment":
                await self._core.files.drop(content)
        names = chat.stretches() if names is None else names
        values = await self._core.vault.read(*names)
        touched = [
            name
            for name, value in zip(names, values, strict=True)
            if value and any(_is_of(event, wanted) for event in value["events"])
        ]

        def blank(segment: records.Segment | None) -> records.Segment | None:
            if segment is None:
                return None
            events = [_blank(event) if _is_of(event, wanted) else event for event in segment.events]
            return records.Segment(1, [event for event in events if not (wholly and _is_of(event, wanted))])

        async def step(batch: Batch) -> None:
            for name in touched:
                batch.change(name, records.Segment, blank)
            batch.talk(id, lambda talk: _cleared(talk, wanted))

        await self._core.ledger.run(step)
        for entry in [chat.timeline.entries.get(target) for target in targets]:
            if entry is not None:
                entry.content, entry.edit = _gone(entry.content), None
                entry.removed, entry.deleted = entry.removed or wholly, True
        self._core.tell()


def _key(talk: records.Talk) -> object:
    """What changes whenever a timer begins to run on some device, and not by taking messages out."""
    return talk.expires, talk.segments, talk.taken, talk.fresh, talk.last and talk.last.id


def _is_of(event: Event, wanted: set[bytes]) -> bool:
    if event["k"] != "m" or event["c"]["kind"] == "gone":
        return False
    return event["c"]["id"] in wanted or (event["c"]["kind"] == "edit" and event["c"]["target"] in wanted)


def _blank(event: Event) -> Event:
    return {"k": "m", "at": event["at"], "by": event["by"], "c": _gone(event["c"])}


def _gone(content: dict[str, Any] | None) -> dict[str, Any] | None:
    return content and {"v": 1, "id": content["id"], "kind": "gone", "sent": content["sent"]}


def _cleared(talk: records.Talk, wanted: set[bytes]) -> records.Talk:
    last = talk.last
    if last is not None and last.id in wanted:
        last = msgspec.structs.replace(last, kind="gone", text="")
    return msgspec.structs.replace(talk, last=last, fresh=[one for one in talk.fresh if one not in wanted])
