"""Legs of dispatches: which envelopes have still to be placed for one destination, where others lie, when
to look again.

An envelope is pending until it is direct (the recipient's own box took it) or live at as many relays as
wanted. When the time of relays runs out first, `revive` makes envelopes pending again.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple, NewType

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.post import State
from appliance.protocol.route import Route
from appliance.store.engine import Transaction
from appliance.store.schema import (
    DISPATCH_ENVELOPES,
    DISPATCH_HELD,
    DISPATCH_LEGS,
    DISPATCH_NEXT,
    DISPATCH_PENDING,
    DISPATCH_PROGRESS,
    prefix_end,
)
from appliance.store.sealed import Record
from appliance.store.storekey import Sealer

DispatchKey = NewType("DispatchKey", bytes)
"""Account 16, dispatch 16."""
LegKey = NewType("LegKey", bytes)
"""A dispatch's key and the leg's number u16."""
RouteKey = NewType("RouteKey", bytes)
"""8 octets that stand for a route among the holders."""

_VERSION: Final = 1
_REASON: Final = 24
PROGRESS: Final = struct.Struct(f">BHHHHHIIQQ{_REASON}s")
"""version; envelopes, direct, held at relays, relays, 1 if given up; tries, first expiry hour; seconds: next
try (0: none), horizon; reason."""
_DIRECT: Final = b"\1"
_HELD: Final = b"\0"
_U16: Final = struct.Struct(">H")
_U64: Final = struct.Struct(">Q")
_HOLDER: Final = struct.Struct(">8sI")


class Target(Record, frozen=True):
    """Where a leg goes: routes in the order to be tried; `order` among the account's dispatches."""

    handle: bytes
    routes: list[Route]
    order: int = 0


class Progress(NamedTuple):
    """How far a leg is. `direct` envelopes reached the recipient's own box, `held` ones lie at enough relays.

    `relays` is the least number of relays that an envelope at relays lies at, `expires_hour` the first
    hour in which one runs out (0: none).
    """

    total: int
    direct: int
    held: int
    relays: int
    given_up: int
    tries: int
    expires_hour: int
    next_try: int
    horizon: int
    reason: str

    @property
    def pending(self) -> int:
        """Envelopes that are not yet where they should be."""
        return self.total - self.direct - self.held


class Pending(NamedTuple):
    """An envelope to be placed, and the routes that hold it already with the hour until which they do."""

    number: int
    envelope: bytes
    held: dict[RouteKey, int]

    def __repr__(self) -> str:
        return f"<Pending {self.number}>"


def key_of(dispatch: DispatchKey, number: int) -> LegKey:
    """The key of a leg."""
    return LegKey(dispatch + _U16.pack(number))


def number_of(leg: LegKey) -> int:
    """The leg's number within its dispatch."""
    return int(_U16.unpack(leg[32:34])[0])


def route_key(route: Route) -> RouteKey:
    """What stands for a mailbox at an onion."""
    return RouteKey(hashlib.blake2b(route.onion + route.mailbox, digest_size=8).digest())


def state_of(progress: Progress) -> State:
    """The word for how far a leg is."""
    if progress.given_up:
        return "given_up"
    if progress.direct == progress.total:
        return "box"
    if not progress.pending:
        return "relay"
    return "partly" if progress.direct or progress.held else "waiting"


def add(
    txn: Transaction,
    sealer: Sealer,
    leg: LegKey,
    target: Target,
    missing: Sequence[int],
    total: int,
    horizon: int,
    now: int,
) -> None:
    """Begin a leg of `total` envelopes that has these still to place; it is due at `now`."""
    txn.put(DISPATCH_LEGS, leg, sealer.seal(DISPATCH_LEGS, leg, codec.encode(target)))
    for index in missing:
        txn.put(DISPATCH_PENDING, leg + _U16.pack(index), b"")
    schedule(txn, leg, Progress(total, total - len(missing), 0, 0, 0, 0, 0, 0, horizon, ""), now)


def target(txn: Transaction, sealer: Sealer, leg: LegKey) -> Target:
    """Where a leg goes; Refusal no_item."""
    value = txn.get(DISPATCH_LEGS, leg)
    if value is None:
        raise Refusal("no_item")
    return codec.read_own(sealer.open(DISPATCH_LEGS, leg, value), Target)


def progress_of(txn: Transaction, leg: LegKey) -> Progress:
    """How far a leg is; Refusal no_item. Needs no key."""
    value = txn.get(DISPATCH_PROGRESS, leg)
    if value is None:
        raise Refusal("no_item")
    _, *numbers, reason = PROGRESS.unpack(value)
    return Progress._make((*numbers, reason.rstrip(b"\0").decode()))


def is_there(txn: Transaction, leg: LegKey) -> bool:
    """Whether a leg is under way."""
    return txn.get(DISPATCH_PROGRESS, leg) is not None


def has_any(txn: Transaction, dispatch: DispatchKey) -> bool:
    """Whether a dispatch has a leg under way."""
    return next(txn.keys(DISPATCH_PROGRESS, dispatch, prefix_end(dispatch), 1), None) is not None


def list_all(txn: Transaction, prefix: bytes = b"") -> list[LegKey]:
    """Legs under way, of all, one account or one dispatch."""
    return [LegKey(key) for key in txn.keys(DISPATCH_PROGRESS, prefix, prefix_end(prefix))]


def due(
    txn: Transaction, now: int, limit: int, skip: Callable[[LegKey], bool] = lambda leg: False
) -> list[LegKey]:
    """Legs whose time has come, the most overdue first, without those to be skipped; needs no key."""
    keys = (LegKey(key[8:]) for key in txn.keys(DISPATCH_NEXT, stop=_U64.pack(now + 1)))
    return list(islice((key for key in keys if not skip(key)), limit))


def next_due(txn: Transaction, after: int = -1) -> int | None:
    """The second at which the first leg later than `after` is due, or None."""
    for key in txn.keys(DISPATCH_NEXT, _U64.pack(after + 1), limit=1):
        return int(_U64.unpack(key[:8])[0])
    return None


def pending(txn: Transaction, leg: LegKey, limit: int, after: int = -1) -> list[Pending]:
    """Envelopes with a number above `after` that are to be placed, in order."""
    rows = []
    for key in txn.keys(DISPATCH_PENDING, leg + _U16.pack(after + 1), prefix_end(leg), limit):
        envelope = txn.get(DISPATCH_ENVELOPES, leg[:32] + key[34:])
        if envelope is not None:
            rows.append(Pending(_U16.unpack(key[34:])[0], envelope, _holders(txn.get(DISPATCH_HELD, key))))
    return rows


def place_direct(txn: Transaction, leg: LegKey, indexes: Iterable[int]) -> Progress:
    """The recipient's own box took these envelopes. Again is alike; Refusal no_item."""
    progress = progress_of(txn, leg)
    direct, held = progress.direct, progress.held
    for index in indexes:
        key = leg + _U16.pack(index)
        value = txn.get(DISPATCH_HELD, key)
        if value is not None and value[:1] == _DIRECT:
            continue
        direct += 1
        if not txn.delete(DISPATCH_PENDING, key):
            held -= 1
        txn.put(DISPATCH_HELD, key, _DIRECT)
    return put(txn, leg, progress._replace(direct=direct, held=held))


def place_at(
    txn: Transaction,
    leg: LegKey,
    indexes: Iterable[int],
    route: RouteKey,
    expires_hour: int,
    wanted: int,
    now_hour: int,
) -> Progress:
    """A relay holds these until `expires_hour`; with `wanted` such relays an envelope is placed.

    Again is alike; Refusal no_item.
    """
    progress = progress_of(txn, leg)
    held, first, least = progress.held, progress.expires_hour, progress.relays
    for index in indexes:
        key = leg + _U16.pack(index)
        value = txn.get(DISPATCH_HELD, key)
        if value is not None and value[:1] == _DIRECT:
            continue
        holders = _live(value, now_hour)
        holders[route] = expires_hour
        txn.put(DISPATCH_HELD, key, _HELD + b"".join(_HOLDER.pack(*holder) for holder in holders.items()))
        if len(holders) >= wanted and txn.delete(DISPATCH_PENDING, key):
            held += 1
            least = min(least or len(holders), len(holders))
        first = min(first or expires_hour, *holders.values())
    return put(txn, leg, progress._replace(held=held, expires_hour=first, relays=least))


def revive(txn: Transaction, leg: LegKey, wanted: int, now_hour: int) -> Progress:
    """Make envelopes pending again that fewer than `wanted` relays still hold. Refusal no_item."""
    progress = progress_of(txn, leg)
    held = 0
    hours: list[int] = []
    least: list[int] = []
    for key, value in list(txn.range(DISPATCH_HELD, leg, prefix_end(leg))):
        if value[:1] == _DIRECT:
            continue
        holders = _live(value, now_hour)
        hours += holders.values()
        if len(holders) >= wanted and txn.get(DISPATCH_PENDING, key) is None:
            held += 1
            least.append(len(holders))
        else:
            txn.put(DISPATCH_PENDING, key, b"")
    found = progress._replace(held=held, expires_hour=min(hours, default=0), relays=min(least, default=0))
    return put(txn, leg, found)


def schedule(txn: Transaction, leg: LegKey, progress: Progress, when: int) -> Progress:
    """Look at the leg again at this second (0: not any more), and keep `progress` with it."""
    if progress.next_try:
        txn.delete(DISPATCH_NEXT, _U64.pack(progress.next_try) + leg)
    if when:
        txn.put(DISPATCH_NEXT, _U64.pack(when) + leg, b"")
    return put(txn, leg, progress._replace(next_try=when))


def hasten(txn: Transaction, legs: Iterable[LegKey], now: int) -> int:
    """Try those that wait now, and count their tries anew; how many."""
    hastened = 0
    for leg in legs:
        progress = progress_of(txn, leg)
        if progress.pending and progress.next_try > now:
            schedule(txn, leg, progress._replace(tries=0), now)
            hastened += 1
    return hastened


def remove(txn: Transaction, leg: LegKey) -> None:
    """Forget a leg; the envelopes stay with the dispatch."""
    try:
        progress = progress_of(txn, leg)
    except Refusal:
        return
    schedule(txn, leg, progress, 0)
    for table in (DISPATCH_PENDING, DISPATCH_HELD):
        for key in list(txn.keys(table, leg, prefix_end(leg))):
            txn.delete(table, key)
    txn.delete(DISPATCH_PROGRESS, leg)
    txn.delete(DISPATCH_LEGS, leg)


def put(txn: Transaction, leg: LegKey, progress: Progress) -> Progress:
    """Keep how far a leg is."""
    *numbers, reason = progress
    txn.put(DISPATCH_PROGRESS, leg, PROGRESS.pack(_VERSION, *numbers, reason.encode()[:_REASON]))
    return progress


def _holders(value: bytes | None) -> dict[RouteKey, int]:
    return {} if value is None else {RouteKey(route): hour for route, hour in _HOLDER.iter_unpack(value[1:])}


def _live(value: bytes | None, now_hour: int) -> dict[RouteKey, int]:
    return {route: hour for route, hour in _holders(value).items() if hour > now_hour}
