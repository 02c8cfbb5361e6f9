"""A household with all that keeps order in it: audit log, conduct, reports, four eyes, over real logs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.config import Config
from appliance.protocol.audit import Act
from appliance.protocol.desk import ChangeSettings
from appliance.service.board_rules import HELD
from appliance.service.branding import Branding
from appliance.service.caller import OPERATOR, Caller
from appliance.service.events import EventBook
from appliance.service.feed import Feed
from appliance.service.logs import BOARD, CHANNEL, Logs, LogUser
from appliance.service.moderation import Moderation, make_moderation
from appliance.service.settings import Settings
from appliance.store.logs import Draft
from tests.households import Home, Person, home
from tests.services import Time

BOARD_LOG, ROOM_LOG = b"B" * 16, b"R" * 16


@dataclass
class Desk:
    """A box's desk as its services see it; `callers` by name."""

    home: Home
    events: EventBook
    logs: Logs
    settings: Settings
    moderation: Moderation
    branding: Branding
    callers: dict[str, Caller]
    people: dict[str, Person]
    room: set[bytes]
    """Accounts that are in the channel."""

    @property
    def clock(self) -> Time:
        return self.home.clock

    async def join(self, name: str, role: str = "member") -> Caller:
        person, issued = await self.home.join(name, role)
        self.people[name], self.callers[name] = person, self.home.caller(issued)
        return self.callers[name]

    def hear(self, name: str) -> Feed:
        """The feed of somebody's device, from now on."""
        device = os.urandom(16)
        return self.events.open(replace(self.callers[name], device=device))

    async def set(self, **values: object) -> None:
        await self.settings.change(OPERATOR, ChangeSettings(values=values))

    async def write(self, name: str, log: bytes = BOARD_LOG, body: bytes = b"words", kind: int = 1) -> bytes:
        """An entry of somebody's; its id."""
        id = os.urandom(16)
        author = self.logs.author(log, self.callers[name].account)
        await self.logs.append(log, Draft(id, kind, body, author=author))
        return id

    async def acts(self, caller: Caller = OPERATOR) -> list[Act]:
        return (await self.home.people.audit.page(caller, None, 200)).acts

    async def said(self) -> list[tuple[str, str, str]]:
        """(who, action, target) of every act, the oldest first."""
        return [(act.name, act.action, act.target) for act in reversed(await self.acts())]


@asynccontextmanager
async def desk(folder: Path, clock: Time | None = None) -> AsyncIterator[Desk]:
    """A claimed box: ann owns it."""
    async with home(folder, clock) as h:
        house, people = h.house, h.people
        settings = Settings(house.store, Config(data=folder, kdf_memory_kib=64, kdf_passes=1), frozenset())
        events = EventBook(house.store, house.clock)
        logs = Logs(house.store, house.ring, settings.config, house.clock, events)
        room: set[bytes] = set()
        logs.register(BOARD, LogUser(open=True, hidden=frozenset({HELD})))
        logs.register(CHANNEL, LogUser(members=lambda log: room))
        await logs.create(BOARD_LOG, BOARD, sealed=True)
        await logs.create(ROOM_LOG, CHANNEL, sealed=False)
        moderation = make_moderation(house.store, house.ring, settings, house.clock, logs, people, events)
        moderation.join(people.hooks)
        people.hooks.ended.append(lambda account, session: events.end_session(session))
        branding = Branding(people.nameplate, settings, events)
        settings.note = people.audit.note
        people.nameplate.on_changed = branding.renew
        people.door.branding = lambda: branding.page().revision
        for part in (people, logs, moderation, branding):
            settings.follow(part.configure)
        ann, issued = await h.claim()
        yield Desk(
            h,
            events,
            logs,
            settings,
            moderation,
            branding,
            {"ann": h.caller(issued)},
            {"ann": ann},
            room,
        )
