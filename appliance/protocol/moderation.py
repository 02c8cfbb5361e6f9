"""Moderation on the wire: thanks, reports and their queue, and acts that wait for a second pair of eyes."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from appliance.protocol.account import AccountName, Reason, Role
from appliance.protocol.messages import Bytes16, Message

MAX_PAGE: Final = 100
"""Reports in one answer."""

Why = Literal["spam", "abuse", "threat", "illegal", "private", "other"]
"""Why something is reported: advertising, insults, danger, against the law, not for others' eyes."""
Outcome = Literal["done", "refused"]
Did = Literal["removed", "locked", "warned", "banned", "suspended", "deleted"]
"""What was done about a report."""
ReportPhase = Literal["open", "taken", "done", "refused"]


class Thank(Message):
    """Thank for an entry of a log, once; or take it back."""

    log: Bytes16
    entry: Bytes16


class Thanked(Message, omit_defaults=False):
    """How many thanked for the entry, and whether one did oneself."""

    thanks: int
    mine: bool


class NewReport(Message):
    """Report an entry of a board or channel, or a person of this box, to those who look after it.

    `id` is the reporter's choice: the same again is answered alike. `person` names whom it is about; for an
    entry the box finds the author by itself, if it is a member's. `evidence` is what the reporter saw of
    something that the box cannot read: his word, and shown as that.
    """

    id: Bytes16
    why: Why
    words: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    log: Bytes16 | None = None
    entry: Bytes16 | None = None
    person: AccountName | None = None
    evidence: Annotated[str, msgspec.Meta(max_length=4000)] = ""


class OwnReport(Message, omit_defaults=False):
    """A report as its reporter sees it; `answer` is what the moderators say to it."""

    id: bytes
    why: Why
    about: str
    second: int
    phase: ReportPhase
    changed: int
    answer: str


class OwnReports(Message, omit_defaults=False):
    """One's own reports, the newest first."""

    reports: list[OwnReport]


class Report(Message, omit_defaults=False):
    """A report in the queue. `about` and `role` are of the person it is about, "" and None if unknown.

    `reporter` is "" when that account is gone. `trusted` says that the box knows the author of the entry,
    and does not only have the reporter's word.
    """

    id: bytes
    why: Why
    words: str
    evidence: str
    log: bytes | None
    entry: bytes | None
    area: Literal["boards", "channels", "people"]
    account: bytes | None
    about: str
    role: Role | None
    trusted: bool
    reporter: str
    second: int
    phase: ReportPhase
    taken_by: str
    changed: int
    did: list[Did]
    answer: str
    note: str


class Reports(Message, omit_defaults=False):
    """A page of the queue, the oldest open ones first, closed ones the newest first.

    `next` continues it. `open` counts what waits and this caller may see.
    """

    reports: list[Report]
    next: bytes | None
    open: int


class CloseReport(Message):
    """Settle a report: what was done; `answer` goes to the reporter, `note` to other moderators."""

    outcome: Outcome
    did: Annotated[list[Did], msgspec.Meta(max_length=6)] = msgspec.field(default_factory=list)
    answer: Reason = ""
    note: Reason = ""


Asked = Literal["member.remove", "board.delete", "channel.close", "audit.wipe", "four_eyes.off"]
"""What needs a second pair of eyes where the box is set so."""


class Approval(Message, omit_defaults=False):
    """An act that waits for somebody else's yes; `mine` that the caller asked for it himself."""

    id: bytes
    action: Asked
    target: str
    subject: bytes | None
    asked_by: str
    second: int
    until: int
    mine: bool


class Approvals(Message, omit_defaults=False):
    """Everything that waits."""

    approvals: list[Approval]
