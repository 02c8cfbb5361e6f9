"""The vault on the wire: sealed records under blind ids, changed in batches by compare-and-swap."""

from __future__ import annotations

from typing import Annotated

import msgspec

from appliance.protocol.messages import Bytes16, Message

MAX_RECORD = 256 * 1024
"""Octets of one sealed record."""
MAX_CHANGES = 512
"""Records in one batch, written or read."""


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
    """All of it or nothing; Refusal vault_conflict (details: ids) when a base is not the present version."""

    put: Annotated[list[Put], msgspec.Meta(max_length=MAX_CHANGES)] = msgspec.field(default_factory=list)
    remove: Annotated[list[Remove], msgspec.Meta(max_length=MAX_CHANGES)] = msgspec.field(
        default_factory=list
    )


class Changed(Message, omit_defaults=False):
    """The vault's revision after the change: it rises by one with each."""

    revision: int


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
