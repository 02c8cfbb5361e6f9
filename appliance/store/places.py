"""Places: the relays this box uses and the mailboxes it owns there and here, with their keys."""

from __future__ import annotations

from typing import Final, Literal

from appliance.store.engine import Transaction
from appliance.store.schema import PLACES, RELAYS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class Relay(Record, frozen=True):
    """A relay that keeps mailboxes for us: onion key (32 octets), grant secret, how it goes with it.

    `placed` is the grant under which our mailboxes there are; where it is another, they must be moved.
    """

    onion: bytes
    added: int
    state: Literal["joining", "ready", "refused", "unreachable"] = "joining"
    grant: bytes = b""
    expires_hour: int = 0
    reason: str = ""
    last_collected: int | None = None
    placed: bytes = b""


class Place(Record, frozen=True):
    """A mailbox we own: where (onion key), its fetch seed and capability, and for whom.

    `contact` is the identity key of the one who deposits there, empty for the request mailbox. `after` is
    the arrival number up to which we have collected. A "leaving" place is still collected, then deleted.
    """

    mailbox: bytes
    onion: bytes
    fetch_seed: bytes
    capability: bytes
    contact: bytes = b""
    state: Literal["wanted", "ready", "leaving"] = "wanted"
    after: int = 0


_RELAYS: Final = SealedTable(RELAYS, Relay, blind=True)
_PLACES: Final = SealedTable(PLACES, Place, blind=True)


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


def save(txn: Transaction, sealer: Sealer, place: Place) -> None:
    """Keep a place as it is now, new or not."""
    _PLACES.put(txn, sealer, place.mailbox, place)


def find(txn: Transaction, sealer: Sealer, mailbox: bytes) -> Place | None:
    """The place with this mailbox, or None."""
    return _PLACES.get(txn, sealer, mailbox)


def list_all(
    txn: Transaction, sealer: Sealer, *, onion: bytes | None = None, contact: bytes | None = None
) -> list[Place]:
    """All places, or those at one relay, or those for one contact."""
    return [
        place
        for place in _PLACES.list_all(txn, sealer)
        if onion in (None, place.onion) and contact in (None, place.contact)
    ]


def remove(txn: Transaction, sealer: Sealer, mailbox: bytes) -> bool:
    """Forget a place and its keys; False when it was not there."""
    return _PLACES.delete(txn, sealer, mailbox)
