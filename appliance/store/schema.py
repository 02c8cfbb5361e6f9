"""The schema: every table with its key and value, the version of it all, and how older ones are brought up.

Integers in keys are big-endian, so that keys sort by number. "Sealed" values are encrypted under the store
key or the machine key (`storekey.Sealer`); "blind" keys are keyed hashes of the real ones, which stand in
the sealed value. Times are unix hours unless seconds are said; what strangers cause is kept to the hour.

| table | key | value |
|---|---|---|
| meta | name | `schema`: version u32; `epoch`: 16; `arrivals`: `counters.ARRIVALS` |
| keys | name | wrapped identity seed and store key (`storekey`) |
| mailboxes | mailbox 20 | `mailboxes.MAILBOX`; account 16, device 16, handle 8 where it is a device's |
| bodies | arrival number u64 | mailbox 20, expiry u32, envelope |
| index | mailbox 20, envelope id 16 | number u64, expiry u32, size u16; of mailboxes of no device |
| expiry | hour u32, number u64 | empty; not of what lives for `mailboxes.LONGEST_HOURS` |
| reclaim | number u64 | expiry u32: acknowledged bodies that wait for the sweep |
| hours | hour u32 | envelopes u64, octets u64 of others that expire then |
| doomed | mailbox 20 | flags u8, account 16, device 16 if it was one's: its index waits for the sweep |
| grants | grant id 16 | `grants.GRANT` |
| grant_mailboxes | grant id 16, mailbox 20 | empty |
| grant_ends | hour u32, grant id 16 | empty: when the mailboxes of an ended grant go |
| grant_labels | grant id 16 | sealed label |
| relays | blind onion key | sealed `places.Relay` |
| account | name | sealed `accounts.Plate`: the box's title and its owners |
| accounts | account 16 | sealed `accounts.Account` |
| account_names | blind name | account 16 |
| sessions | sign-in 16 | sealed `sessions.SignedIn` |
| account_sessions | account 16, sign-in 16 | empty |
| devices | device 16 | account 16 whose device it is |
| account_devices | account 16, device 16 | hour u32 when it was named last |
| invites | invite 16 | sealed `invites.Invite` |
| vault | account 16 | `vault.HEAD`: revision, floor and counters |
| vault_index | account 16, record 16 | `vault.PLACE`: revision, version, octets, hour of its removal |
| vault_records | account 16, revision u64, record 16 | data as the client sealed it; empty when removed |
| vault_tombs | account 16, revision u64, record 16 | hour u32: when it was removed |
| vault_doomed | account 16 | empty: deleted accounts whose rows wait for the sweep |
| log_leaves | index u64 | signed entry: the leaf's data |
| log_nodes | level u8, index u64 | hash 32 of the perfect subtree of 2^level leaves |
| directory | account name | `directory.ROW`: account, identity, leaf of its entry, changes of the day |
| directory_names | account 16 | the account's name |
| bundles | account 16, device 16 | signed bundle |
| prekeys | account 16, device 16, id u32 | `prekeys.PREKEY`: a one-time prekey that waits to be taken |
| prekey_stocks | account 16, device 16 | `prekeys.STOCK`: left, highest id, taken in this hour and day |
| settings | name | CBOR value that overrides the configuration |
| readers | blind name | sealed `readers.Reader` |
| reader_keys | blind onion | sealed `readers.ReaderKey` |
| device_places | account 16, device 16, handle 8, blind mailbox 8 | sealed `device_mailboxes.Place` |
| device_mailboxes | account 16, device 16, handle 8 | the mailbox here 20 |
| queue | account 16, device 16, mailbox 20, envelope id 16 | as in `index`: what waits for a device |
| queue_seen | mailbox 20, envelope id 16 | hour u32 until which it is remembered |
| queue_forget | hour u32, mailbox 20, envelope id 16 | empty: when a memory of the table above ends |
| arrival_hours | arrival number u64 | hour u32 in which this number and those after it came |
| dispatches | account 16, dispatch 16 | sealed `dispatches.Head` |
| dispatch_ends | second u64, account 16, dispatch 16 | empty: dispatches that are done, since when |
| dispatch_load | account 16 | `dispatches.LOAD`: what waits, what is done |
| dispatch_envelopes | account 16, dispatch 16, index u16 | the envelope |
| dispatch_legs | account 16, dispatch 16, leg u16 | sealed `legs.Target` |
| dispatch_progress | account 16, dispatch 16, leg u16 | `legs.PROGRESS`: counters and times of the leg |
| dispatch_next | second u64, account 16, dispatch 16, leg u16 | empty: when the leg is looked at again |
| dispatch_held | account 16, dispatch 16, leg u16, index u16 | state u8, (route 8, expiry u32) of holders |
| dispatch_pending | account 16, dispatch 16, leg u16, index u16 | empty: what is still to be placed |
| kept | account 16, envelope id 16 | the envelope |
| kept_load | account 16 | `kept.LOAD`: envelopes, octets |
| audit_waiting | second u64, order u32, random 4 | sealed `audit.Noted`: acts while the box is locked |
| pending | act 16 | sealed `pending.Pending`: acts that wait for a second pair of eyes |
| reports | report 16 | sealed `reports.Report` |
| report_order | closed u8, second u64, report 16 | empty |
| reporters | blind account 16, second u64, report 16 | open u8 |
| thanks | log 16, entry 16, blind account 8 | sealed `thanks.Thanks` |
| karma | account 16 | u32 |
| forgetting | account 16, device 16 or nothing | empty: whose rows are being removed |
| logs | log 16 | `logs.HEAD`: kind, numbers, counters, retention |
| log_entries | log 16, number u64 | `logs.ENTRY`, then the body (sealed where the log says so) |
| log_ids | log 16, entry id 16 | number u64 |
| log_expiry | hour u32, log 16, number u64 | empty: entries that end before their log's retention |
| channels | channel 16 (its log has the same id) | `channels.HEAD`: where its roster stands, counters |
| channel_states | channel 16 | CBOR of `membership.Stored` without its members |
| channel_members | channel 16, identity 32 | `channels.MEMBER`: account, counter; `membership.Member` |
| channel_accounts | account 16, channel 16 | `channels.PLACE`: role, identity, first number in the log |
| channel_roster | channel 16, roster number u32 | number in the log u64, signed entry |
| channel_doomed | channel 16 | empty: deleted, rows wait for the sweep |
| boards | board 16 (its log has the same id) | sealed `boards.BoardRow` |
| board_threads | board 16, thread 16 | sealed `boards.ThreadRow` |
| board_activity | board 16, 0 where pinned else 1, number u64 of the last post | thread 16 |
| board_posts | board 16, thread 16, 0 for posts else 1, number u64 | `boards.POST`: newest edit, edits |
| board_versions | board 16, number u64 of the post, number u64 of the edit | empty |
| board_doomed | board 16, thread 16 or nothing | empty: deleted, rows wait for the sweep |
| board_held | board 16, number u64 | empty: entries that wait for a moderator |
| board_words | board 16, blind beginning of a word 8 | sealed words that begin so |
| board_postings | board 16, blind word 8, number u32 of its first post | sealed `board_postings` block |
| board_indexed | board 16, number u64 | sealed words of a post that is indexed |
| board_marks | board 16 | `board_index.MARK`: how far the log is indexed, posts in the index |
| board_authors | board 16, blind name 16 | sealed `board_authors.AuthorRow` of who wrote on a mirror |
| feeds | account 16 | sealed `feeds.Feed`: the secret of its links |
| feed_links | SHA-256 of the secret, first 16 | account 16 |

Tables are made when a store is opened, so one that is added is empty in an older store and needs no step.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from appliance.errors import Refusal
from appliance.store.engine import Store, Table, Transaction

VERSION: Final = 6

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
RELAYS = _declare("relays")
ACCOUNT = _declare("account")
ACCOUNTS = _declare("accounts")
ACCOUNT_NAMES = _declare("account_names")
SESSIONS = _declare("sessions")
ACCOUNT_SESSIONS = _declare("account_sessions")
DEVICES = _declare("devices")
ACCOUNT_DEVICES = _declare("account_devices")
INVITES = _declare("invites")
VAULT = _declare("vault")
VAULT_INDEX = _declare("vault_index")
VAULT_RECORDS = _declare("vault_records")
VAULT_TOMBS = _declare("vault_tombs")
VAULT_DOOMED = _declare("vault_doomed")
LOG_LEAVES = _declare("log_leaves")
LOG_NODES = _declare("log_nodes")
DIRECTORY = _declare("directory")
DIRECTORY_NAMES = _declare("directory_names")
BUNDLES = _declare("bundles")
PREKEYS = _declare("prekeys")
PREKEY_STOCKS = _declare("prekey_stocks")
SETTINGS = _declare("settings")
READERS = _declare("readers")
READER_KEYS = _declare("reader_keys")
DEVICE_PLACES = _declare("device_places")
DEVICE_MAILBOXES = _declare("device_mailboxes")
QUEUE = _declare("queue")
QUEUE_SEEN = _declare("queue_seen")
QUEUE_FORGET = _declare("queue_forget")
ARRIVAL_HOURS = _declare("arrival_hours")
DISPATCHES = _declare("dispatches")
DISPATCH_ENDS = _declare("dispatch_ends")
DISPATCH_LOAD = _declare("dispatch_load")
DISPATCH_ENVELOPES = _declare("dispatch_envelopes")
DISPATCH_LEGS = _declare("dispatch_legs")
DISPATCH_PROGRESS = _declare("dispatch_progress")
DISPATCH_NEXT = _declare("dispatch_next")
DISPATCH_HELD = _declare("dispatch_held")
DISPATCH_PENDING = _declare("dispatch_pending")
KEPT = _declare("kept")
KEPT_LOAD = _declare("kept_load")
FORGETTING = _declare("forgetting")
LOGS = _declare("logs")
LOG_ENTRIES = _declare("log_entries")
LOG_IDS = _declare("log_ids")
LOG_EXPIRY = _declare("log_expiry")
AUDIT_WAITING = _declare("audit_waiting")
PENDING = _declare("pending")
REPORTS = _declare("reports")
REPORT_ORDER = _declare("report_order")
REPORTERS = _declare("reporters")
THANKS = _declare("thanks")
KARMA = _declare("karma")
CHANNELS = _declare("channels")
CHANNEL_STATES = _declare("channel_states")
CHANNEL_MEMBERS = _declare("channel_members")
CHANNEL_ACCOUNTS = _declare("channel_accounts")
CHANNEL_ROSTER = _declare("channel_roster")
CHANNEL_DOOMED = _declare("channel_doomed")
BOARDS = _declare("boards")
BOARD_THREADS = _declare("board_threads")
BOARD_ACTIVITY = _declare("board_activity")
BOARD_POSTS = _declare("board_posts")
BOARD_VERSIONS = _declare("board_versions")
BOARD_DOOMED = _declare("board_doomed")
BOARD_HELD = _declare("board_held")
BOARD_WORDS = _declare("board_words")
BOARD_POSTINGS = _declare("board_postings")
BOARD_INDEXED = _declare("board_indexed")
BOARD_MARKS = _declare("board_marks")
BOARD_AUTHORS = _declare("board_authors")
FEEDS = _declare("feeds")
FEED_LINKS = _declare("feed_links")


_VERSION_KEY: Final = b"schema"
_U32 = struct.Struct(">I")

Step = Callable[[Transaction], None]


_OUT: Final = ("", "_progress", "_next", "_content", "_parts", "_pending", "_held", "_reclaim")
_IN: Final = ("", "_progress", "_parts", "_seen", "_tombs", "_forget", "_reclaim")
FORMER: Final = (
    Table("contacts"),
    Table("places"),
    *(Table(f"outbox{end}") for end in _OUT),
    *(Table(f"inbox{end}") for end in _IN),
)
"""Tables that only version 1 has: what boxes sent to boxes."""
MAILBOX_OWNERS: Final = Table("mailbox_owners")
"""Up to version 5: mailbox 20 to account 16, device 16, handle 8, which now stand in the mailbox itself."""


def _make_accounts(txn: Transaction) -> None:
    """From 1: one owner, whose passphrase the box knew, to accounts, whose passphrases it never learns.

    That cannot be converted, so the box is claimed anew; the relays it uses and what it holds for others
    stay. Its store key must not wait for the old passphrase, for no account could unlock it any more: such a
    store is refused (`older_lock`) and brought up by `upgrade.bring_up`, which asks for it. What the box
    itself sent and received goes: messages are people's now, and open on their devices only.
    """
    from appliance.store import grants

    if txn.get(KEYS, b"store by passphrase") is not None:
        raise Refusal("older_lock")
    for table in (ACCOUNT, SESSIONS):
        for key in list(txn.keys(table)):
            txn.delete(table, key)
    txn.delete(META, b"inbox")
    for grant in grants.list_all(txn):
        if grant.origin == "self":  # the box's own mailboxes: the sweep takes them
            grants.revoke(txn, grant.grant)
    for table in FORMER:
        txn.drop(table)


def _line_up(txn: Transaction) -> None:
    """From 2, where devices had no queues: the step from 5 makes them."""


def _allow_fresh(txn: Transaction) -> None:
    """From 3: a thread's newest posts may stand in its own row (`boards.ThreadRow.fresh`), of which a program
    of version 3 would know nothing. What is there stays as it is.
    """


def _allow_mirrors(txn: Transaction) -> None:
    """From 4: a board may be another box's (`boards.BoardRow.home`), where a program of version 4 would let
    people write. What is there stays as it is.
    """


def _gather(txn: Transaction) -> None:
    """From 5: what waits for a device stood in the index of each of its mailboxes and once more in its queue,
    by number; now its queue is the index of all of them, and each mailbox says whose it is.
    """
    for key in list(txn.keys(QUEUE)):
        txn.delete(QUEUE, key)
    for mailbox, owner in txn.range(MAILBOX_OWNERS):
        value = txn.get(MAILBOXES, mailbox)
        if value is not None:
            txn.put(MAILBOXES, mailbox, value + owner)
            _move_index(txn, mailbox, owner[:32])
    for mailbox, value in txn.range(DOOMED):
        if value[1:]:
            _move_index(txn, mailbox, value[1:])
    txn.drop(MAILBOX_OWNERS)


def _move_index(txn: Transaction, mailbox: bytes, device: bytes) -> None:
    for key, value in list(txn.range(INDEX, mailbox, prefix_end(mailbox))):
        txn.delete(INDEX, key)
        txn.put(QUEUE, device + key, value)


STEPS: Final[Mapping[int, Step]] = {
    1: _make_accounts,
    2: _line_up,
    3: _allow_fresh,
    4: _allow_mirrors,
    5: _gather,
}
"""What brings a store of this version to the next one."""


def open_store(
    folder: Path, *, version: int = VERSION, steps: Mapping[int, Step] = STEPS, **sizes: int
) -> Store:
    """Open the store in `folder`, older ones brought up; `sizes` as in `Store.open`.
    Refusals: newer_store, older_lock.

    Before a step the data file is copied to `store.v<N>.mdb` beside it; each step is one transaction, and
    the version is raised in it, so an interrupted migration goes on where it stopped.
    """
    store = Store.open(folder, tuple(TABLES), **sizes)
    try:
        found = store.write_now(lambda txn: _find_version(txn, version))
        if found > version:
            raise Refusal("newer_store", found=found, known=version)
    except BaseException:
        store.close()
        raise
    if found == version:
        return store
    store.close()
    _bring_up(folder, found, version, steps, sizes)
    return Store.open(folder, tuple(TABLES), **sizes)


def _bring_up(
    folder: Path, found: int, version: int, steps: Mapping[int, Step], sizes: Mapping[str, int]
) -> None:
    """Take every step, with the tables that are no more at hand where there may be some."""
    former = (MAILBOX_OWNERS, *(FORMER if found == 1 else ()))
    store = Store.open(folder, (*TABLES, *former), **sizes)
    try:
        for old in range(found, version):
            copy = folder / f"store.v{old}.mdb"
            if not copy.exists():
                unfinished = copy.with_suffix(".part")
                unfinished.unlink(missing_ok=True)
                store.copy_now(unfinished)
                unfinished.rename(copy)
            store.write_now(partial(_take_step, step=steps[old], version=old + 1))
    finally:
        store.close()


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
