"""The directory: for each name the entry that holds, with its account; and the devices' bundles.

The entry itself is a leaf of the log (`log_tree`), appended in the transaction that puts it in force; here
stands only where it is. Signatures were verified before: this keeps the order of revisions, one identity
for a name as long as its account lives, and lets go of devices that an entry does not name any more.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.directory import Device, Entry
from appliance.protocol.keys import SIGNATURE_SIZE
from appliance.protocol.prekeys import follows
from appliance.store import log_tree, prekeys
from appliance.store.schema import BUNDLES, DIRECTORY, DIRECTORY_NAMES, prefix_end
from appliance.store.transaction import Transaction

ROW: Final = struct.Struct(">16s32sQII")
"""Account, identity, leaf, day of the last change, changes in it."""
MAX_CHANGES_DAY: Final = 64
"""Changes of one entry in a day: each stays in the log for ever."""
DAY_HOURS: Final = 24


class Row(NamedTuple):
    """Where the entry of a name is."""

    account: bytes
    identity: bytes
    leaf: int
    day: int = 0
    in_day: int = 0


def find(txn: Transaction, name: str) -> Row:
    """The row of a name; Refusal no_account."""
    row = _find(txn, name)
    if row is None:
        raise Refusal("no_account")
    return row


def is_there(txn: Transaction, name: str) -> bool:
    """Whether a name has an entry."""
    return _find(txn, name) is not None


def find_name(txn: Transaction, account: bytes) -> str | None:
    """The name under which an account published an entry."""
    value = txn.get(DIRECTORY_NAMES, account)
    return None if value is None else value.decode()


def signed_entry(txn: Transaction, row: Row) -> bytes:
    """The signed entry that holds."""
    signed = log_tree.leaf(txn, row.leaf)
    if signed is None:
        raise Refusal("damaged_store")
    return signed


def entry_of(signed: bytes) -> Entry:
    """The entry in a leaf of our own log, which was verified when it came."""
    return codec.read(signed[SIGNATURE_SIZE:], Entry)


def entry(txn: Transaction, account: bytes) -> bytes | None:
    """The signed entry of an account, for its export."""
    name = find_name(txn, account)
    return None if name is None else signed_entry(txn, find(txn, name))


def publish(txn: Transaction, account: bytes, signed: bytes, hour: int) -> list[bytes]:
    """Put a verified entry in force and append its leaf; the devices it let go of.

    The entry that holds already is passed over. Refusals old_entry and bad_entry (it does not follow the
    one that holds), name_taken, too_many.
    """
    new = entry_of(signed)
    row = _find(txn, new.name)
    if row is not None and row.account != account:
        raise Refusal("name_taken")
    if row is None:
        follows(new, None)
        old: list[Device] = []
    else:
        present = signed_entry(txn, row)
        if present == signed:
            return []
        held = entry_of(present)
        follows(new, held)
        old = held.devices
    day = hour // DAY_HOURS
    before = row.in_day if row is not None and row.day == day else 0
    if before >= MAX_CHANGES_DAY:
        raise Refusal("too_many", retry_after=(DAY_HOURS - hour % DAY_HOURS) * 3600)
    leaf = log_tree.append(txn, signed)
    txn.put(DIRECTORY, new.name.encode(), ROW.pack(account, new.identity, leaf, day, before + 1))
    txn.put(DIRECTORY_NAMES, account, new.name.encode())
    # The same id with other keys is another device: what the old keys signed goes.
    kept = {(each.device, each.signing, each.agreement) for each in new.devices}
    gone = [each.device for each in old if (each.device, each.signing, each.agreement) not in kept]
    for device in gone:
        drop_device(txn, account, device)
    return gone


def save_bundle(txn: Transaction, account: bytes, device: bytes, signed: bytes) -> None:
    """Keep a device's verified bundle in place of the one before."""
    txn.put(BUNDLES, account + device, signed)


def bundles(txn: Transaction, account: bytes) -> list[bytes]:
    """The signed bundles of an account's devices."""
    return [signed for _, signed in txn.range(BUNDLES, account, prefix_end(account))]


def drop_device(txn: Transaction, account: bytes, device: bytes) -> None:
    """Remove a device's bundle and prekeys."""
    txn.delete(BUNDLES, account + device)
    prekeys.drop(txn, account, device)


def forget(txn: Transaction, account: bytes) -> None:
    """Remove the name and devices of a deleted account; what the log holds stays."""
    name = find_name(txn, account)
    if name is None:
        return
    for device in entry_of(signed_entry(txn, find(txn, name))).devices:
        drop_device(txn, account, device.device)
    txn.delete(DIRECTORY, name.encode())
    txn.delete(DIRECTORY_NAMES, account)


def _find(txn: Transaction, name: str) -> Row | None:
    value = txn.get(DIRECTORY, name.encode())
    return None if value is None else Row(*ROW.unpack(value))
