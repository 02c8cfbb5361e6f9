"""The schema: every table with its key and value, the version of it all, and how older ones are brought up.

Integers in keys are big-endian, so that keys sort by number. "Sealed" values are encrypted under the store
key or the machine key (`storekey.Sealer`); "blind" keys are keyed hashes of the real ones, which stand in
the sealed value. Times are unix hours unless seconds are said; what strangers cause is kept to the hour.

| table | key | value |
|---|---|---|
| meta | name | `schema`: version u32; `epoch`: 16 octets (`epoch`); `arrivals`: `mailboxes.ARRIVALS`; `inbox`: octets u64 |
| keys | name | wrapped identity seed and store key (`storekey`) |
| mailboxes | mailbox 20 | `mailboxes.MAILBOX` |
| bodies | arrival number u64 | mailbox 20, expiry u32, envelope |
| index | mailbox 20, envelope id 16 | number u64, expiry u32, size u16 |
| expiry | hour u32, number u64 | empty |
| reclaim | number u64 | expiry u32: acknowledged bodies that wait for the sweep |
| hours | hour u32 | envelopes u64, octets u64 of others that expire then |
| doomed | mailbox 20 | flags u8: deleted mailboxes whose index waits for the sweep |
| grants | grant id 16 | `grants.GRANT` |
| grant_mailboxes | grant id 16, mailbox 20 | empty |
| grant_ends | hour u32, grant id 16 | empty: when the mailboxes of an ended grant go |
| grant_labels | grant id 16 | sealed label |
| contacts | blind identity | sealed `contacts.Contact` |
| outbox | item 16 | sealed `outbox.OutboxItem` |
| outbox_progress | item 16 | `outbox.PROGRESS`: state, counters and times of the item |
| outbox_next | second u64, item 16 | empty: when the item is looked at again |
| outbox_content | item 16, offset u64 | sealed piece of an upload |
| outbox_parts | item 16, part u32 | the end-to-end sealed envelope |
| outbox_pending | item 16, part u32 | empty: parts that are not yet where they should be |
| outbox_held | item 16, part u32 | state u8, then (route 8, expiry u32) of each relay that holds it |
| outbox_reclaim | item 16 | empty: ended items whose parts wait for the sweep |
| inbox | item 16 | sealed `inbox.InboxItem` |
| inbox_progress | item 16 | `inbox.PROGRESS`: counters of the item |
| inbox_parts | item 16, part u32 | sealed content |
| inbox_seen | envelope id 16 | hour u32 until which it is remembered |
| inbox_tombs | item 16 | hour u32 until which it is remembered |
| inbox_forget | hour u32, kind u8, id 16 | empty: when a memory of the two tables above ends |
| inbox_reclaim | item 16 | empty: deleted items whose parts wait for the sweep |
| relays | blind onion key | sealed `places.Relay` |
| places | blind mailbox | sealed `places.Place` |
| account | name | sealed `account.Owner` |
| sessions | SHA-256 of the token | second u64 until which it holds |
| settings | name | CBOR value that overrides the configuration |
| readers | blind name | sealed `readers.Reader` |
| reader_keys | blind onion | sealed `readers.ReaderKey` |
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from appliance.errors import Refusal
from appliance.store.engine import Store, Table, Transaction

VERSION: Final = 1

TABLES: Final[list[Table]] = []
"""Every table below."""


def _declare(name: str) -> Table:
    table = Table(name)
    TABLES.append(table)
    return table


META = _declare("meta")
KEYS = _declare("keys")
MAILBOXES = _declare("mailboxes")
BODIES = _declare("bodies")
INDEX = _declare("index")
EXPIRY = _declare("expiry")
RECLAIM = _declare("reclaim")
HOURS = _declare("hours")
DOOMED = _declare("doomed")
GRANTS = _declare("grants")
GRANT_MAILBOXES = _declare("grant_mailboxes")
GRANT_ENDS = _declare("grant_ends")
GRANT_LABELS = _declare("grant_labels")
CONTACTS = _declare("contacts")
OUTBOX = _declare("outbox")
OUTBOX_PROGRESS = _declare("outbox_progress")
OUTBOX_NEXT = _declare("outbox_next")
OUTBOX_CONTENT = _declare("outbox_content")
OUTBOX_PARTS = _declare("outbox_parts")
OUTBOX_PENDING = _declare("outbox_pending")
OUTBOX_HELD = _declare("outbox_held")
OUTBOX_RECLAIM = _declare("outbox_reclaim")
INBOX = _declare("inbox")
INBOX_PROGRESS = _declare("inbox_progress")
INBOX_PARTS = _declare("inbox_parts")
INBOX_SEEN = _declare("inbox_seen")
INBOX_TOMBS = _declare("inbox_tombs")
INBOX_FORGET = _declare("inbox_forget")
INBOX_RECLAIM = _declare("inbox_reclaim")
RELAYS = _declare("relays")
PLACES = _declare("places")
ACCOUNT = _declare("account")
SESSIONS = _declare("sessions")
SETTINGS = _declare("settings")
READERS = _declare("readers")
READER_KEYS = _declare("reader_keys")


_VERSION_KEY: Final = b"schema"
_U32 = struct.Struct(">I")

Step = Callable[[Transaction], None]
STEPS: Final[Mapping[int, Step]] = {}
"""What brings a store of this version to the next one."""


def open_store(
    folder: Path, *, version: int = VERSION, steps: Mapping[int, Step] = STEPS, **sizes: int
) -> Store:
    """Open the store in `folder`, older ones brought up; `sizes` as in `Store.open`. Refusal newer_store.

    Before a step the data file is copied to `store.v<N>.mdb` beside it; each step is one transaction, and
    the version is raised in it, so an interrupted migration goes on where it stopped.
    """
    store = Store.open(folder, tuple(TABLES), **sizes)
    try:
        found = store.write_now(lambda txn: _find_version(txn, version))
        if found > version:
            raise Refusal("newer_store", found=found, known=version)
        for old in range(found, version):
            copy = folder / f"store.v{old}.mdb"
            if not copy.exists():
                unfinished = copy.with_suffix(".part")
                unfinished.unlink(missing_ok=True)
                store.copy_now(unfinished)
                unfinished.rename(copy)
            store.write_now(partial(_take_step, step=steps[old], version=old + 1))
    except BaseException:
        store.close()
        raise
    return store


def prefix_end(prefix: bytes) -> bytes | None:
    """The first key after all keys that begin with `prefix`; None when there is no such key."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,)) if trimmed else None


def _find_version(txn: Transaction, version: int) -> int:
    stored = txn.get(META, _VERSION_KEY)
    if stored is None:  # a new store
        txn.put(META, _VERSION_KEY, _U32.pack(version))
        return version
    return int(_U32.unpack(stored)[0])


def _take_step(txn: Transaction, step: Step, version: int) -> None:
    step(txn)
    txn.put(META, _VERSION_KEY, _U32.pack(version))
