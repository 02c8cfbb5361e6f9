"""The audit log on the wire: what those who look after a box did, in words of the catalogues."""

from __future__ import annotations

from typing import Final, Literal

from appliance.protocol.account import Role
from appliance.protocol.messages import Message

MAX_PAGE: Final = 200
"""Acts in one answer."""

Action = Literal[
    "account.claim",
    "member.role",
    "member.suspend",
    "member.restore",
    "member.limits",
    "member.ban",
    "member.unban",
    "member.remove",
    "invite.make",
    "invite.revoke",
    "box.rename",
    "box.brand",
    "box.settings",
    "box.protect",
    "box.unprotect",
    "grant.make",
    "grant.revoke",
    "relay.use",
    "relay.leave",
    "reader.add",
    "reader.remove",
    "key.add",
    "key.remove",
    "report.take",
    "report.release",
    "report.done",
    "report.refuse",
    "ask.made",
    "ask.approved",
    "ask.refused",
    "audit.wipe",
    "board.make",
    "board.change",
    "board.close",
    "board.delete",
    "board.order",
    "board.mirror",
    "board.peers",
    "post.pin",
    "post.unpin",
    "post.lock",
    "post.unlock",
    "post.remove",
    "post.release",
    "channel.close",
    "channel.remove",
]
"""What may stand in the log. Each has a sentence in the catalogues."""


class Act(Message, omit_defaults=False):
    """One act: who (`account` None and no name: the owner's command line), what, to whom or what.

    `target` is the name of what was acted on, as it was then; `subject` its id, where it has one. `details`
    are what the sentence of the action needs: never a body, an address of the network, or a secret.
    """

    number: int
    second: int
    account: bytes | None
    name: str
    role: Role
    action: str
    target: str
    subject: bytes | None
    details: dict[str, str | int]


class Acts(Message, omit_defaults=False):
    """The newest acts first; with `more`, older ones are read with `before` = the last one's number."""

    acts: list[Act]
    more: bool
    days: int
    """For how long acts are kept."""
