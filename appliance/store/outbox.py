"""The outbox: items this box sends, from upload to the end. Owns their content, parts and progress.

uploading -> sealing -> sending -> delivered | given_up. The content is kept, sealed by the store key, until
every part has become an envelope; from then on only envelopes are kept, one a row, so that neither listing
nor counting reads them. Where each part lies is in `deliveries`. Each step can be taken again after a crash:
what was done already is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, get_args

from msgspec.structs import replace

from appliance.errors import Refusal
from appliance.protocol.item import ItemId, ItemKind
from appliance.store.engine import Transaction
from appliance.store.schema import (
    OUTBOX,
    OUTBOX_CONTENT,
    OUTBOX_HELD,
    OUTBOX_NEXT,
    OUTBOX_PARTS,
    OUTBOX_PENDING,
    OUTBOX_PROGRESS,
    OUTBOX_RECLAIM,
    prefix_end,
)
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer

State = Literal["uploading", "sealing", "sending", "delivered", "given_up"]

PIECE: Final = 16 * 4096 - 64
"""Octets of one piece of content; with what is stored around it, it fills 16 pages."""
_STATES: Final[tuple[State, ...]] = get_args(State)
_VERSION: Final = 1
_REASON: Final = 24
_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")

PROGRESS: Final = struct.Struct(f">BBIIIIIIQQQQ{_REASON}s")
"""version, state; parts, sealed, direct, held, tries; first expiry hour; octets uploaded; seconds: next try
(0: none), horizon, end; reason."""


class OutboxItem(Record, frozen=True):
    """What is sent to whom: `contact` is an identity key, times are unix seconds, receipts have `reply_to`.

    `digest` (BLAKE2b-256 of the content) and `card` (ours, that goes with it) are fixed when the content is
    complete: how the item is cut depends on them, and must not change after a restart.
    """

    id: bytes
    contact: bytes
    kind: ItemKind
    name: str
    size: int
    created: int
    horizon: int
    digest: bytes = b""
    reply_to: bytes = b""
    card: bytes = b""


class Progress(NamedTuple):
    """How far an item is. `direct` parts reached the contact's own box, `held` ones lie at enough relays.

    `expires_hour` is the first hour in which a held part runs out, `next_try` when to look again; 0 is none.
    """

    state: State
    parts: int
    sealed: int
    direct: int
    held: int
    tries: int
    expires_hour: int
    uploaded: int
    next_try: int
    horizon: int
    ended: int
    reason: str

    @property
    def pending(self) -> int:
        """Parts that are not yet where they should be."""
        return self.parts - self.direct - self.held


_TABLE: Final = SealedTable(OUTBOX, OutboxItem)


def compose(txn: Transaction, sealer: Sealer, item: OutboxItem) -> Progress:
    """Start an item; its content is to be uploaded. The same id again changes nothing."""
    found = find_progress(txn, item.id)
    if found is not None:
        return found
    progress = Progress("uploading", 0, 0, 0, 0, 0, 0, 0, 0, item.horizon, 0, "")
    _TABLE.put(txn, sealer, item.id, item)
    put_progress(txn, item.id, progress)
    return progress


def find(txn: Transaction, sealer: Sealer, item: bytes) -> OutboxItem:
    """The item; Refusal no_item."""
    found = _TABLE.get(txn, sealer, item)
    if found is None:
        raise Refusal("no_item")
    return found


def list_all(txn: Transaction, sealer: Sealer) -> list[tuple[OutboxItem, Progress]]:
    """Every item with its progress, newest first; parts are not read."""
    rows = [(item, progress_of(txn, item.id)) for item in _TABLE.list_all(txn, sealer)]
    return sorted(rows, key=lambda row: (row[0].created, row[0].id), reverse=True)


def list_states(txn: Transaction, *states: State) -> list[ItemId]:
    """The ids of all items in one of these states; needs no key."""
    return [
        ItemId(key)
        for key, value in txn.range(OUTBOX_PROGRESS)
        if _STATES[PROGRESS.unpack(value)[1]] in states
    ]


def find_progress(txn: Transaction, item: bytes) -> Progress | None:
    """How far an item is, or None; needs no key."""
    value = txn.get(OUTBOX_PROGRESS, item)
    if value is None:
        return None
    _, state, *numbers, reason = PROGRESS.unpack(value)
    return Progress._make((_STATES[state], *numbers, reason.rstrip(b"\0").decode()))


def progress_of(txn: Transaction, item: bytes) -> Progress:
    """How far an item is; Refusal no_item."""
    progress = find_progress(txn, item)
    if progress is None:
        raise Refusal("no_item")
    return progress


def upload(txn: Transaction, sealer: Sealer, item: bytes, offset: int, data: bytes) -> int:
    """Keep content that begins at `offset`; the offset to go on from. What is here already is passed over.

    Refusals: no_item, wrong_state, offset (a gap; `details` name the place), too_large.
    """
    progress = progress_of(txn, item)
    end = offset + len(data)
    if progress.state != "uploading":
        raise Refusal("wrong_state")
    if offset > progress.uploaded:
        raise Refusal("offset", offset=progress.uploaded)
    if end <= progress.uploaded:
        return progress.uploaded
    if end > find(txn, sealer, item).size:
        raise Refusal("too_large")
    for at in range(progress.uploaded, end, PIECE):
        key = item + _U64.pack(at)
        piece = data[at - offset : at - offset + PIECE]
        txn.put(OUTBOX_CONTENT, key, sealer.seal(OUTBOX_CONTENT, key, piece))
    put_progress(txn, item, progress._replace(uploaded=end))
    return end


def read_content(txn: Transaction, sealer: Sealer, item: bytes, offset: int, length: int) -> bytes:
    """Uploaded content from `offset` on, `length` octets or as many as there are."""
    upto = item + _U64.pack(offset + 1)
    first = next((key for key, _ in txn.range(OUTBOX_CONTENT, item, upto, reverse=True, limit=1)), None)
    if first is None:
        return b""
    start = _U64.unpack(first[16:])[0]
    pieces, have = [], start
    for key, value in txn.range(OUTBOX_CONTENT, first, prefix_end(item)):
        if have >= offset + length:
            break
        pieces.append(sealer.open(OUTBOX_CONTENT, key, value))
        have += len(pieces[-1])
    return b"".join(pieces)[offset - start : offset - start + length]


def begin_sealing(
    txn: Transaction, sealer: Sealer, item: bytes, digest: bytes, parts: int, card: bytes = b""
) -> None:
    """The content is complete: `parts` envelopes will be made of it. Refusals: no_item, wrong_state."""
    progress, record = progress_of(txn, item), find(txn, sealer, item)
    if progress.state == "uploading" and progress.uploaded == record.size:
        _TABLE.put(txn, sealer, item, replace(record, digest=digest, card=card))
        put_progress(txn, item, progress._replace(state="sealing", parts=parts))
    elif progress.state != "sealing":
        raise Refusal("wrong_state")


def add_envelopes(
    txn: Transaction, item: bytes, first: int, envelopes: Sequence[bytes], now: int
) -> Progress:
    """Keep the envelopes of parts `first` and on; with the last one the item is due for sending at `now`.

    Parts that have an envelope keep it. Refusals: no_item, wrong_state (also for a gap).
    """
    progress = progress_of(txn, item)
    if progress.state == "sending":
        return progress
    if progress.state != "sealing" or first > progress.sealed:
        raise Refusal("wrong_state")
    sealed = progress.sealed
    for index in range(sealed, min(first + len(envelopes), progress.parts)):
        key = item + _U32.pack(index)
        txn.put(OUTBOX_PARTS, key, envelopes[index - first])
        txn.put(OUTBOX_PENDING, key, b"")
        sealed = index + 1
    progress = progress._replace(sealed=sealed)
    if sealed == progress.parts:
        for key in list(txn.keys(OUTBOX_CONTENT, item, prefix_end(item))):
            txn.delete(OUTBOX_CONTENT, key)
        progress = progress._replace(state="sending")
        return schedule(txn, item, progress, now)
    put_progress(txn, item, progress)
    return progress


def schedule(txn: Transaction, item: bytes, progress: Progress, when: int) -> Progress:
    """Look at the item again at this unix second (0: not any more), and keep `progress` with it."""
    if progress.next_try:
        txn.delete(OUTBOX_NEXT, _U64.pack(progress.next_try) + item)
    if when:
        txn.put(OUTBOX_NEXT, _U64.pack(when) + item, b"")
    progress = progress._replace(next_try=when)
    put_progress(txn, item, progress)
    return progress


def end(
    txn: Transaction, item: bytes, state: Literal["delivered", "given_up"], now: int, reason: str = ""
) -> bool:
    """Finish an item; its parts go with the sweep. False when it is finished or gone already."""
    progress = find_progress(txn, item)
    if progress is None or progress.state in ("delivered", "given_up"):
        return False
    schedule(txn, item, progress._replace(state=state, ended=now, reason=reason), 0)
    txn.put(OUTBOX_RECLAIM, item, b"")
    return True


def remove(txn: Transaction, item: bytes) -> bool:
    """Forget an item in any state; its parts go with the sweep. False when it is gone already."""
    progress = find_progress(txn, item)
    if progress is None:
        return False
    schedule(txn, item, progress, 0)
    txn.delete(OUTBOX_PROGRESS, item)
    txn.delete(OUTBOX, item)
    txn.put(OUTBOX_RECLAIM, item, b"")
    return True


def sweep(txn: Transaction, ended_before: int, limit: int) -> int:
    """Delete parts of ended items, about `limit` rows, then items that ended before this second."""
    done = 0
    for item in list(txn.keys(OUTBOX_RECLAIM, limit=limit)):
        for table in (OUTBOX_PARTS, OUTBOX_PENDING, OUTBOX_HELD, OUTBOX_CONTENT):
            for key in list(txn.keys(table, item, prefix_end(item), limit - done)):
                txn.delete(table, key)
                done += 1
            if done >= limit:
                return done
        txn.delete(OUTBOX_RECLAIM, item)
        done += 1
    for item, value in list(txn.range(OUTBOX_PROGRESS)) if not done else ():
        ended = PROGRESS.unpack(value)[11]
        if 0 < ended < ended_before and done < limit:
            txn.delete(OUTBOX_PROGRESS, item)
            txn.delete(OUTBOX, item)
            done += 1
    return done


def put_progress(txn: Transaction, item: bytes, progress: Progress) -> None:
    """Keep how far an item is."""
    state, *numbers, reason = progress
    value = PROGRESS.pack(_VERSION, _STATES.index(state), *numbers, reason.encode()[:_REASON])
    txn.put(OUTBOX_PROGRESS, item, value)
