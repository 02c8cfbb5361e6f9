"""Presence: which members are here and let it be seen. Owner: the event loop; nothing is durable."""

from __future__ import annotations

from typing import Final

import trio

from appliance.protocol.post import Here
from appliance.service.caller import Caller
from appliance.service.events import EventBook

DEBOUNCE_SECONDS: Final = 5.0
"""Who reloads a page does not leave and come again."""


class PresenceBook:
    """Sign-ins that may be seen. One task tells the others of changes, at most every few seconds."""

    def __init__(self, events: EventBook) -> None:
        self._events = events
        self._visible: set[bytes] = set()
        self._wake = trio.Event()
        self._told: list[str] = []
        events.on_presence = self._look

    def show(self, caller: Caller, visible: bool) -> None:
        """This sign-in may be seen from now on, or no longer."""
        if visible:
            self._visible.add(caller.session)
        else:
            self._visible.discard(caller.session)
        self._look()

    def here(self) -> Here:
        """Names of members who are here and let it be seen."""
        live = self._events.live()
        return Here(sorted({feed.caller.name for feed in live if feed.caller.session in self._visible}))

    async def run(self) -> None:
        """Tell everybody who is here when the list has changed."""
        while True:
            await self._wake.wait()
            await trio.sleep(DEBOUNCE_SECONDS)
            self._wake = trio.Event()
            live = {feed.caller.session for feed in self._events.live()}
            self._visible &= live
            names = self.here().names
            if names != self._told:
                self._told = names
                self._events.tell_all("here", names=names)

    def _look(self) -> None:
        if self._visible or self._told:
            self._wake.set()
