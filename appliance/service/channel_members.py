"""Members of channels: their directory entries and prekeys, many at once, for who gives them keys."""

from __future__ import annotations

from appliance.protocol import channel as wire
from appliance.service.caller import Caller
from appliance.service.channel_access import check_member
from appliance.service.directory import Directory
from appliance.store import channels
from appliance.store.engine import Store
from appliance.store.transaction import Transaction


class ChannelMembers:
    """Owner: the event loop."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    async def page(self, caller: Caller, query: wire.MembersQuery) -> wire.MembersPage:
        """Signed entries with proofs and bundles, of members only. Refusals: no_channel, not_member."""

        def look(txn: Transaction) -> wire.MembersPage:
            check_member(txn, caller, query.channel)
            devices = channels.require(txn, query.channel).devices
            known = _known(txn, query.channel, query.names)
            return wire.MembersPage(self._directory.found(txn, known, query.size), devices)

        return await self._store.read_cold(look)

    async def changed(self, caller: Caller, since: wire.MembersSince) -> wire.MembersChanged:
        """Whose entries are to be looked up since a counter. Refusals: no_channel, not_member."""

        def look(txn: Transaction) -> wire.MembersChanged:
            check_member(txn, caller, since.channel)
            names = channels.names(txn, since.channel, since.devices)
            return wire.MembersChanged(names, channels.require(txn, since.channel).devices)

        return await self._store.read_cold(look)

    async def take(self, caller: Caller, body: wire.TakeMany) -> wire.TakenMany:
        """One-time prekeys of members' devices, within a day's limit. Refusals: no_channel, not_member."""

        def look(txn: Transaction) -> list[str]:
            check_member(txn, caller, body.channel)
            return _known(txn, body.channel, [one.name for one in body.wanted])

        known = frozenset(await self._store.read_cold(look))
        wanted = [(one.name, one.devices) for one in body.wanted if one.name in known]
        taken = await self._directory.take_many(wanted)
        return wire.TakenMany([wire.TakenOf(name, prekeys) for name, prekeys in taken])


def _known(txn: Transaction, channel: bytes, names: list[str]) -> list[str]:
    """Those of these names under which there are members, in this order, each once."""
    members = frozenset(channels.names(txn, channel, -1))
    return [name for name in dict.fromkeys(names) if name in members]
