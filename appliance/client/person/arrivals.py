"""The unread messages of a person, as a stream that never ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from appliance.client.person.chats import Chat
from appliance.client.person.message import Message
from appliance.client.person.shown import shown

if TYPE_CHECKING:
    from appliance.client.person.core import Core
    from appliance.client.person.person import Person


class Arrivals:
    """The unread messages of a person, one after the other, for ever.

    A message is marked as read when the next one is asked for: after a crash in between it comes again.
    """

    def __init__(self, person: Person, core: Core, states: tuple[str, ...]) -> None:
        self._person = person
        self._core = core
        self._states = states
        self._given: tuple[Chat, bytes] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """The next one; waits for it."""
        while True:
            if self._given is not None:
                chat, id = self._given
                await self._core.receipts.mark_read(chat.id, [id])
                self._given = None
            news = self._core.news()
            found = await self._next()
            if found is None:
                await news.wait()
                continue
            self._given = found
            entry = found[0].timeline.entries.get(found[1])
            if entry is not None and not entry.removed and not entry.deleted:
                return shown(self._person, self._core, found[0], entry)

    async def _next(self) -> tuple[Chat, bytes] | None:
        """The unread message that came first."""
        found: list[tuple[int, Chat, bytes]] = []
        for chat in self._core.chats.all:
            if chat.talk.state in self._states and chat.talk.fresh:
                first = chat.talk.fresh[0]
                await chat.reach(first)
                entry = chat.timeline.entries.get(first)
                found.append((entry.at if entry else 0, chat, first))
        best = min(found, key=lambda one: one[0], default=None)
        return None if best is None else (best[1], best[2])
