"""The export on the wire: what the box keeps about one account."""

from __future__ import annotations

from appliance.protocol.account import Allowance, BanRow, Role, SessionRow
from appliance.protocol.messages import Bytes16, Message
from appliance.protocol.moderation import OwnReport


class Export(Message, omit_defaults=False):
    """What the box keeps about an account, in clear where the box can read it; `channels` it is in, by id."""

    name: str
    role: Role
    created_hour: int
    sessions: list[SessionRow]
    can_post: Allowance
    can_upload: Allowance
    karma: int
    bans: list[BanRow]
    reports: list[OwnReport]
    channels: list[Bytes16]
    vault_records: int
    vault_octets: int
    mailboxes: int
    waiting: int
    directory_entry: bytes | None
