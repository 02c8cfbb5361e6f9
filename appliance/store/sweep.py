"""The sweep: takes out what was acknowledged, has expired or belonged to deleted mailboxes and ended grants.

Each call is one bounded transaction. Bodies are deleted in order of arrival, so neighbours on a page go
together. Run it again at once while it did anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import takewhile

from appliance.protocol.envelope import envelope_id
from appliance.store import grants, mailboxes
from appliance.store.engine import Transaction
from appliance.store.mailboxes import BODY_HEAD, U32, Gone
from appliance.store.schema import BODIES, DOOMED, EXPIRY, RECLAIM


def sweep(txn: Transaction, now_hour: int, limit: int) -> int:
    """Remove about `limit` envelopes at most; how many things were done, 0 when all is clean."""
    done = _reclaim(txn, limit)
    if done < limit:
        done += _expire(txn, now_hour, limit - done)
    if done < limit:
        done += _empty_deleted(txn, limit - done)
    if done < limit:
        done += _end_grants(txn, now_hour)
    return done


def _reclaim(txn: Transaction, limit: int) -> int:
    """Acknowledged envelopes: their bodies and places in the expiry order."""
    entries = list(txn.range(RECLAIM, limit=limit))
    for number, until in entries:
        txn.delete(BODIES, number)
        txn.delete(EXPIRY, until + number)
        txn.delete(RECLAIM, number)
    return len(entries)


def _expire(txn: Transaction, now_hour: int, limit: int) -> int:
    """What has expired; with a row that says so first, then the oldest of those that live longest."""
    keys = list(txn.keys(EXPIRY, stop=U32.pack(now_hour), limit=limit))
    found: list[tuple[bytes, bytes]] = []
    for key in keys:
        txn.delete(EXPIRY, key)
        body = txn.get(BODIES, key[4:])
        if body is not None:
            found.append((key[4:], body))
    if not keys:
        found = list(takewhile(_is_over(now_hour), txn.range(BODIES, limit=limit)))
    gone: defaultdict[bytes, Gone] = defaultdict(Gone)
    for body_key, body in found:
        txn.delete(BODIES, body_key)
        mailbox = body[:20]
        index, prefix = mailboxes.index_of(txn, mailbox)
        index_key = prefix + envelope_id(body[BODY_HEAD:])
        entry = txn.get(index, index_key)
        # The entry may be gone (acknowledged) or belong to the same envelope, deposited again since.
        if entry is not None and entry[:8] == body_key:
            txn.delete(index, index_key)
            gone[mailbox].add(U32.unpack_from(body, 20)[0], len(body) - BODY_HEAD)
        else:
            txn.delete(RECLAIM, body_key)
    for mailbox, left in gone.items():
        mailboxes.release(txn, mailbox, left)
    return len(keys) or len(found)


def _is_over(now_hour: int) -> Callable[[tuple[bytes, bytes]], bool]:
    """Whether a body has expired."""
    hour = U32.pack(now_hour)
    return lambda row: row[1][20:BODY_HEAD] < hour


def _empty_deleted(txn: Transaction, limit: int) -> int:
    """Deleted mailboxes that were too large to be emptied at once."""
    for mailbox, _ in list(txn.range(DOOMED, limit=1)):
        ids = [id for id, _ in mailboxes.list_entries(txn, mailbox, limit)]
        mailboxes.unlink(txn, mailbox, ids)
        if len(ids) < limit:
            txn.delete(DOOMED, mailbox)
        return len(ids) + 1
    return 0


def _end_grants(txn: Transaction, now_hour: int) -> int:
    """One mailbox of an ended grant, or the grant itself once it has none."""
    for grant in grants.ended(txn, now_hour, 1):
        for mailbox in grants.list_mailboxes(txn, grant, 1):
            mailboxes.delete(txn, mailbox)
            return 1
        grants.remove(txn, grant)
        return 1
    return 0
