"""The messages of one signed-in account: everything put together, opened, followed and closed again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from appliance.client.entrance import Unanswered
from appliance.client.person import records
from appliance.client.person.appearance import Appearance
from appliance.client.person.channels import ChannelDesk
from appliance.client.person.chats import Chats
from appliance.client.person.dispatcher import Dispatcher
from appliance.client.person.entering import Entered
from appliance.client.person.files import Files
from appliance.client.person.inbound import Inbound
from appliance.client.person.ledger import Ledger
from appliance.client.person.listening import Listening
from appliance.client.person.member import Member
from appliance.client.person.outbound import Outbound
from appliance.client.person.people import People
from appliance.client.person.reading import Reading
from appliance.client.person.receipts import Receipts
from appliance.client.person.resync import Resync
from appliance.client.person.routes import Routes
from appliance.client.person.scrub import Scrub
from appliance.client.person.seat import HOUR, Remembered, Seat, Surroundings, remember, take_seat
from appliance.client.person.upkeep import Upkeep
from appliance.client.person.uploads import Uploads
from appliance.client.person.vault import Displaced, Vault
from appliance.errors import Refusal
from appliance.protocol.keys import SigningKey
from appliance.protocol.post import Event
from appliance.protocol.pqxdh import OwnDevice

PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
CHORES_SECONDS: Final = 600.0
CLOSING_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Options:
    """How a client behaves; tests make it quick.

    `patience`: seconds to wait for an answer to a knock before the seat of a silent client is taken, 0: that
    is not done; `stock`: one-time prekeys to keep ready.
    """

    label: str = "command line"
    now: Callable[[], float] = time.time
    patience: float = 12.0
    stock: int = 100
    pauses: tuple[float, ...] = PAUSES


class Core:
    """One client at work. Owner: the nursery given to `open`, in which all its tasks run."""

    vault: Vault
    ledger: Ledger
    seat: Seat

    def __init__(
        self,
        member: Member,
        entered: Entered,
        options: Options,
        remembered: Remembered | None,
        saved: Callable[[Remembered], None],
        sealed: Path | None = None,
    ) -> None:
        self.member = member
        self.session = entered.session
        self.options = options
        self.entered = entered
        self._remembered = remembered
        self._saved = saved
        self.signed_out = False
        self._nursery: trio.Nursery | None = None
        self._news = trio.Event()
        self._identity: SigningKey | None = None
        self.people = People(self)
        self.appearance = Appearance(self)
        self.chats = Chats(self)
        self.outbound = Outbound(self)
        self.dispatcher = Dispatcher(self)
        self.inbound = Inbound(self)
        self.reading = Reading(self)
        self.receipts = Receipts(self)
        self.resync = Resync(self)
        self.routes = Routes(self)
        self.upkeep = Upkeep(self)
        self.files = Files(self)
        self.uploads = Uploads(self, sealed)
        self.scrub = Scrub(self)
        self.listening = Listening(self)
        self.channels = ChannelDesk(self)
        self._channel_news = trio.Event()

    # Time and self

    def now(self) -> int:
        """Unix seconds."""
        return int(self.options.now())

    def hour(self) -> int:
        """Whole hours since 1970."""
        return self.now() // HOUR

    @property
    def account(self) -> records.Account:
        """The account record."""
        return self.vault.known(records.ACCOUNT, records.Account)

    @property
    def keys(self) -> records.Keys:
        """This device's secrets."""
        return self.vault.known(records.keys(self.seat.device), records.Keys)

    @property
    def identity(self) -> SigningKey:
        """The account's identity key."""
        if self._identity is None:
            self._identity = SigningKey(self.account.seed)
        return self._identity

    def own(self) -> OwnDevice:
        """This device as sessions bind it."""
        return OwnDevice(self.identity.public, self.seat.device, self.keys.agreement)

    # Opening and closing

    async def open(self, nursery: trio.Nursery) -> None:
        """Read the vault, take a seat, make what others find right, and follow what happens."""
        self._nursery = nursery
        self.vault = Vault(self.member, self.entered.vault_key)
        await self._find_account()
        await self.chats.load()
        around = Surroundings(
            self.member,
            self.vault,
            self.session,
            self.now,
            self.options.label,
            self.options.patience,
            self._remembered,
        )
        self.seat = await take_seat(around)
        device = self.seat.device
        await self.vault.read(records.keys(device), records.prekeys(device), records.KNOCK)
        self.ledger = Ledger(self.vault, device, self.seat.instance, self.options.now)
        self.ledger.saved = lambda: self._saved(remember(around, self.seat))
        self.vault.changed = partial(self.soon, self._changed)
        self._saved(remember(around, self.seat))
        await self.files.load()
        nursery.start_soon(self.ledger.keep_flushing)
        nursery.start_soon(self.dispatcher.run)
        await self.steady(self.upkeep.settle)
        await self.steady(self._recover)
        nursery.start_soon(self.inbound.run)
        nursery.start_soon(self.listening.run)
        nursery.start_soon(self._chores)
        nursery.start_soon(self.scrub.run)
        await self.uploads.load()
        self.inbound.look()

    async def close(self, leave: bool) -> None:
        """Write what was put off; with `leave` the seat is free for others at once."""
        if self.signed_out:
            self.uploads.forget()
        with trio.move_on_after(CLOSING_SECONDS, shield=True):
            try:
                await (self.ledger.leave() if leave else self.ledger.flush())
            except (Unanswered, Refusal, Displaced):
                return

    async def _find_account(self) -> None:
        """The account record; made here for an account that is new. Refusal damaged_store."""
        try:
            found = await self.vault.get(records.ACCOUNT, records.Account)
        except Refusal as refusal:
            raise Refusal("damaged_store", reason="the vault does not open") from refusal
        if found is not None:
            return
        # An empty vault is right only where the directory knows nobody of this name either.
        if not self.entered.fresh and (await self.member.published()).entry is not None:
            raise Refusal("damaged_store", reason="the vault is empty")
        session = self.session
        record = records.Account(
            v=1,
            account=session.account,
            name=session.name,
            onion=session.onion,
            seed=secrets.token_bytes(32),
            display="",
            settings=records.Preferences(),
            devices=[],
        )
        await self.vault.create(records.ACCOUNT, record)

    async def _recover(self) -> None:
        known = await self.dispatcher.look()
        await self.dispatcher.recover(known)

    # Following

    def heard(self, event: Event) -> None:
        """Something happened at the box."""
        match event.kind:
            case "hello" | "reset":
                self.soon(self._catch_up)
                self.soon(self.dispatcher.look)
            case "log":
                self.channels.rooms.heard()
                self._tell_channels()
            case "mail":
                self.inbound.offer(event.queued or [])
            case "dispatch" if event.dispatch is not None:
                self.dispatcher.heard(event.dispatch)
            case "vault" if (event.revision or self.vault.revision + 1) > self.vault.revision:
                self.soon(self.pull)
            case "prekeys":
                self.soon(self.upkeep.fill, event.left or 0)
            case "routes":
                self.soon(self.upkeep.settle)

    async def _catch_up(self) -> None:
        """What other devices of the account took in counts before the queue is read."""
        try:
            await self.pull()
        finally:
            self.inbound.look()

    async def pull(self) -> None:
        """Take in what other devices of the account wrote."""
        await self._changed(await self.vault.pull())

    async def _changed(self, changed: list[str]) -> None:
        if not changed:
            return
        head = self.vault.peek(records.head(self.seat.device))
        if head is None or head["instance"] != self.seat.instance:
            raise Displaced
        if records.KNOCK in changed:
            await self.ledger.touch()
        if records.ACCOUNT in changed:
            self.soon(self.routes.settle)  # whom only this device can tell of the new profile
        if records.UPLOADS in changed:
            await self.uploads.load()
        await self.chats.changed(changed)
        self.tell()

    def tell(self) -> None:
        """Wake who waits for news."""
        self._tell_channels()
        news, self._news = self._news, trio.Event()
        news.set()

    def _tell_channels(self) -> None:
        news, self._channel_news = self._channel_news, trio.Event()
        news.set()

    def channel_news(self) -> trio.Event:
        """An event that is set when something happens in some channel, or a key for one has come."""
        return self._channel_news

    def news(self) -> trio.Event:
        """An event that is set when something changes in some conversation."""
        return self._news

    def soon(self, run: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """Do something beside; what it is refused is not missed, for everything is looked at again."""
        if self._nursery is not None:
            self._nursery.start_soon(self._beside, run, arguments)

    async def _beside(self, run: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> None:
        try:
            await run(*arguments)
        except Refusal as refusal:
            # The vault is set back behind what was read: this device may not go on.
            if refusal.code == "vault_old":
                raise Displaced from refusal
        except Unanswered:
            pass

    async def steady(self, run: Callable[[], Awaitable[Any]]) -> None:
        """Repeat what fails because the box does not answer, until it works."""
        failures = 0
        while True:
            try:
                await run()
                return
            except Unanswered:
                await self.pause(failures)
                failures += 1

    async def pause(self, failures: int) -> None:
        """Wait before trying again."""
        pauses = self.options.pauses
        await trio.sleep(pauses[min(failures, len(pauses) - 1)])

    async def _chores(self) -> None:
        while True:
            await trio.sleep(CHORES_SECONDS)
            await self._beside(self.upkeep.settle, ())
