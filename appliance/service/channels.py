"""Channels: making them and changing their rosters, who may know of them, and how they end.

What members sign is checked by the function that every client runs, in the transaction that appends it, with
what the directory shows at that moment. So two changes that meet are one after the other, or one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol import membership, roster
from appliance.protocol.codec import to_text
from appliance.protocol.roster import Add, Close, Create, Info, Join, Leave, Link, Remove, SetInfo
from appliance.service import rights
from appliance.service.account_hooks import Hooks
from appliance.service.audit import Audit
from appliance.service.caller import Caller
from appliance.service.channel_access import (
    check_keeps_owner,
    check_member,
    check_owners,
    check_reader,
    may_remove,
)
from appliance.service.channel_rosters import Rosters
from appliance.service.conduct import Conduct, Step
from appliance.service.conduct import Leave as Permission
from appliance.service.logs import CHANNEL, Logs, LogUser
from appliance.service.ports import Clock, hour_of
from appliance.store import channels, directory, logs, thanks
from appliance.store.engine import Store
from appliance.store.logs import Draft, Entry
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

ROSTER: Final = wire.KINDS.index("roster")
MOST_JOINS: Final = 50_000
"""Nobody joins by himself once a roster has so many entries: they stay for ever."""
CLOCK_HOURS: Final = 48
"""How far the hour in an entry may be from the box's."""
ROSTER_PAGE: Final = 256
ROSTER_OCTETS: Final = 512 * 1024
SWEPT_ROWS: Final = 500
LISTED: Final = (Create, SetInfo, Close)
"""Changes of a public channel that who is not in it sees in the list of channels."""


class Newcomer(NamedTuple):
    """Who comes in by an entry: the identity that the directory shows for the name, and the account."""

    shown: bytes
    account: bytes


class Channels:
    """Durable. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        log: Logs,
        conduct: Conduct,
        audit: Audit,
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._logs = log
        self._conduct = conduct
        self._audit = audit
        self.rosters = Rosters(store)
        self._retained: tuple[int, int] | None = None
        """Hours and entries that all logs of channels were last told to keep."""
        self.configure(config)
        log.register(CHANNEL, LogUser(members=self.rosters.hearers, gone=_gone))

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def join(self, hooks: Hooks) -> None:
        """Take part when an account is deleted or exported."""
        hooks.forget.append(lambda txn, account, name: channels.forget(txn, account))
        hooks.export.append(lambda txn, account, name: {"channels": channels.list_of(txn, account)})
        hooks.keep.append(check_owners)

    # Reading

    async def page(self, caller: Caller) -> wire.Channels:
        """Those the caller is in, then public ones that are open to join, each by id."""

        def look(txn: Transaction) -> list[wire.Channel]:
            own = channels.list_of(txn, caller.account)
            mine = frozenset(own)
            others = [
                channel
                for channel, head in channels.list_all(txn)
                if head.public and not head.closed and channel not in mine
            ]
            return [_shown(txn, caller, channel) for channel in (*own, *others)]

        return wire.Channels(await self._store.read_cold(look))

    async def one(self, caller: Caller, channel: bytes) -> wire.Channel:
        """One channel. Refusals: no_channel, not_member."""

        def look(txn: Transaction) -> wire.Channel:
            check_reader(txn, caller, channel)
            return _shown(txn, caller, channel)

        return await self._store.read_cold(look)

    async def roster(self, caller: Caller, query: wire.RosterQuery) -> wire.RosterPage:
        """Entries of a roster, from its beginning on. Refusals: no_channel, not_member."""

        def look(txn: Transaction) -> wire.RosterPage:
            head = check_reader(txn, caller, query.channel).head
            found: list[wire.RosterEntry] = []
            octets = 0
            for one in channels.entries(txn, query.channel, query.after, ROSTER_PAGE):
                octets += len(one.signed)
                if found and octets > ROSTER_OCTETS:
                    break
                found.append(wire.RosterEntry(one.number, one.signed))
            return wire.RosterPage(found, query.after + len(found) < head.number)

        return await self._store.read_cold(look)

    # Changing

    async def create(self, caller: Caller, new: wire.NewChannel) -> wire.Appended:
        """Make a channel by its first entry; the same again is answered alike.

        Refusals: switched_off, role, bad_roster, channel_exists, channels_full, channels_most, locked, …
        """
        rights.check(caller, "make_channel")
        link = roster.read(new.entry)
        if not isinstance(link.entry.change, Create):
            raise Refusal("bad_roster")
        return await self._append(caller, link, new.entry)

    async def append(self, caller: Caller, body: wire.AppendRoster) -> wire.Appended:
        """Append an entry to a roster; the same again is answered alike.

        Refusals: switched_off, no_channel, bad_roster, old_roster, channel_full, channels_most, locked, …
        """
        link = roster.read(body.entry)
        if link.entry.channel != body.channel or isinstance(link.entry.change, Create):
            raise Refusal("bad_roster")
        return await self._append(caller, link, body.entry)

    async def _append(self, caller: Caller, link: Link, signed: bytes) -> wire.Appended:
        channel, change = link.entry.channel, link.entry.change
        known = self._store.read(lambda txn: self._known(txn, caller, link))
        if known is not None:
            return known
        if not self._config.channels and not isinstance(change, Leave):
            raise Refusal("switched_off")
        hour = hour_of(self._clock())
        if abs(link.entry.hour - hour) > CLOCK_HOURS:
            raise Refusal("bad_roster", reason="clock")
        act: Any = "join" if isinstance(change, Join | Leave) else "post"
        step = Step(act, "channels", channel, a_minute=self._config.channel_posts_minute)
        author = self._logs.author(channel, caller.account)
        out: list[bytes] = []

        def job(txn: Transaction) -> wire.Appended:
            permission.check(txn)
            again = self._known(txn, caller, link)
            if again is not None:
                return again
            if isinstance(change, Remove):
                account = channels.account_of(txn, channel, change.identity)
                out[:] = [] if account is None else [account]
            draft = Draft(link.hash[:16], ROSTER, signed, author)
            return self._change(txn, caller, link, draft, hour)

        self._logs.begin(channel)
        permission: Permission
        with self._conduct.enter(caller, step) as permission:
            appended = await self._store.write(job)
        self._logs.tell(channel)
        if out:
            self._logs.announce(channel, appended.number, out)
        if isinstance(change, LISTED) and self._is_public(channel):
            self._logs.announce(channel, appended.number, None)
        return appended

    def _known(self, txn: Transaction, caller: Caller, link: Link) -> wire.Appended | None:
        """The answer to an entry that is there already. Refusals as far as its place tells."""
        name = directory.find_name(txn, caller.account)
        if name is None or directory.find(txn, name).identity != link.entry.actor:
            raise Refusal("bad_roster", reason="actor")
        channel, creates = link.entry.channel, isinstance(link.entry.change, Create)
        head = channels.find(txn, channel)
        if head is None:
            if not creates:
                raise Refusal("no_channel")
            if channels.is_known(txn, channel) or logs.is_known(txn, channel):
                raise Refusal("channel_exists")
            return None
        kept = channels.entry(txn, channel, link.entry.number)
        if kept is not None and roster.hash_of(kept.signed) == link.hash:
            return wire.Appended(kept.number, head.mark, head.devices)
        if creates:
            raise Refusal("channel_exists")
        if kept is not None:
            raise Refusal("old_roster")
        return None

    def _change(self, txn: Transaction, caller: Caller, link: Link, draft: Draft, hour: int) -> wire.Appended:
        """One more entry, checked as every client will check it."""
        channel, change = link.entry.channel, link.entry.change
        head = channels.find(txn, channel)
        before = None if head is None else self.rosters.state(txn, channel, head)
        if before is not None and not isinstance(change, Join):
            # The same identity under another account is not who was let in.
            check_member(txn, caller, channel)
            check_keeps_owner(txn, caller, channel, change)
        newcomer = self._newcomer(txn, caller, link)
        after = membership.apply(before, link, None if newcomer is None else newcomer.shown)
        self._check_room(txn, link, newcomer)
        if before is None:
            hours, entries = self._retention()
            logs.create(txn, channel, CHANNEL, sealed=False, hours=hours, entries=entries)
        done = logs.append(txn, self._ring.sealer, channel, draft, hour)
        if not done.fresh:
            raise Refusal("bad_roster", reason="this id is taken")
        account = b"" if newcomer is None else newcomer.account
        saved = channels.save(txn, before, after, draft.body, done.number, lambda identity: account)
        self.rosters.keep(after)
        if not saved.present:  # the last one left a closed channel
            channels.doom(txn, channel)
        return wire.Appended(done.number, saved.mark, saved.devices)

    def _newcomer(self, txn: Transaction, caller: Caller, link: Link) -> Newcomer | None:
        """Who comes in by this entry, as the directory shows them. Refusals: bad_roster, no_account."""
        change = link.entry.change
        if not isinstance(change, Create | Add | Join):
            return None
        if change.onion != self._ring.identity.public:
            raise Refusal("bad_roster", reason="another box")
        row = directory.find(txn, change.name)
        if not isinstance(change, Add) and row.account != caller.account:
            raise Refusal("bad_roster", reason="name")
        return Newcomer(row.identity, row.account)

    def _check_room(self, txn: Transaction, link: Link, newcomer: Newcomer | None) -> None:
        change, most = link.entry.change, self._config.channels_account
        if isinstance(change, Create) and channels.count(txn) >= self._config.channels_most:
            raise Refusal("channels_full")
        if newcomer is not None and len(channels.list_of(txn, newcomer.account, most)) >= most:
            raise Refusal("channels_most")
        if isinstance(change, Join) and link.entry.number > MOST_JOINS:
            raise Refusal("channel_full")

    def _is_public(self, channel: bytes) -> bool:
        head = self._store.read(lambda txn: channels.find(txn, channel))
        return head is not None and head.public

    # Ending

    def may_remove(self, caller: Caller, channel: bytes) -> bool:
        """Whether the caller may delete the channel as its owner: once it is closed, or he is alone in it.

        Refusal no_channel.
        """
        return self._store.read(lambda txn: may_remove(txn, caller, channel))

    def title_of(self, channel: bytes) -> str:
        """What the audit log calls a channel: its title, or the beginning of its id."""
        info = self._store.read(lambda txn: channels.bare(txn, channel)).info
        return info.title if isinstance(info, Info) else to_text(channel)[:8]

    async def remove(self, caller: Caller, channel: bytes) -> None:
        """Delete a channel, as its owner or for the box. Refusals: role, no_channel."""
        title = self.title_of(channel)
        hearers = None if self._is_public(channel) else self.rosters.hearers(channel)

        def job(txn: Transaction) -> int:
            if not may_remove(txn, caller, channel):
                rights.check(caller, "close_channel")
                self._audit.note(txn, caller, "channel.close", title, channel)
            last = logs.require(txn, channel).last
            channels.doom(txn, channel)
            return last

        last = await self._store.write(job, freeing=True)
        self._logs.announce(channel, last, hearers)

    async def run(self) -> None:
        """Sweep for ever: batch after batch while there is work, then pause. The box must be unlocked."""
        while True:
            await self.retain()
            if not await self.sweep():
                await trio.sleep(self._config.log_sweep_seconds)

    async def sweep(self) -> int:
        """One bounded step: rows of deleted channels; how many went."""
        if not await self._store.read_cold(channels.has_doomed):
            return 0
        return await self._store.write(lambda txn: channels.sweep(txn, SWEPT_ROWS), freeing=True)

    async def retain(self) -> None:
        """Have all channels keep what the settings say, when they have changed."""
        wanted = self._retention()
        if wanted == self._retained:
            return

        def job(txn: Transaction) -> None:
            for channel, _ in channels.list_all(txn):
                if logs.require(txn, channel)[-2:] != wanted:
                    logs.retain(txn, channel, *wanted)

        await self._store.write(job)
        self._retained = wanted

    def _retention(self) -> tuple[int, int]:
        return self._config.channel_days * 24, self._config.channel_entries


def _gone(txn: Transaction, log: bytes, entries: Sequence[Entry]) -> None:
    """Thanks go with what they were for; karma stays."""
    for entry in entries:
        thanks.forget(txn, log, entry.id)


def _shown(txn: Transaction, caller: Caller, channel: bytes) -> wire.Channel:
    head, log = channels.require(txn, channel), logs.require(txn, channel)
    place = channels.place(txn, channel, caller.account)
    info: Any = channels.bare(txn, channel).info if head.public else None
    floor = 1 if head.public or place is None else place.floor
    return wire.Channel(
        id=channel,
        encryption="sender-keys/1",
        public=head.public,
        closed=head.closed,
        roster=head.mark,
        devices=head.devices,
        members=head.members,
        last=log.last,
        oldest=max(log.first, floor),
        member=place is not None,
        title=None if info is None else info.title,
        topic=None if info is None else info.topic,
    )
