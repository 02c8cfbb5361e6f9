"""Rooms: what peers may read of the boards that trust them, entry by entry (SPEC.md, "Rooms").

Owner: the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol.board import Edit, Post
from appliance.protocol.room import MAX_OCTETS, FetchRoom, RoomEntry, RoomPage, verify_fetch
from appliance.service import authors
from appliance.service.board_rules import HELD
from appliance.service.nonces import NonceBook
from appliance.store import boards, logs
from appliance.store.boards import BoardRow
from appliance.store.engine import Store
from appliance.store.logs import Entry
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction


class Rooms:
    """Reads only; `book` has the nonces of this box, `host` is its onion address."""

    def __init__(
        self, store: Store, ring: KeyRing, book: NonceBook, host: str, check_on: Callable[[], None]
    ) -> None:
        self._store = store
        self._ring = ring
        self._book = book
        self._host = host
        self._check_on = check_on

    async def fetch(self, request: FetchRoom) -> RoomPage:
        """A stretch of a board's log for a peer.

        Refusals: nonce, signature, locked, switched_off; no_room alike for a board that is not there and for
        one that does not name this peer.
        """
        self._book.check(request.auth.nonce)
        verify_fetch(request, self._host)
        self._check_on()
        sealer = self._ring.require()
        # Who is no peer spends no nonce: strangers could otherwise use up what the box remembers of them.
        self._store.read(lambda txn: _trusting(txn, sealer, request))
        self._book.spend(request.auth.nonce)
        nonce = self._book.issue()
        return await self._store.read_cold(lambda txn: _page(txn, sealer, request, nonce))


def _trusting(txn: Transaction, sealer: Sealer, request: FetchRoom) -> BoardRow:
    """The board, if it names this peer; Refusal no_room."""
    row = boards.find(txn, sealer, request.room)
    if row is None or row.home is not None or request.peer not in row.peers:
        raise Refusal("no_room")
    return row


def _page(txn: Transaction, sealer: Sealer, request: FetchRoom, nonce: bytes) -> RoomPage:
    row = _trusting(txn, sealer, request)
    span = logs.read(txn, sealer, row.id, after=request.after, limit=request.limit, octets=MAX_OCTETS)
    shown = _shown(txn, sealer, row.id, span.entries)
    return RoomPage(
        room=row.id,
        title=row.title,
        about=row.about,
        days=row.days,
        threads=row.threads,
        posts=row.posts,
        last=span.head.last,
        entries=shown,
        next=span.entries[-1].number if span.entries else request.after,
        more=span.more,
        authors=authors.signed_entries(
            txn, sealer, row, [one.signed for one in shown if one.signed is not None]
        ),
        nonce=nonce,
    )


def _shown(txn: Transaction, sealer: Sealer, board: bytes, entries: Sequence[Entry]) -> list[RoomEntry]:
    return [
        RoomEntry(entry.number, entry.id, entry.hour, entry.body, entry.removed)
        for entry in entries
        if entry.kind != HELD and _is_there(txn, sealer, board, entry)
    ]


def _is_there(txn: Transaction, sealer: Sealer, board: bytes, entry: Entry) -> bool:
    """Whether the thread of a post or edit is there; a removed one leaves the disk only after a while."""
    value = None if entry.body is None else wire.value_of(entry.body)
    if isinstance(value, Edit):
        number = logs.number_of(txn, board, value.target)
        target = None if number is None else logs.get(txn, sealer, board, number)
        value = None if target is None or target.body is None else wire.value_of(target.body)
        if not isinstance(value, Post):
            return False
    if isinstance(value, Post):
        return boards.find_thread(txn, sealer, board, value.thread or value.id) is not None
    return True
