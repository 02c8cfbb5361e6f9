"""The vault on the wire: sealed records under blind ids, changed in batches by compare-and-swap."""

from __future__ import annotations

from typing import Annotated

import msgspec

from appliance.protocol.messages import Bytes16, Message
from appliance.protocol.post import MAX_QUEUE, Dispatch, DispatchState

MAX_RECORD = 256 * 1024
"""Octets of one sealed record."""
MAX_CHANGES = 512
"""Records in one batch, written or read."""
MAX_DISPATCHES = 16
"""Dispatches that leave with one batch."""


class Put(Message):
    """Write a record whose version is `base` now (0: there is none); it becomes `base + 1`."""

    id: Bytes16
    base: int
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_RECORD)]


class Remove(Message):
    """Remove a record whose version is `base` now."""

    id: Bytes16
    base: int


class Change(Message):
    """All of it or nothing; Refusal vault_conflict (details: ids) when a base is not the present version.

    `dispatches` leave in the same commit, never without the change; each has its own answer, and one that is
    refused keeps nothing back. `done`: what was read of the device's queue is settled.
    """

    put: Annotated[list[Put], msgspec.Meta(max_length=MAX_CHANGES)] = msgspec.field(default_factory=list)
    remove: Annotated[list[Remove], msgspec.Meta(max_length=MAX_CHANGES)] = msgspec.field(
        default_factory=list
    )
    dispatches: Annotated[list[Dispatch], msgspec.Meta(max_length=MAX_DISPATCHES)] = msgspec.field(
        default_factory=list
    )
    done: Annotated[list[int], msgspec.Meta(max_length=MAX_QUEUE)] = msgspec.field(default_factory=list)


class Left(Message, omit_defaults=False):
    """What became of one dispatch: its state, or the code of the refusal."""

    state: DispatchState | None
    refused: str | None = None


class Changed(Message, omit_defaults=False):
    """The vault's revision after the change, which rises by one with each; `left` in the order given."""

    revision: int
    left: list[Left] = msgspec.field(default_factory=list)


class SealedRecord(Message, omit_defaults=False):
    """A record as it is now: `revision` of its last change; `data` None for one that was removed."""

    id: bytes
    version: int
    revision: int
    data: bytes | None


class Read(Message):
    """Read some records by id."""

    ids: Annotated[list[Bytes16], msgspec.Meta(max_length=MAX_CHANGES)]


class Records(Message, omit_defaults=False):
    """Records in the order of their revisions; `more` when the answer would have grown too large."""

    revision: int
    records: list[SealedRecord]
    more: bool = False
    octets: int = 0
    octets_limit: int = 0
