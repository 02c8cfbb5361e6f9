"""Lanes: legs with the same routes from one account, which travel together over one connection."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NewType

from appliance.config import Config
from appliance.protocol.route import Route
from appliance.store import legs
from appliance.store.legs import LegKey, Pending
from appliance.store.transaction import Transaction

Lane = NewType("Lane", bytes)
"""Stands for an account and a list of routes."""

BATCH_OCTETS: Final = 256 * 1024
OFF_SECONDS: Final = 60
"""Pause while Tor is not connected."""
FULL_SECONDS: Final = 120
"""Longest pause while there is no room: who is full empties soon after they come back."""
_FULL: Final = {"mailbox_full", "grant_full", "relay_full", "disk_full", "busy", "too_many"}


@dataclass
class Round:
    """One round of one lane: its legs, and what each was refused for last."""

    legs: list[LegKey]
    routes: list[Route]
    horizon: int
    tries: int
    met: list[str] = field(default_factory=list)
    """What routes answered that did not take everything."""


def gather(
    txn: Transaction,
    keys: Sequence[LegKey],
    done: dict[LegKey, int],
    route: legs.RouteKey,
    hour: int,
    most: int,
) -> list[tuple[LegKey, Pending]]:
    """The next envelopes of a lane that a route does not hold."""
    batch: list[tuple[LegKey, Pending]] = []
    octets = 0
    for leg in keys:
        after = done.get(leg, -1)
        while len(batch) < most:
            rows = legs.pending(txn, leg, most - len(batch), after)
            if not rows:
                break
            for row in rows:
                after = row.number
                if row.held.get(route, 0) > hour:
                    continue
                if batch and octets + len(row.envelope) > BATCH_OCTETS:
                    return batch
                octets += len(row.envelope)
                batch.append((leg, row))
    return batch


def pause_after(tries: int, problem: str, config: Config) -> int:
    """Seconds until the next round after so many that failed, the last one with this refusal code."""
    if problem == "tor_off":
        # Tor's return hastens everything; until then each look is only wear of the disk.
        return OFF_SECONDS
    longest = FULL_SECONDS if problem in _FULL else config.outbox_longest_seconds
    pause = min(config.outbox_first_seconds * 2.0 ** min(tries, 20), longest, config.outbox_longest_seconds)
    return max(1, int(pause * random.uniform(0.5, 1.5)))  # noqa: S311


def lane_of(leg: LegKey, routes: Sequence[Route]) -> Lane:
    """The lane of a leg."""
    where = hashlib.blake2b(leg[:16], digest_size=16)
    for route in routes:
        where.update(route.onion + route.mailbox + route.capability)
    return Lane(where.digest())
