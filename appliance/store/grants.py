"""Grants: rights to keep mailboxes here, with what each has used. Owns their counters and their end.

A grant that expired takes no more deposits, but its mailboxes can be read for `GRACE_HOURS`; a revoked one
ends at once. Either way `mailboxes.sweep` then removes the mailboxes, and the grant with the last of them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, NewType, get_args

from appliance.errors import Refusal
from appliance.protocol.keys import DOMAIN
from appliance.store.engine import Transaction
from appliance.store.schema import GRANT_ENDS, GRANT_LABELS, GRANT_MAILBOXES, GRANTS, prefix_end
from appliance.store.storekey import Sealer

GrantId = NewType("GrantId", bytes)
"""16 bytes, from the grant's secret."""
Origin = Literal["owner", "work", "peer", "self"]

GRACE_HOURS: Final = 720
_ORIGINS: Final[tuple[Origin, ...]] = get_args(Origin)
_VERSION: Final = 1
_ENDED: Final = 0
"""The expiry of a revoked grant."""

GRANT: Final = struct.Struct(">BBIIQQII")
"""version, origin, mailboxes, their limit, octets, their limit, created hour, expiry hour."""
_END: Final = struct.Struct(">I16s")


class GrantRecord(NamedTuple):
    """One grant; octets count the envelopes held now in its mailboxes."""

    grant: GrantId
    origin: Origin
    mailboxes: int
    mailboxes_limit: int
    octets: int
    octets_limit: int
    created_hour: int
    expires_hour: int

    def holds(self, now_hour: int) -> bool:
        """Whether the grant is good for new mailboxes and deposits."""
        return self.expires_hour > now_hour


def grant_id(secret: bytes) -> GrantId:
    """The id under which a relay keeps a grant with this 32-byte secret."""
    return GrantId(hashlib.sha256(DOMAIN + b"grant" + secret).digest()[:16])


def create(
    txn: Transaction,
    grant: GrantId,
    *,
    origin: Origin,
    mailboxes: int,
    octets: int,
    now_hour: int,
    expires_hour: int,
) -> GrantRecord:
    """Make a grant, or set the limits and the expiry of one that is there (what it used is kept)."""
    found = find(txn, grant)
    record = GrantRecord(
        grant,
        origin,
        found.mailboxes if found else 0,
        mailboxes,
        found.octets if found else 0,
        octets,
        found.created_hour if found else now_hour,
        expires_hour,
    )
    if found:
        txn.delete(GRANT_ENDS, _end_key(found))
    txn.put(GRANT_ENDS, _end_key(record), b"")
    _put(txn, record)
    return record


def find(txn: Transaction, grant: GrantId) -> GrantRecord | None:
    """The grant, also an expired or revoked one."""
    value = txn.get(GRANTS, grant)
    return None if value is None else _read(grant, value)


def list_all(txn: Transaction) -> list[GrantRecord]:
    """All grants that were not revoked."""
    records = [_read(GrantId(key), value) for key, value in txn.range(GRANTS)]
    return [record for record in records if record.expires_hour != _ENDED]


def admit(txn: Transaction, grant: GrantId, mailbox: bytes, octets: int, now_hour: int) -> GrantRecord:
    """Count one more mailbox that holds `octets` under the grant; Refusal grant or grant_full."""
    record = find(txn, grant)
    if record is None or not record.holds(now_hour):
        raise Refusal("grant")
    if record.mailboxes >= record.mailboxes_limit or record.octets + octets > record.octets_limit:
        raise Refusal("grant_full")
    txn.put(GRANT_MAILBOXES, grant + mailbox, b"")
    record = record._replace(mailboxes=record.mailboxes + 1, octets=record.octets + octets)
    _put(txn, record)
    return record


def dismiss(txn: Transaction, grant: GrantId, mailbox: bytes, octets: int) -> None:
    """Take a mailbox that held `octets` off the grant."""
    if not txn.delete(GRANT_MAILBOXES, grant + mailbox):
        return
    record = find(txn, grant)
    if record is not None:
        _put(txn, record._replace(mailboxes=record.mailboxes - 1, octets=record.octets - octets))


def room(txn: Transaction, grant: bytes, now_hour: int) -> tuple[int, tuple[int, ...]] | None:
    """Octets that deposits may still take under a grant that holds, and its row for `charge`; else None."""
    value = txn.get(GRANTS, grant)
    if value is None:
        return None
    row = GRANT.unpack(value)
    return None if row[7] <= now_hour else (row[5] - row[4], row)


def charge(txn: Transaction, grant: bytes, row: tuple[int, ...], octets: int) -> None:
    """Count `octets` more for a grant as `room` read it in this transaction."""
    # Once a deposit, so without a record in between.
    txn.put(GRANTS, grant, GRANT.pack(*row[:4], row[4] + octets, *row[5:]))


def release(txn: Transaction, grant: GrantId, octets: int) -> None:
    """Count `octets` less, where the grant is still there."""
    record = find(txn, grant)
    if record is not None:
        _put(txn, record._replace(octets=record.octets - octets))


def revoke(txn: Transaction, grant: GrantId) -> bool:
    """End a grant now; its mailboxes go with the next sweep. False when there is none."""
    record = find(txn, grant)
    if record is None or record.expires_hour == _ENDED:
        return False
    txn.delete(GRANT_ENDS, _end_key(record))
    record = record._replace(expires_hour=_ENDED)
    txn.put(GRANT_ENDS, _end_key(record), b"")
    txn.delete(GRANT_LABELS, grant)
    _put(txn, record)
    return True


def ended(txn: Transaction, now_hour: int, limit: int) -> list[GrantId]:
    """Grants whose mailboxes are due to go."""
    keys = txn.keys(GRANT_ENDS, stop=_END.pack(now_hour + 1, b""), limit=limit)
    return [GrantId(key[4:]) for key in keys]


def list_mailboxes(txn: Transaction, grant: GrantId, limit: int | None = None) -> list[bytes]:
    """The ids of mailboxes under a grant."""
    return [key[16:] for key in txn.keys(GRANT_MAILBOXES, grant, prefix_end(grant), limit)]


def remove(txn: Transaction, grant: GrantId) -> None:
    """Forget a grant that has no mailboxes any more."""
    record = find(txn, grant)
    if record is not None:
        txn.delete(GRANT_ENDS, _end_key(record))
        txn.delete(GRANT_LABELS, grant)
        txn.delete(GRANTS, grant)


def set_label(txn: Transaction, sealer: Sealer, grant: GrantId, label: str) -> None:
    """Write down, sealed, what the owner calls a grant."""
    txn.put(GRANT_LABELS, grant, sealer.seal(GRANT_LABELS, grant, label.encode()))


def labels(txn: Transaction, sealer: Sealer) -> Mapping[GrantId, str]:
    """What the owner calls each grant."""
    return {
        GrantId(key): sealer.open(GRANT_LABELS, key, value).decode() for key, value in txn.range(GRANT_LABELS)
    }


def _end_key(record: GrantRecord) -> bytes:
    last = record.expires_hour
    return _END.pack(last if last == _ENDED else min(last + GRACE_HOURS, 0xFFFFFFFF), record.grant)


def _read(grant: GrantId, value: bytes) -> GrantRecord:
    _, origin, mailboxes, mailboxes_limit, octets, octets_limit, created, expires = GRANT.unpack(value)
    return GrantRecord(
        grant, _ORIGINS[origin], mailboxes, mailboxes_limit, octets, octets_limit, created, expires
    )


def _put(txn: Transaction, record: GrantRecord) -> None:
    grant, origin, *numbers = record
    txn.put(GRANTS, grant, GRANT.pack(_VERSION, _ORIGINS.index(origin), *numbers))
