"""Places: the relays this box uses, with the grants it has there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from msgspec import field
from msgspec.structs import replace

from appliance.store.engine import Transaction
from appliance.store.schema import RELAYS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

MOST_HELD: Final = 8
"""Grants that we hold at one relay."""


class Held(NamedTuple):
    """A grant that we hold at a relay; `expires_hour` is 0 for an invitation, whose giver knows its end."""

    secret: bytes
    expires_hour: int = 0

    @property
    def tag(self) -> bytes:
        """8 octets by which the grant that a mailbox is under is known again."""
        return hashlib.sha256(b"island/v1/grant tag\0" + self.secret).digest()[:8]

    def __repr__(self) -> str:
        return "<Held>"


class Relay(Record, frozen=True):
    """A relay that keeps mailboxes for us: onion key (32 octets), grant secret, how it goes with it.

    `grant` and `expires_hour` are the first grant, `more` the others, obtained when those before were full.
    """

    onion: bytes
    added: int
    state: Literal["joining", "ready", "refused", "unreachable"] = "joining"
    grant: bytes = b""
    expires_hour: int = 0
    reason: str = ""
    last_collected: int | None = None
    more: list[tuple[bytes, int]] = field(default_factory=list)
    lacking: bool = False
    """All grants are full, and more mailboxes are wanted."""

    @property
    def held(self) -> list[Held]:
        """The grants there, the oldest first."""
        first = [Held(self.grant, self.expires_hour)] if self.grant else []
        return first + [Held(*one) for one in self.more]

    def holding(self, held: Sequence[Held]) -> Relay:
        """The same with these grants."""
        first, *more = held or [Held(b"")]
        return replace(self, grant=first.secret, expires_hour=first.expires_hour, more=list(more))


_RELAYS: Final = SealedTable(RELAYS, Relay, blind=True)


def save_relay(txn: Transaction, sealer: Sealer, relay: Relay) -> None:
    """Keep a relay as it is now, new or not."""
    _RELAYS.put(txn, sealer, relay.onion, relay)


def find_relay(txn: Transaction, sealer: Sealer, onion: bytes) -> Relay | None:
    """The relay with this onion key, or None."""
    return _RELAYS.get(txn, sealer, onion)


def list_relays(txn: Transaction, sealer: Sealer) -> list[Relay]:
    """All relays, the oldest first."""
    return sorted(_RELAYS.list_all(txn, sealer), key=lambda relay: (relay.added, relay.onion))


def remove_relay(txn: Transaction, sealer: Sealer, onion: bytes) -> bool:
    """Forget a relay; False when it was not there."""
    return _RELAYS.delete(txn, sealer, onion)
