"""Channels on a real store: members with accounts and identities, who sign rosters as their clients do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from appliance.config import Config
from appliance.protocol import channel as wire
from appliance.protocol import roster
from appliance.protocol.log import LogPage
from appliance.protocol.membership import Mark
from appliance.protocol.roster import Create, Info
from appliance.service.caller import Caller
from appliance.service.channel_members import ChannelMembers
from appliance.service.channel_posts import ChannelPosts
from appliance.service.channels import Channels
from appliance.service.directory import Directory
from appliance.service.events import EventBook
from appliance.service.feed import Feed
from appliance.service.logs import Logs
from appliance.service.moderation import Moderation, make_moderation
from appliance.service.settings import Settings
from appliance.store import channels as rows
from tests import households
from tests.households import Home
from tests.persons import Person
from tests.services import Time

CHANNEL = b"C" * 16
SEALED_INFO = bytes(60)
MESSAGE = b"\x01" + bytes(959)


@dataclass
class Member:
    """Somebody with an account, an identity, and one device or more."""

    person: Person
    caller: Caller
    secret: households.Person
    """What is derived from the passphrase."""

    @property
    def identity(self) -> bytes:
        return self.person.identity.public

    def sign(self, change: Any, before: Mark | None, hour: int, channel: bytes = CHANNEL) -> bytes:
        """The next entry of a roster."""
        number, previous = (before.number, before.hash) if before else (0, bytes(32))
        key = self.person.identity
        return roster.sign(key, roster.Entry(1, channel, number + 1, previous, hour, key.public, change))

    def add(self, who: Member, role: str = "member") -> roster.Add:
        return roster.Add(who.person.name, who.person.box, who.identity, role)  # type: ignore[arg-type]

    def join(self) -> roster.Join:
        return roster.Join(self.person.name, self.person.box)


@dataclass
class ChannelHouse:
    """The services of channels over one store; no task of theirs runs. ann owns the box."""

    home: Home
    settings: Settings
    events: EventBook
    logs: Logs
    directory: Directory
    moderation: Moderation
    channels: Channels
    posts: ChannelPosts
    members: ChannelMembers

    @property
    def clock(self) -> Time:
        return self.home.clock

    @property
    def store(self) -> Any:
        return self.home.house.store

    async def settle(self, secret: households.Person, issued: Any, prekeys: int = 0) -> Member:
        """Give an account an identity and a device, and publish them."""
        person = Person(secret.name, self.home.house.ring.identity.public, secret.account)
        caller = replace(self.home.caller(issued), device=person.devices[0].id)
        await self.directory.publish(caller, person.publication(prekeys))
        return Member(person, caller, secret)

    async def join(self, name: str, role: str = "member", prekeys: int = 0) -> Member:
        """One more member of the box."""
        return await self.settle(*await self.home.join(name, role), prekeys)

    async def create(self, who: Member, public: bool = True, channel: bytes = CHANNEL, **fields: Any) -> Mark:
        """A channel of somebody's; where its roster stands."""
        info = Info("Garden", "Tomatoes and such") if public else SEALED_INFO
        given = {"timer": 0, "slow": 0, **fields}
        change = Create(public, who.person.name, who.person.box, info, **given)
        signed = who.sign(change, None, self.clock.hour, channel)
        return (await self.channels.create(who.caller, wire.NewChannel(signed))).roster

    async def change(
        self, who: Member, change: Any, before: Mark | None = None, channel: bytes = CHANNEL
    ) -> wire.Appended:
        """One more entry of a roster, after where it stands now or `before`."""
        signed = who.sign(change, before or self.head(channel).mark, self.clock.hour, channel)
        return await self.channels.append(who.caller, wire.AppendRoster(channel, signed))

    def head(self, channel: bytes = CHANNEL) -> rows.Head:
        return self.store.read(lambda txn: rows.require(txn, channel))

    def draft(self, channel: bytes = CHANNEL, **fields: Any) -> wire.PostChannel:
        """A message as somebody seals it who sees the roster as it is now."""
        head = self.head(channel)
        given = {"id": os.urandom(16), "roster": head.number, "devices": head.devices, "sealed": MESSAGE}
        return wire.PostChannel(channel=channel, **(given | fields))

    async def post(self, who: Member, channel: bytes = CHANNEL, **fields: Any) -> wire.Posted:
        return await self.posts.post(who.caller, self.draft(channel, **fields))

    async def read(self, who: Member, channel: bytes = CHANNEL, after: int = 0, **fields: Any) -> LogPage:
        given = {"before": None, "limit": 64, **fields}
        return await self.posts.page(who.caller, channel, after, **given)

    def hear(self, who: Member) -> Feed:
        """The feed of somebody's device, from now on."""
        return self.events.open(who.caller)

    async def set(self, **values: object) -> None:
        """Other settings, for the services of channels."""
        config = replace(self.settings.config, **values)  # type: ignore[arg-type]
        for part in (self.channels, self.posts, self.moderation, self.logs, self.directory):
            part.configure(config)


@asynccontextmanager
async def channel_house(folder: Path, **settings: object) -> AsyncIterator[ChannelHouse]:
    """A claimed box with all that channels need."""
    async with households.home(folder) as h:
        house, people = h.house, h.people
        config = replace(
            Config(data=folder, kdf_memory_kib=64, kdf_passes=1, channel_posts_minute=6000),
            **settings,  # type: ignore[arg-type]
        )
        book = Settings(house.store, config, frozenset())
        events = EventBook(house.store, house.clock)
        logs = Logs(house.store, house.ring, config, house.clock, events)
        moderation = make_moderation(house.store, house.ring, book, house.clock, logs, people, events)
        conduct, audit = moderation.conduct, people.audit
        directory = Directory(house.store, house.ring, config, house.clock)
        channels = Channels(house.store, house.ring, config, house.clock, logs, conduct, audit)
        posts = ChannelPosts(house.store, config, house.clock, logs, conduct, audit, channels)
        moderation.four_eyes.register("channel.close", channels.remove)
        directory.changing.append(rows.changed)
        for part in (moderation, directory, channels):
            part.join(people.hooks)
        await h.claim()
        yield ChannelHouse(
            h,
            book,
            events,
            logs,
            directory,
            moderation,
            channels,
            posts,
            ChannelMembers(house.store, directory),
        )
