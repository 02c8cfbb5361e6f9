"""Reports: what members told those who look after the box, in the order in which it is to be looked at.

All of it is sealed under the store key; who reported how often is counted under a blind name.
"""

from __future__ import annotations

import struct
from typing import Final

from appliance.errors import Refusal
from appliance.store.engine import Transaction
from appliance.store.schema import REPORT_ORDER, REPORTERS, REPORTS, prefix_end
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class Report(Record, frozen=True):
    """One report; `second` when it was made, `changed` when it was last acted on."""

    id: bytes
    reporter: bytes
    why: str
    second: int
    area: str
    words: str = ""
    evidence: str = ""
    log: bytes = b""
    entry: bytes = b""
    account: bytes = b""
    about: str = ""
    trusted: bool = False
    phase: str = "open"
    taken_by: bytes = b""
    changed: int = 0
    did: tuple[str, ...] = ()
    answer: str = ""
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it waits, or somebody looks at it."""
        return self.phase in ("open", "taken")


_TABLE: Final = SealedTable(REPORTS, Report)
_ORDER: Final = struct.Struct(">BQ16s")
"""Closed u8, second at which that became so, id."""
_BY: Final = struct.Struct(">16sQ16s")
_OPEN: Final = b"\1"
_CLOSED: Final = b"\0"


def find(txn: Transaction, sealer: Sealer, id: bytes) -> Report | None:
    """The report of this id, or None."""
    return _TABLE.get(txn, sealer, id)


def require(txn: Transaction, sealer: Sealer, id: bytes) -> Report:
    """The same; Refusal no_item."""
    found = find(txn, sealer, id)
    if found is None:
        raise Refusal("no_item")
    return found


def save(txn: Transaction, sealer: Sealer, report: Report) -> None:
    """Write a report down, new or changed, and keep its place in the order."""
    old = find(txn, sealer, report.id)
    if old is not None:
        txn.delete(REPORT_ORDER, _place(old))
    _TABLE.put(txn, sealer, report.id, report)
    txn.put(REPORT_ORDER, _place(report), b"")
    txn.put(REPORTERS, _by(sealer, report), _OPEN if report.is_open else _CLOSED)


def remove(txn: Transaction, sealer: Sealer, report: Report) -> None:
    """Forget a report."""
    _TABLE.delete(txn, sealer, report.id)
    txn.delete(REPORT_ORDER, _place(report))
    txn.delete(REPORTERS, _by(sealer, report))


def list_open(txn: Transaction, sealer: Sealer) -> list[Report]:
    """Open ones, the oldest first; there are only so many."""
    stop = _ORDER.pack(1, 0, bytes(16))
    return [require(txn, sealer, key[-16:]) for key in txn.keys(REPORT_ORDER, b"", stop)]


def count_open(txn: Transaction) -> int:
    """How many wait or are looked at."""
    return sum(1 for _ in txn.keys(REPORT_ORDER, b"", _ORDER.pack(1, 0, bytes(16))))


def list_closed(
    txn: Transaction, sealer: Sealer, before: Report | None, limit: int | None = None
) -> list[Report]:
    """Closed ones, the newest first, those before one."""
    stop = None if before is None else _place(before)
    start = _ORDER.pack(1, 0, bytes(16))
    rows = txn.range(REPORT_ORDER, start, stop, reverse=True, limit=limit)
    return [require(txn, sealer, key[-16:]) for key, _ in rows]


def list_over(txn: Transaction, until: int, limit: int) -> list[bytes]:
    """Ids of those that were closed before a second."""
    keys = txn.keys(REPORT_ORDER, _ORDER.pack(1, 0, bytes(16)), _ORDER.pack(1, until, bytes(16)), limit)
    return [key[-16:] for key in keys]


def list_own(txn: Transaction, sealer: Sealer, reporter: bytes) -> list[Report]:
    """What somebody reported, the newest first."""
    prefix = sealer.blind(REPORTERS, reporter)
    rows = txn.range(REPORTERS, prefix, prefix_end(prefix), reverse=True)
    return [require(txn, sealer, key[-16:]) for key, _ in rows]


def count_own(txn: Transaction, sealer: Sealer, reporter: bytes, since: int) -> tuple[int, int]:
    """How many of somebody's reports are open, and how many were made since a second."""
    prefix = sealer.blind(REPORTERS, reporter)
    waiting = recent = 0
    for key, value in txn.range(REPORTERS, prefix, prefix_end(prefix)):
        waiting += value == _OPEN
        recent += _BY.unpack(key)[1] >= since
    return waiting, recent


def _place(report: Report) -> bytes:
    second = report.second if report.is_open else report.changed
    return _ORDER.pack(not report.is_open, second, report.id)


def _by(sealer: Sealer, report: Report) -> bytes:
    return _BY.pack(sealer.blind(REPORTERS, report.reporter), report.second, report.id)
