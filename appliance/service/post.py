"""The post: everything about members' messages in one value, and what other parts tell it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from appliance.config import Config
from appliance.errors import Refusal
from appliance.service.account_hooks import Hooks
from appliance.service.carrier import Carrier
from appliance.service.collection import Collection
from appliance.service.device_mailboxes import DeviceMailboxes
from appliance.service.dispatch import Dispatching
from appliance.service.events import EventBook
from appliance.service.listening import Listening
from appliance.service.ports import Clock
from appliance.service.presence import PresenceBook
from appliance.service.queue import DeviceQueue
from appliance.service.relay import Relay
from appliance.service.remotes import Remotes
from appliance.service.signals import Signals
from appliance.store import device_mailboxes, dispatches, forgetting, kept, mailboxes
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

Named = tuple[str, Callable[[], Awaitable[None]]]
"""A task and its name."""


class Post:
    """Made by `app.py` only; its services are used directly."""

    def __init__(
        self, store: Store, ring: KeyRing, config: Config, clock: Clock, remotes: Remotes, relay: Relay
    ) -> None:
        self.mailboxes = DeviceMailboxes(store, ring, config, clock, remotes)
        self.dispatch = Dispatching(store, ring, config, clock, relay)
        self.carrier = Carrier(store, ring, config, clock, remotes, relay)
        self.queue = DeviceQueue(store, ring, config, clock)
        self.collection = Collection(store, config, clock, remotes, relay, self.mailboxes)
        self.events = EventBook(store, clock)
        self.presence = PresenceBook(self.events)
        self.signals = Signals(store, ring, clock, remotes, self.events)
        self.listening = Listening(remotes, self.mailboxes, self.collection, self.events)
        self._store = store

        self.dispatch.on_due = self.carrier.look
        self.carrier.on_change = self.events.tell_dispatch
        self.mailboxes.on_routes = self.events.tell_routes
        self.mailboxes.on_here = self.events.made
        self.mailboxes.on_leaving = self.collection.look
        relay.arrivals.known = self.events.mailboxes
        relay.arrivals.on_known = self.events.arrived

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        for part in (self.mailboxes, self.dispatch, self.carrier, self.queue, self.collection):
            part.configure(config)

    def tasks(self) -> tuple[list[Named], list[Named]]:
        """Tasks that always run, and those that wait until the box is unlocked."""
        always: list[Named] = [
            ("members' queues", self.queue.run),
            ("events", self.events.run),
            ("presence", self.presence.run),
        ]
        unlocked: list[Named] = [
            ("device mailboxes", self._keep_mailboxes),
            ("carrier", self.carrier.run),
            ("collection", self.collection.run),
            ("listening", self.listening.run),
            ("signals", self.signals.run),
        ]
        return always, unlocked

    async def hasten(self) -> None:
        """Tor is back: everybody to work."""
        self.mailboxes.provision()
        self.collection.look()
        await self.carrier.hasten()

    # What others tell

    def on_vault_changed(self, account: bytes, revision: int, but_device: bytes | None = None) -> None:
        """The vault of an account changed."""
        self.events.tell_account(account, "vault", but_device, revision=revision)

    def on_low(self, account: bytes, device: bytes, left: int) -> None:
        """A device has few one-time prekeys left."""
        self.events.tell(account + device, "prekeys", left=left)

    def end_session(self, session: bytes) -> None:
        """A sign-in has ended."""
        self.events.end_session(session)

    async def forget(self, account: bytes) -> None:
        """Remove everything of an account."""
        await self._forget(account)

    async def forget_device(self, account: bytes, device: bytes) -> None:
        """Remove the mailboxes of a device, with what waits in them."""
        await self._forget(account + device)

    async def _forget(self, whom: bytes) -> None:
        try:
            await self.queue.forget(whom)
        except Refusal:
            return  # it is marked: the sweep goes on with it
        self.mailboxes.provision()

    # Accounts

    def join(self, hooks: Hooks) -> None:
        """Take part when an account is deleted, listed or exported, and when a sign-in ends."""
        # The rows go in small steps after the transaction that deletes the account.
        hooks.forget.append(lambda txn, account, name: forgetting.mark(txn, account))
        hooks.gone.append(self.forget)
        hooks.ended.append(lambda account, session: self.end_session(session))
        hooks.octets.append(self.octets)
        hooks.export.append(lambda txn, account, name: self.export(txn, account))

    def octets(self, txn: Transaction, account: bytes) -> int:
        """Octets that an account uses: what waits, what is on its way, what it keeps."""
        waiting = sum(one.octets for one in _mailboxes(txn, account))
        return waiting + dispatches.load(txn, account).octets + kept.load(txn, account)[1]

    def export(self, txn: Transaction, account: bytes) -> dict[str, int]:
        """How many mailboxes an account has here, and how many envelopes wait in them."""
        found = _mailboxes(txn, account)
        return {"mailboxes": len(found), "waiting": sum(one.held for one in found)}

    async def _keep_mailboxes(self) -> None:
        await self.mailboxes.resize()
        await self.mailboxes.run()


def _mailboxes(txn: Transaction, account: bytes) -> list[mailboxes.MailboxRecord]:
    rows = device_mailboxes.list_here(txn, account)
    found = [mailboxes.find(txn, mailbox) for _, mailbox in rows]
    return [one for one in found if one is not None]
