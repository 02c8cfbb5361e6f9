"""The box: every service in one value, as the entrances use it. Made by `app.py` only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance import __version__
from appliance.config import Config
from appliance.protocol.desk import State
from appliance.service.admission import Admission
from appliance.service.caller import Caller
from appliance.service.changes import Changes
from appliance.service.contacts import Contacts
from appliance.service.health import Health
from appliance.service.hosting import Hosting
from appliance.service.inbox import Inbox
from appliance.service.outbox import Outbox
from appliance.service.owner import Owner
from appliance.service.places import Places
from appliance.service.ports import Clock, TorPort
from appliance.service.post import Post
from appliance.service.relay import Relay
from appliance.service.settings import Settings


@dataclass(frozen=True)
class Box:
    """All services of one box."""

    clock: Clock
    relay: Relay
    admission: Admission
    owner: Owner
    contacts: Contacts
    outbox: Outbox
    inbox: Inbox
    places: Places
    post: Post
    hosting: Hosting
    settings: Settings
    health: Health
    changes: Changes
    tor: TorPort
    public_card: Callable[[], str]

    @property
    def config(self) -> Config:
        """The settings that hold now."""
        return self.settings.config

    def count_fault(self, where: str, error: BaseException) -> None:
        """Note a failure that should never be."""
        self.health.count_fault(where, error)

    def count_refusal(self, route: str, code: str) -> None:
        """Note a refused request."""
        self.health.count_refusal(route, code)

    def state(self, caller: Caller | None) -> State:
        """What the first page shows; private parts only for an owner."""
        signed_in = caller is not None and caller.role == "owner"
        owner = self.owner
        config = self.config
        private = signed_in and not owner.locked
        return State(
            revision=self.changes.revision,
            version=__version__,
            time=int(self.clock()),
            claimed=owner.claimed,
            locked=owner.locked,
            signed_in=signed_in,
            relay_only=config.relay_only,
            address=self.relay.host,
            tor=self.tor.status,
            protected=owner.protected and private,
            name=owner.name if private else "",
            inbox_unseen=self.inbox.unseen() if private else 0,
            outbox_waiting=self.outbox.waiting() if private else 0,
            relay=self.hosting.brief() if signed_in else None,
        )
