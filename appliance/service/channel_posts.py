"""Posts of channels: what members say, sealed; who reads it; and what is taken down."""

from __future__ import annotations

from typing import Final

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol import channel_message
from appliance.protocol.log import LogPage, Removed
from appliance.protocol.membership import RIGHTS
from appliance.service import rights
from appliance.service.audit import Audit
from appliance.service.caller import Caller
from appliance.service.channel_access import check_member, check_reader
from appliance.service.channels import Channels
from appliance.service.conduct import Conduct, Step
from appliance.service.logs import Logs
from appliance.service.ports import Clock, hour_of
from appliance.store import channels, logs
from appliance.store.channels import Head, Place
from appliance.store.engine import Store
from appliance.store.logs import Draft
from appliance.store.logs import Head as LogHead
from appliance.store.transaction import Transaction

MESSAGE: Final = wire.KINDS.index("message")
HOUR: Final = 3600


class ChannelPosts:
    """Durable. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        config: Config,
        clock: Clock,
        log: Logs,
        conduct: Conduct,
        audit: Audit,
        channel: Channels,
    ) -> None:
        self._store = store
        self._clock = clock
        self._logs = log
        self._conduct = conduct
        self._audit = audit
        self._channels = channel
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    async def post(self, caller: Caller, body: wire.PostChannel) -> wire.Posted:
        """Append a message durably; the same id again is answered alike.

        Refusals: switched_off, wrong_size, unknown_version, no_channel, not_member, channel_closed,
        old_roster, slow_mode, too_fast, suspended, banned, withheld, karma, locked, repeated (the id is
        somebody else's).
        """
        channel_message.check(body.sealed)
        author = self._logs.author(body.channel, caller.account)
        again = self._store.read(lambda txn: _posted(txn, body, author))
        if again is not None:
            return again
        if not self._config.channels:
            raise Refusal("switched_off")
        head, place = self._store.read(lambda txn: _checked(txn, caller, body))
        step = Step(
            act="post",
            area="channels",
            place=body.channel,
            slow_seconds=0 if place.role in RIGHTS["post at once"] else head.slow,
            a_minute=self._config.channel_posts_minute,
        )
        hour = hour_of(self._clock())
        draft = Draft(body.id, MESSAGE, body.sealed, author, _until(hour, body.hours, head.timer))
        with self._conduct.enter(caller, step) as leave:

            def check(txn: Transaction, log: LogHead) -> None:
                leave.check(txn)
                _checked(txn, caller, body)

            done = await self._logs.append(body.channel, draft, check)
        if done.fresh:
            return wire.Posted(done.number, hour)
        again = self._store.read(lambda txn: _posted(txn, body, author))
        if again is None:
            raise Refusal("no_entry")
        return again

    async def page(
        self, caller: Caller, channel: bytes, after: int, before: int | None, limit: int
    ) -> LogPage:
        """Entries after a number, or the last ones before one. Refusals: no_channel, not_member, malformed.

        Members of a private channel are shown what came with them and since.
        """
        reader = self._store.read(lambda txn: check_reader(txn, caller, channel))
        floor = 1 if reader.head.public or reader.place is None else reader.place.floor
        page = await self._logs.page(channel, after=max(after, floor - 1), before=before, limit=limit)
        return LogPage(page.log, max(page.first, floor), page.last, page.entries, page.more)

    async def take_down(self, caller: Caller, body: wire.TakeDown) -> None:
        """Remove what a message says, for good. One that is gone stays gone.

        Refusals: no_channel, not_member, role, no_entry, wrong_state (an entry of the roster), locked.
        """
        channel, number = body.channel, body.number
        author = self._logs.author(channel, caller.account)
        title = self._channels.title_of(channel)

        def job(txn: Transaction) -> bool:
            by, for_box = _taken_down_by(txn, caller, body, author)
            if for_box:
                self._audit.note(txn, caller, "channel.remove", title, channel)
            return logs.remove(txn, channel, number, by)

        if await self._store.write(job, freeing=True):
            self._logs.tell_changed(channel, [number])


def _checked(txn: Transaction, caller: Caller, body: wire.PostChannel) -> tuple[Head, Place]:
    """The channel and the membership by which this may be posted now."""
    place, head = check_member(txn, caller, body.channel), channels.require(txn, body.channel)
    if head.closed:
        raise Refusal("channel_closed")
    if (body.roster, body.devices) != (head.number, head.devices):
        raise Refusal("old_roster", roster=head.number, devices=head.devices)
    return head, place


def _posted(txn: Transaction, body: wire.PostChannel, author: bytes) -> wire.Posted | None:
    """Where a message stands that is there already. Refusals: no_channel, repeated."""
    channels.require(txn, body.channel)
    number = logs.number_of(txn, body.channel, body.id)
    found = None if number is None else logs.get(txn, None, body.channel, number)
    if found is None:
        return None
    if found.author != author or found.kind != MESSAGE:
        raise Refusal("repeated")
    return wire.Posted(found.number, found.hour)


def _until(hour: int, wanted: int | None, timer: int) -> int:
    """The hour at which a message ends: as its sender says, at the latest as the channel does; 0: never.

    It came some time within its hour, and is there for no less than was asked: counted from that hour's end.
    """
    ends = [] if wanted is None else [wanted]
    ends += [-(-timer // HOUR)] if timer else []
    return hour + 1 + min(ends) if ends else 0


def _taken_down_by(
    txn: Transaction, caller: Caller, body: wire.TakeDown, author: bytes
) -> tuple[Removed, bool]:
    """As whom the caller takes an entry down, and whether he does it by his role at the box."""
    channels.require(txn, body.channel)
    place = channels.place(txn, body.channel, caller.account)
    moderates = rights.may(caller.role, "moderate")
    if place is None and not moderates:
        raise Refusal("not_member")
    found = logs.get(txn, None, body.channel, body.number)
    if found is None:
        raise Refusal("no_entry")
    if found.kind != MESSAGE:
        raise Refusal("wrong_state", reason="an entry of the roster stays")
    if place is not None and found.author == author:
        return "author", False
    if place is not None and place.role in RIGHTS["take down"]:
        return "moderator", False
    if moderates:
        return "moderator", True
    raise Refusal("role")
