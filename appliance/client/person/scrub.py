"""Taking what deleted messages said out of the vault, and their attachments off the box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.timeline import Event

if TYPE_CHECKING:
    from appliance.client.person.core import Core


class Scrub:
    """Removes for good."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def messages(self, id: str, targets: list[bytes], wholly: bool = False) -> None:
        """What these messages said is no more; with `wholly` no trace stays."""
        chat = self._core.chats.get(id)
        if chat is None:
            return
        wanted = set(targets)
        said = [chat.timeline.said(target) for target in targets]
        names = chat.stretches()
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
        for content in said:
            if content and content["kind"] == "attachment":
                await self._core.files.drop(content)
        self._core.tell()


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
