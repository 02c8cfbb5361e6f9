"""Mailboxes: queues of sealed envelopes that live until they are acknowledged or their hour has come.

Bodies are keyed by arrival number, so they append and two fill a page; the index of a mailbox holds numbers
only. The indexes of all mailboxes of one device lie together, in `queue`: what waits for it is one range.
An acknowledgement removes the index entry and leaves the body to the sweep, which takes bodies in order of
arrival. An envelope lives through its expiry hour, so never shorter than was asked for; one that lives as
long as any may has no row in `expiry`, since the oldest bodies tell when such ones end. What mailboxes of
this box itself hold ("own") is not counted as held for others.
"""

from __future__ import annotations

import hashlib
import heapq
import struct
from collections.abc import Iterable, Iterator, Sequence
from hmac import compare_digest
from typing import Final, Literal, NamedTuple

from appliance.errors import Refusal
from appliance.protocol.envelope import envelope_id
from appliance.protocol.mailbox import MailboxId, mailbox_id
from appliance.protocol.messages import FetchedEnvelope, Outcome
from appliance.store import counters, grants
from appliance.store.engine import Table, Transaction
from appliance.store.grants import GrantId
from appliance.store.schema import (
    BODIES,
    DOOMED,
    EXPIRY,
    INDEX,
    MAILBOXES,
    QUEUE,
    QUEUE_SEEN,
    RECLAIM,
    prefix_end,
)

Kind = Literal["contact", "request"]

_VERSION: Final = 1
_OWN: Final = 1
_REQUEST: Final = 2

MAILBOX: Final = struct.Struct(">BBI32s32s16sIQ")
"""version, flags (1 own, 2 request), created hour, fetch key, capability hash, grant, held, octets. The
account 16, device 16 and handle 8 follow where it is a device's."""
INDEX_ENTRY: Final = struct.Struct(">QIH")
EXPIRY_KEY: Final = struct.Struct(">IQ")
U32: Final = struct.Struct(">I")
U64: Final = struct.Struct(">Q")
BODY_HEAD: Final = 24
"""Octets before the envelope in a body."""
LONGEST_HOURS: Final = 720
"""The longest time for which anything is held."""
DELETED_AT_ONCE: Final = 256
"""Envelopes of a mailbox that are deleted with it, in one transaction."""


class Bounds(NamedTuple):
    """What one mailbox may hold."""

    envelopes: int
    octets: int


class Limits(NamedTuple):
    """What the relay allows at present: for each kind of mailbox, and for all that is held for others."""

    contact: Bounds
    request: Bounds
    relay_octets: int
    member: Bounds = Bounds(4096, 1 << 25)
    """For mailboxes of members of this box, from whom many things may come while they are away."""


class MailboxRecord(NamedTuple):
    """One mailbox; `octets` counts the envelopes, without what the store adds.

    `owner`: account ‖ device ‖ handle where it is a device's of this box, else empty.
    """

    mailbox: MailboxId
    own: bool
    kind: Kind
    created_hour: int
    fetch_key: bytes
    capability_hash: bytes
    grant: GrantId
    held: int
    octets: int
    owner: bytes = b""


def find(txn: Transaction, mailbox: bytes) -> MailboxRecord | None:
    """The mailbox, or None."""
    value = txn.get(MAILBOXES, mailbox)
    return None if value is None else _read(mailbox, value)


def create(
    txn: Transaction,
    *,
    fetch_key: bytes,
    capability_hash: bytes,
    kind: Kind,
    grant: GrantId,
    now_hour: int,
    owner: bytes = b"",
) -> MailboxRecord:
    """Make the mailbox of a fetch key under a grant; the same again is answered alike.

    Under another grant the mailbox moves there, which is how a grant is renewed.
    Refusals: grant, grant_full, mailbox_exists, busy (it was just deleted and is not swept yet).
    """
    mailbox = mailbox_id(fetch_key)
    found = find(txn, mailbox)
    if found is not None:
        if (found.capability_hash, found.kind) != (capability_hash, kind):
            raise Refusal("mailbox_exists")
        if found.grant == grant:
            return found
    elif txn.get(DOOMED, mailbox) is not None:
        raise Refusal("busy")
    giver = grants.admit(txn, grant, mailbox, found.octets if found else 0, now_hour)
    if found is None:
        own = giver.origin == "self"
        found = MailboxRecord(mailbox, own, kind, now_hour, fetch_key, capability_hash, grant, 0, 0, owner)
    else:
        grants.dismiss(txn, found.grant, mailbox, found.octets)
    record = found._replace(grant=grant)
    _put(txn, record)
    return record


def deposit(
    txn: Transaction,
    mailbox: bytes,
    capability_hash: bytes,
    envelopes: Sequence[bytes],
    expiry_hour: int,
    limits: Limits,
    now_hour: int,
) -> list[Outcome]:
    """Keep checked envelopes of known sizes; one outcome each: held, already held, or why not.

    Codes: no_mailbox, capability, grant, mailbox_full, grant_full, relay_full. Nothing is raised, so one
    group harms no other in its transaction.
    """
    value = txn.get(MAILBOXES, mailbox)
    if value is None:
        return [Outcome("no_mailbox")] * len(envelopes)
    _, flags, created, fetch_key, stored, grant, held, octets = MAILBOX.unpack_from(value)
    if not compare_digest(stored, capability_hash):
        return [Outcome("capability")] * len(envelopes)
    giver = grants.room(txn, grant, now_hour)
    if giver is None:
        return [Outcome("grant")] * len(envelopes)
    own = flags & _OWN
    owner = value[MAILBOX.size :]
    bounds = limits.request if flags & _REQUEST else limits.member if owner else limits.contact
    number, total_held, total_octets = counters.read(txn)
    grant_room, grant_row = giver
    relay_room = grant_room if own else limits.relay_octets - total_octets
    room = min(bounds.octets - octets, grant_room, relay_room)
    places = bounds.envelopes - held

    get, put = txn.get, txn.put
    index, prefix = _index(mailbox, owner)
    is_shorter = expiry_hour < now_hour + LONGEST_HOURS
    held_outcome = Outcome("held", expiry_hour)
    head = mailbox + U32.pack(expiry_hour)
    kept = added = 0
    outcomes: list[Outcome] = []
    stale: list[int] = []
    for envelope in envelopes:
        id = hashlib.blake2b(envelope, digest_size=16).digest()
        entry = get(index, prefix + id)
        if entry is not None:
            until = INDEX_ENTRY.unpack(entry)[1]
            if until < now_hour:
                stale.append(len(outcomes))
            outcomes.append(Outcome("already held", until))
            continue
        if owner and get(QUEUE_SEEN, mailbox + id) is not None:  # its device had it already, by another way
            outcomes.append(Outcome("already held", expiry_hour))
            continue
        size = len(envelope)
        if places <= 0 or added + size > room:
            why = _why_full(places, bounds.octets - octets, grant_room, added + size)
            outcomes.append(Outcome(why))
            continue
        put(BODIES, U64.pack(number), head + envelope, True)
        put(index, prefix + id, INDEX_ENTRY.pack(number, expiry_hour, size))
        if is_shorter:
            put(EXPIRY, EXPIRY_KEY.pack(expiry_hour, number), b"")
        number += 1
        places -= 1
        kept += 1
        added += size
        outcomes.append(held_outcome)
    if kept:
        record = MAILBOX.pack(_VERSION, flags, created, fetch_key, stored, grant, held + kept, octets + added)
        put(MAILBOXES, mailbox, record + owner)
        grants.charge(txn, grant, grant_row, added)
        if own:
            counters.write(txn, number, total_held, total_octets)
        else:
            counters.write(txn, number, total_held + kept, total_octets + added)
            counters.count_hour(txn, expiry_hour, kept, added)
    if stale:  # expired but not swept yet: out with the old one, in with the new
        again = [envelopes[at] for at in stale]
        acknowledge(txn, mailbox, [envelope_id(envelope) for envelope in again])
        anew = deposit(txn, mailbox, capability_hash, again, expiry_hour, limits, now_hour)
        for at, result in zip(stale, anew, strict=True):
            outcomes[at] = result
    return outcomes


def fetch(
    txn: Transaction,
    mailbox: bytes,
    after: int,
    limit: int,
    now_hour: int,
    octets: int = 3 * 1024 * 1024,
) -> tuple[list[FetchedEnvelope], bool]:
    """Live envelopes with numbers above `after` in order of arrival, and whether more follow.

    At most `limit`, and at most `octets` in all (one always). Refusal no_mailbox.
    """
    if txn.get(MAILBOXES, mailbox) is None:
        raise Refusal("no_mailbox")
    waiting = []
    for _, value in list_entries(txn, mailbox):
        number, until, size = INDEX_ENTRY.unpack(value)
        if number > after and until >= now_hour:
            waiting.append((number, until, size))
    fetched: list[FetchedEnvelope] = []
    left = octets
    for number, until, size in heapq.nsmallest(limit, waiting):
        if fetched and size > left:
            break
        left -= size
        body = txn.get(BODIES, U64.pack(number))
        if body is None:
            raise Refusal("damaged_store")
        fetched.append(FetchedEnvelope(number, until, body[BODY_HEAD:]))
    return fetched, len(fetched) < len(waiting)


def acknowledge(txn: Transaction, mailbox: bytes, ids: Iterable[bytes]) -> int:
    """Remove envelopes by id; ids that are not held are passed over. Refusal no_mailbox."""
    if txn.get(MAILBOXES, mailbox) is None:
        raise Refusal("no_mailbox")
    return unlink(txn, mailbox, ids)


def delete(txn: Transaction, mailbox: bytes) -> bool:
    """Delete a mailbox with all it holds; False when there is none. A large one is emptied by the sweep."""
    record = find(txn, mailbox)
    if record is None:
        return False
    ids = [id for id, _ in list_entries(txn, mailbox, DELETED_AT_ONCE + 1)]
    if len(ids) <= DELETED_AT_ONCE:
        unlink(txn, mailbox, ids)
        record = record._replace(held=0, octets=0)
    else:
        txn.put(DOOMED, mailbox, bytes((record.own,)) + record.owner[:32])
    grants.dismiss(txn, record.grant, mailbox, record.octets)
    txn.delete(MAILBOXES, mailbox)
    return True


# What the sweep shares


class Gone:
    """Envelopes that left one mailbox: how many, how large, by hour of expiry."""

    __slots__ = ("count", "hours", "octets")

    def __init__(self) -> None:
        self.count = 0
        self.octets = 0
        self.hours: dict[int, tuple[int, int]] = {}

    def add(self, hour: int, size: int) -> None:
        """Count one."""
        self.count += 1
        self.octets += size
        envelopes, octets = self.hours.get(hour, (0, 0))
        self.hours[hour] = (envelopes + 1, octets + size)


def release(txn: Transaction, mailbox: bytes, gone: Gone) -> None:
    """Take what left a mailbox off every counter; it may itself be deleted by now."""
    record, count = find(txn, mailbox), gone.count
    if record is None:
        own = (txn.get(DOOMED, mailbox) or b"")[:1] == b"\1"
    else:
        own = record.own
        _put(txn, record._replace(held=record.held - count, octets=record.octets - gone.octets))
        grants.release(txn, record.grant, gone.octets)
    if own or not count:
        return
    number, held, octets = counters.read(txn)
    counters.write(txn, number, held - count, octets - gone.octets)
    for hour, (envelopes, size) in gone.hours.items():
        counters.count_hour(txn, hour, -envelopes, -size)


def unlink(txn: Transaction, mailbox: bytes, ids: Iterable[bytes]) -> int:
    """Remove index entries of one mailbox and leave their bodies to the sweep; how many were there."""
    gone = Gone()
    index, prefix = index_of(txn, mailbox)
    for id in ids:
        entry = txn.get(index, prefix + id)
        if entry is not None:
            number, until, size = INDEX_ENTRY.unpack(entry)
            txn.delete(index, prefix + id)
            txn.put(RECLAIM, U64.pack(number), U32.pack(until))
            gone.add(until, size)
    if gone.count:
        release(txn, mailbox, gone)
    return gone.count


def index_of(txn: Transaction, mailbox: bytes) -> tuple[Table, bytes]:
    """The table with a mailbox's index entries and how their keys begin; an envelope's id ends each."""
    value = txn.get(MAILBOXES, mailbox)
    if value is not None:
        return _index(mailbox, value[MAILBOX.size :])
    return _index(mailbox, (txn.get(DOOMED, mailbox) or b"")[1:])


def list_entries(txn: Transaction, mailbox: bytes, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Id and `INDEX_ENTRY` of what is in a mailbox; the first `limit`."""
    index, prefix = index_of(txn, mailbox)
    for key, value in txn.range(index, prefix, prefix_end(prefix), limit=limit):
        yield key[len(prefix) :], value


def _index(mailbox: bytes, owner: bytes) -> tuple[Table, bytes]:
    return (QUEUE, owner[:32] + mailbox) if owner else (INDEX, mailbox)


def _why_full(places: int, room: int, grant_room: int, wanted: int) -> str:
    if places <= 0 or wanted > room:
        return "mailbox_full"
    return "grant_full" if wanted > grant_room else "relay_full"


def _read(mailbox: bytes, value: bytes) -> MailboxRecord:
    _, flags, created, fetch_key, capability_hash, grant, held, octets = MAILBOX.unpack_from(value)
    return MailboxRecord(
        MailboxId(mailbox),
        bool(flags & _OWN),
        "request" if flags & _REQUEST else "contact",
        created,
        fetch_key,
        capability_hash,
        GrantId(grant),
        held,
        octets,
        value[MAILBOX.size :],
    )


def _put(txn: Transaction, record: MailboxRecord) -> None:
    mailbox, own, kind, created, *rest, owner = record
    flags = (_OWN if own else 0) | (_REQUEST if kind == "request" else 0)
    txn.put(MAILBOXES, mailbox, MAILBOX.pack(_VERSION, flags, created, *rest) + owner)
