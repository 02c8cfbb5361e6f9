"""What a search of the boards finds, as the box says it (SPEC.md, "Boards")."""

from __future__ import annotations

from appliance.protocol.messages import Message


class Hit(Message, omit_defaults=False):
    """A post that was found: where it is, and some words of it, as the box says."""

    board: bytes
    thread: bytes
    id: bytes
    number: int
    subject: str
    name: str
    hour: int
    excerpt: str


class Hits(Message, omit_defaults=False):
    """What a search found, the best first. `behind` entries wait to be indexed; `partial`: too slow."""

    hits: list[Hit]
    behind: int
    partial: bool
