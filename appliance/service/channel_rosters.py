"""Rosters in memory: the states of channels last used, and who hears of each; both named by what they follow.

A state is found by the hash of its last entry, so one that a transaction computed and did not commit is no
harm. Who hears of a channel follows the roster's number and the counter of its members' devices.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Final, Generic, TypeVar

from appliance.protocol.membership import State
from appliance.store import channels
from appliance.store.channels import Head
from appliance.store.engine import Store
from appliance.store.transaction import Transaction

KEPT_STATES: Final = 64
KEPT_ROOMS: Final = 256

V = TypeVar("V")


class Rosters:
    """Owner: the event loop and the committer, each of whose steps on it is one of a dictionary."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._states: _Newest[State] = _Newest(KEPT_STATES)
        self._rooms: _Newest[Sequence[bytes]] = _Newest(KEPT_ROOMS)

    def state(self, txn: Transaction, channel: bytes, head: Head) -> State:
        """The state of a channel's roster as this transaction sees it."""
        found = self._states.get((channel, head.hash))
        if found is None:
            found = channels.state(txn, channel)
            self.keep(found)
        return found

    def keep(self, state: State) -> None:
        """Remember what comes after an entry."""
        self._states.put((state.channel, state.hash), state)

    def hearers(self, channel: bytes) -> Sequence[bytes]:
        """Accounts that hear of a channel."""

        def look(txn: Transaction) -> Sequence[bytes]:
            head = channels.find(txn, channel)
            if head is None:
                return ()
            key = (channel, head.number, head.devices)
            found = self._rooms.get(key)
            if found is None:
                found = channels.accounts(txn, channel)
                self._rooms.put(key, found)
            return found

        return self._store.read(look)


class _Newest(Generic[V]):
    """The values used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """A value that was kept, or None."""
        return self._values.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Keep one more; the oldest goes."""
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)
