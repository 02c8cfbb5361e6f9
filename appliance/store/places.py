"""Places: the relays this box uses, with the grants it has there."""

from __future__ import annotations

from typing import Final, Literal

from appliance.store.engine import Transaction
from appliance.store.schema import RELAYS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class Relay(Record, frozen=True):
    """A relay that keeps mailboxes for us: onion key (32 octets), grant secret, how it goes with it."""

    onion: bytes
    added: int
    state: Literal["joining", "ready", "refused", "unreachable"] = "joining"
    grant: bytes = b""
    expires_hour: int = 0
    reason: str = ""
    last_collected: int | None = None


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
