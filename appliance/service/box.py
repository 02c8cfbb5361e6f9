"""The box: every service in one value, as the entrances use it. Made by `app.py` only."""

from __future__ import annotations

from dataclasses import dataclass

from appliance import __version__
from appliance.config import Config
from appliance.protocol.desk import State
from appliance.service.accounts import Accounts
from appliance.service.admission import Admission
from appliance.service.audit import Audit
from appliance.service.board_pages import BoardPages
from appliance.service.board_posts import BoardPosts
from appliance.service.board_search import BoardSearch
from appliance.service.boards import Boards
from appliance.service.branding import Branding
from appliance.service.caller import Caller
from appliance.service.changes import Changes
from appliance.service.channel_members import ChannelMembers
from appliance.service.channel_posts import ChannelPosts
from appliance.service.channels import Channels
from appliance.service.directory import Directory
from appliance.service.door import Door
from appliance.service.feeds import Feeds
from appliance.service.health import Health
from appliance.service.hosting import Hosting
from appliance.service.invites import Invites
from appliance.service.linking import Linking
from appliance.service.lock import Lock
from appliance.service.logs import Logs
from appliance.service.members import Members
from appliance.service.minimise import Minimise
from appliance.service.mirrors import Mirrors
from appliance.service.moderation import Moderation
from appliance.service.nameplate import Nameplate
from appliance.service.people import People
from appliance.service.places import Places
from appliance.service.plain import Plain
from appliance.service.ports import Clock, TorPort
from appliance.service.post import Post
from appliance.service.relay import Relay
from appliance.service.rooms import Rooms
from appliance.service.settings import Settings
from appliance.service.sign_in import SignIn
from appliance.service.vault import Vault


@dataclass(frozen=True)
class Box:
    """All services of one box."""

    clock: Clock
    relay: Relay
    admission: Admission
    lock: Lock
    nameplate: Nameplate
    door: Door
    sign_in: SignIn
    accounts: Accounts
    members: Members
    invites: Invites
    linking: Linking
    plain: Plain
    places: Places
    post: Post
    logs: Logs
    boards: Boards
    board_posts: BoardPosts
    board_pages: BoardPages
    board_search: BoardSearch
    rooms: Rooms
    mirrors: Mirrors
    feeds: Feeds
    channels: Channels
    channel_posts: ChannelPosts
    channel_members: ChannelMembers
    vault: Vault
    directory: Directory
    people: People
    hosting: Hosting
    settings: Settings
    health: Health
    changes: Changes
    tor: TorPort
    audit: Audit
    branding: Branding
    moderation: Moderation
    minimise: Minimise

    @property
    def config(self) -> Config:
        """The settings that hold now."""
        return self.settings.config

    def release(self) -> None:
        """Answer whoever waits for news: the box stops."""
        self.changes.touch()
        self.post.events.release()

    def count_fault(self, where: str, error: BaseException) -> None:
        """Note a failure that should never be."""
        self.health.count_fault(where, error)

    def count_refusal(self, route: str, code: str) -> None:
        """Note a refused request."""
        self.health.count_refusal(route, code)

    def note_time(self, route: str, seconds: float) -> None:
        """Note how long an answer took."""
        self.health.timing.note(route, seconds)

    def state(self, caller: Caller | None) -> State:
        """What the first page shows; the desk's own figures only for an owner."""
        config = self.config
        owns = caller is not None and caller.role == "owner"
        private = owns and not self.lock.locked
        name = "" if caller is None else caller.name if caller.is_member else self.nameplate.first_owner
        return State(
            revision=self.changes.revision,
            version=__version__,
            time=int(self.clock()),
            claimed=self.nameplate.claimed,
            locked=self.lock.locked,
            signed_in=caller is not None,
            relay_only=config.relay_only,
            address=self.relay.host,
            tor=self.tor.status,
            protected=self.lock.protected and private,
            name=name,
            role=None if caller is None else caller.role,
            relay=self.hosting.brief() if owns else None,
            branding=self.branding.page().revision,
        )
