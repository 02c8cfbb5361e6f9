"""Mailboxes of members' devices: one a handle here and at each relay, and whose each mailbox here is.

Which mailbox here belongs to which device stands in the open, in the mailbox's own row too, so that
envelopes are handed on without a key; seeds and capabilities are sealed. The mailboxes here of one account
share a grant, which bounds what waits for it. Rows of a relay outlive the device until the relay has deleted
the mailbox.
"""

from __future__ import annotations

import secrets
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from appliance.protocol import codec
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import MailboxId, capability_hash, mailbox_id
from appliance.store import grants, mailboxes
from appliance.store.engine import Transaction
from appliance.store.grants import GrantId
from appliance.store.schema import DEVICE_MAILBOXES, DEVICE_PLACES, prefix_end
from appliance.store.sealed import Record
from appliance.store.storekey import Sealer

HANDLE: Final = 8
REQUESTS: Final = bytes(HANDLE)
"""The handle of the request mailbox, where strangers leave their first envelope."""
FAR_HOUR: Final = 0xFFFF_0000
_MOST_MAILBOXES: Final = 1 << 20
_KEY: Final = 40
"""Octets of account, device and handle."""

State = Literal["wanted", "ready", "leaving", "dropped"]
"""A leaving place is collected before it is deleted at the relay; a dropped one is only deleted."""


class Owner(NamedTuple):
    """Whose a mailbox is."""

    account: bytes
    device: bytes
    handle: bytes


class Place(Record, frozen=True):
    """A mailbox of a device: where (onion key), fetch seed, capability, how far it is."""

    mailbox: bytes
    onion: bytes
    fetch_seed: bytes
    capability: bytes
    account: bytes
    device: bytes
    handle: bytes
    state: State = "wanted"
    under: bytes = b""
    """Stands for the grant at the relay; under another one the mailbox must be moved."""

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(self.account, self.device, self.handle)


def fresh(owner: Owner, onion: bytes, state: State = "wanted") -> Place:
    """A new place with keys of its own."""
    seed = secrets.token_bytes(32)
    mailbox = mailbox_id(SigningKey(seed).public)
    return Place(mailbox, onion, seed, secrets.token_bytes(32), *owner, state)


def save(txn: Transaction, sealer: Sealer, place: Place) -> None:
    """Keep a place as it is now, new or not."""
    key = _key(sealer, place)
    txn.put(DEVICE_PLACES, key, sealer.seal(DEVICE_PLACES, key, codec.encode(place)))


def change(txn: Transaction, sealer: Sealer, place: Place, state: State, *before: State) -> bool:
    """Set the state of a place that is in one of the states `before`; False when it is not."""
    value = txn.get(DEVICE_PLACES, _key(sealer, place))
    if value is None or (found := _open(sealer, _key(sealer, place), value)).state not in before:
        return False
    save(txn, sealer, replace(found, state=state))
    return True


def place(txn: Transaction, sealer: Sealer, row: Place, under: bytes) -> bool:
    """The relay has made this mailbox under a grant; False when it is not wanted any more."""
    key = _key(sealer, row)
    value = txn.get(DEVICE_PLACES, key)
    if value is None or (found := _open(sealer, key, value)).state not in ("wanted", "ready"):
        return False
    save(txn, sealer, replace(found, state="ready", under=under))
    return True


def remove(txn: Transaction, sealer: Sealer, place: Place) -> None:
    """Forget a place and its keys."""
    txn.delete(DEVICE_PLACES, _key(sealer, place))


def list_places(txn: Transaction, sealer: Sealer, prefix: bytes = b"") -> list[Place]:
    """All places whose account, device and handle begin with `prefix`."""
    return [_open(sealer, key, value) for key, value in txn.range(DEVICE_PLACES, prefix, prefix_end(prefix))]


def list_far(
    txn: Transaction, sealer: Sealer, here: bytes, known: frozenset[bytes]
) -> tuple[list[Place], frozenset[bytes]]:
    """All places but those at this box (its onion key), and the keys of the rows of these.

    Rows `known` by the last call to be of this box are not opened again: most are, and where one is stays.
    """
    far: list[Place] = []
    near: list[bytes] = []
    for key, value in txn.range(DEVICE_PLACES):
        if key in known or (found := _open(sealer, key, value)).onion == here:
            near.append(key)
        else:
            far.append(found)
    return far, frozenset(near)


def create_here(
    txn: Transaction, sealer: Sealer, owner: Owner, onion: bytes, grant: GrantId, now_hour: int
) -> Place:
    """Make the mailbox of a handle on this box under the account's grant. Refusals of `mailboxes.create`."""
    place = fresh(owner, onion, "ready")
    key = b"".join(owner)
    mailboxes.create(
        txn,
        fetch_key=SigningKey(place.fetch_seed).public,
        capability_hash=capability_hash(place.capability),
        kind="request" if owner.handle == REQUESTS else "contact",
        grant=grant,
        now_hour=now_hour,
        owner=key,
    )
    txn.put(DEVICE_MAILBOXES, key, place.mailbox)
    save(txn, sealer, place)
    return place


def ensure_grant(txn: Transaction, grant: GrantId, octets: int, now_hour: int) -> None:
    """The grant of an account's mailboxes here is there and as large as the setting says."""
    found = grants.find(txn, grant)
    if found is None or found.octets_limit != octets:
        grants.create(
            txn,
            grant,
            origin="self",
            mailboxes=_MOST_MAILBOXES,
            octets=octets,
            now_hour=now_hour,
            expires_hour=FAR_HOUR,
        )


def owner_of(txn: Transaction, mailbox: bytes) -> Owner | None:
    """Whose device a mailbox here belongs to; None for any other mailbox."""
    record = mailboxes.find(txn, mailbox)
    return split(record.owner) if record is not None and record.owner else None


def mailbox_of(txn: Transaction, owner: Owner) -> MailboxId | None:
    """The mailbox here of a handle, or None."""
    found = txn.get(DEVICE_MAILBOXES, b"".join(owner))
    return None if found is None else MailboxId(found)


def list_here(txn: Transaction, prefix: bytes, limit: int | None = None) -> list[tuple[Owner, MailboxId]]:
    """The mailboxes here of an account, a device or one handle; the first `limit`."""
    return [
        (split(key), MailboxId(mailbox))
        for key, mailbox in txn.range(DEVICE_MAILBOXES, prefix, prefix_end(prefix), limit=limit)
    ]


def count(txn: Transaction, prefix: bytes, limit: int) -> int:
    """How many handles a device or an account has here, up to `limit`."""
    return sum(1 for _ in txn.keys(DEVICE_MAILBOXES, prefix, prefix_end(prefix), limit))


def drop_here(txn: Transaction, owner: Owner) -> MailboxId | None:
    """Delete the mailbox here of a handle with all that waits in it; its sealed place is the caller's."""
    key = b"".join(owner)
    mailbox = txn.get(DEVICE_MAILBOXES, key)
    if mailbox is None:
        return None
    mailboxes.delete(txn, mailbox)
    txn.delete(DEVICE_MAILBOXES, key)
    return MailboxId(mailbox)


def split(key: bytes) -> Owner:
    """The parts of a key of 40 octets."""
    return Owner(key[:16], key[16:32], key[32:_KEY])


def _key(sealer: Sealer, place: Place) -> bytes:
    # The relay's name for the mailbox is not shown: two disks could be laid side by side.
    return place.account + place.device + place.handle + sealer.blind(DEVICE_PLACES, place.mailbox)[:8]


def _open(sealer: Sealer, key: bytes, value: bytes) -> Place:
    return codec.read_own(sealer.open(DEVICE_PLACES, key, value), Place)
