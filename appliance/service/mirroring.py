"""What a mirror takes of a page of its home: each value is checked, then written by the rules of boards.

The home decided who may write, and when; that is its word. That a value is its author's, for this board and
home, is checked here, and again by whoever reads it. What does not hold is passed over and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec.structs import replace

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol import prekeys
from appliance.protocol.board import Post, Value
from appliance.protocol.room import RoomEntry, RoomPage
from appliance.service.board_rules import CHECKS, WRITES, Work
from appliance.service.caller import Caller
from appliance.store import board_authors, boards, logs
from appliance.store.boards import BoardRow, ThreadRow
from appliance.store.logs import Draft, Entry
from appliance.store.storekey import Sealer
from appliance.store.transaction import Transaction

MOST_AUTHORS: Final = 10_000
"""Authors of one mirror whose directory entries are kept; others are shown as having no account."""
WITHOUT_EFFECT: Final = frozenset({"no_entry", "no_thread"})
"""Why a genuine value changes nothing here: what it is about is gone, or was never let through."""


class Found(NamedTuple):
    """An entry of a page and its value; None: it was removed, or is not genuine (`forged`)."""

    entry: RoomEntry
    value: Value | None
    forged: bool = False


@dataclass(frozen=True)
class Checked:
    """A page that was checked: its entries in order, and the directory entries of authors by name."""

    page: RoomPage
    found: tuple[Found, ...]
    authors: Mapping[str, bytes]

    def __repr__(self) -> str:
        return "<Checked>"


def check(page: RoomPage, home: bytes, room: bytes, after: int) -> Checked:
    """A page as the answer to what was asked; verifies signatures, so not for the event loop.

    Refusal bad_answer when it is none: another room, or numbers that do not rise from `after` to `next`.
    """
    numbers = [after, *(entry.number for entry in page.entries)]
    rising = all(a < b for a, b in pairwise(numbers))
    if page.room != room or not rising or page.next < numbers[-1] or (page.more and page.next == after):
        raise Refusal("bad_answer")
    entries = {}
    identities = {}
    for signed in page.authors:
        try:
            entry = prekeys.read_entry(signed)
        except Refusal:
            continue
        if entry.onion == home:
            entries[entry.name], identities[entry.name] = signed, entry.identity
    found = tuple(_found(entry, home, room, identities) for entry in page.entries)
    return Checked(page, found, entries)


def _found(entry: RoomEntry, home: bytes, room: bytes, identities: Mapping[str, bytes]) -> Found:
    if entry.signed is None:
        return Found(entry, None)
    try:
        value = wire.read(entry.signed).value
    except Refusal:
        return Found(entry, None, forged=True)
    known = value.identity is None or identities.get(value.name, value.identity) == value.identity
    if (value.id, value.board, value.onion) != (entry.id, room, home) or not known:
        return Found(entry, None, forged=True)
    return Found(entry, value)


def take(txn: Transaction, sealer: Sealer, row: BoardRow, checked: Checked, now_hour: int) -> None:
    """Write what a page brought, and how far the home was read, in one transaction."""
    page, home, skipped = checked.page, row.home or b"", 0
    for entry, value, forged in checked.found:
        skipped += forged
        if value is not None and logs.number_of(txn, row.id, entry.id) is None:
            try:
                _write(txn, sealer, home, entry, value, now_hour)
            except Refusal as refusal:
                if refusal.code == "no_board":
                    raise
                skipped += refusal.code not in WITHOUT_EFFECT
    authors = row.authors + _keep_authors(txn, sealer, row, checked)
    now = boards.find(txn, sealer, row.id) or row
    # A home that was set back begins again; what is known by its id is not taken twice.
    cursor = page.next if page.next <= page.last else 0
    boards.save(txn, sealer, replace(now, cursor=cursor, skipped=now.skipped + skipped, authors=authors))


def _write(
    txn: Transaction, sealer: Sealer, home: bytes, entry: RoomEntry, value: Value, now_hour: int
) -> None:
    """Append a value and change the rows that go with it. Refusals: those of `CHECKS`."""
    board, signed = value.board, entry.signed or b""
    if isinstance(value, Post) and value.thread is not None:
        _stand_in(txn, sealer, board, value.thread)
    row = boards.find(txn, sealer, board)
    if row is None:
        raise Refusal("no_board")
    author = logs.author_of(sealer, board, home + value.name.encode())
    # The home has let it pass: here it is written as by somebody who may do everything.
    work = Work(sealer, Caller(bytes(16), value.name, "owner", bytes(16)), author, signed, row)
    CHECKS[type(value)](txn, row, value, work)
    draft, hour = Draft(entry.id, wire.entry_kind(value), signed, author), min(entry.hour, now_hour)
    number = logs.append(txn, sealer, board, draft, hour).number
    WRITES[type(value)](
        txn, row, value, work, Entry(number, draft.id, draft.kind, hour, author, 0, None, signed)
    )


def _stand_in(txn: Transaction, sealer: Sealer, board: bytes, thread: bytes) -> None:
    """A thread without its first post, where that was gone before it could be read: the answers go on."""
    row = boards.find(txn, sealer, board)
    if row is None or boards.find_thread(txn, sealer, board, thread) is not None:
        return
    if boards.is_doomed(txn, board, thread):
        raise Refusal("no_thread")
    boards.save_thread(txn, sealer, board, ThreadRow(thread, 0, "", "", 0, 0, "", 0), None)
    boards.save(txn, sealer, replace(row, threads=row.threads + 1))


def _keep_authors(txn: Transaction, sealer: Sealer, row: BoardRow, checked: Checked) -> int:
    """Keep the authors' entries that are new; how many authors were not known."""
    fresh = 0
    for name, signed in checked.authors.items():
        old = board_authors.find(txn, sealer, row.id, name)
        if old == signed or (old is None and row.authors + fresh >= MOST_AUTHORS):
            continue
        board_authors.keep(txn, sealer, row.id, name, signed)
        fresh += old is None
    return fresh
