"""Rights: the one table of who may do what on a box, and what nobody may do to whom.

Gate, rows and services ask here and nowhere else. Power over an account goes downwards only: whoever is set
over others has it over lower ranks, owners over everybody. What one does to oneself is done as a member does
it (`/v1/account/…`), never with the power of a role.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from appliance.errors import Refusal
from appliance.protocol.account import Role
from appliance.service.caller import Caller

Act = Literal[
    "set_box",
    "brand_box",
    "read_health",
    "read_audit",
    "approve",
    "invite",
    "invite_admin",
    "change_role",
    "delete_member",
    "suspend",
    "suspend_for_ever",
    "ban",
    "see_members",
    "set_limits",
    "manage_boards",
    "make_channel",
    "join",
    "close_channel",
    "moderate",
    "read_reports",
    "report",
    "post",
    "upload",
    "thank",
]

_OWNER: Final = frozenset[Role]({"owner"})
_ADMINS: Final = _OWNER | frozenset[Role]({"admin"})
_MODERATORS: Final = _ADMINS | frozenset[Role]({"moderator"})
_PEOPLE: Final = _MODERATORS | frozenset[Role]({"member"})
_ALL: Final = _PEOPLE | frozenset[Role]({"agent"})

RIGHTS: Final[Mapping[Act, frozenset[Role]]] = {
    "set_box": _OWNER,  # settings, relays, readers, protection: on the box itself
    "read_health": _OWNER,
    "invite_admin": _OWNER,
    "brand_box": _ADMINS,  # name, welcome, policy, accent, who may register, what is switched on
    "read_audit": _ADMINS,
    "approve": _ADMINS,  # the second pair of eyes
    "invite": _ADMINS,
    "change_role": _ADMINS,
    "delete_member": _ADMINS,
    "suspend_for_ever": _ADMINS,
    "set_limits": _ADMINS,  # who may post and upload whatever their karma
    "manage_boards": _ADMINS,  # make, change, close, delete
    "close_channel": _ADMINS,
    "see_members": _MODERATORS,
    "suspend": _MODERATORS,  # until a date, `MODERATOR_DAYS` ahead at most
    "ban": _MODERATORS,
    "moderate": _MODERATORS,  # pin, lock, remove, let held posts through
    "read_reports": _MODERATORS,
    "report": _PEOPLE,
    "thank": _PEOPLE,
    "make_channel": _ALL,
    "join": _ALL,  # come into a public channel, or leave one
    "post": _ALL,
    "upload": _ALL,
}
"""Who may do what; whether it may be done to this person is `check_power`'s affair."""

RANKS: Final[Mapping[Role, int]] = {"owner": 4, "admin": 3, "moderator": 2, "member": 1, "agent": 1}
MODERATOR_DAYS: Final = 30
"""How far ahead the end of a moderator's suspension or ban may lie; longer is for admins."""

Level = Literal["member", "moderator", "admin", "owner"]
"""What a row of the table of routes asks for."""

_LEVELS: Final[Mapping[Level, frozenset[Role]]] = {
    "member": _ALL,
    "moderator": _MODERATORS,
    "admin": _ADMINS,
    "owner": _OWNER,
}


def may(role: Role, act: Act) -> bool:
    """Whether this role may do that."""
    return role in RIGHTS[act]


def check(caller: Caller, act: Act) -> None:
    """Refusal role when the caller may not do this at all."""
    if caller.role not in RIGHTS[act]:
        raise Refusal("role")


def reaches(role: Role, level: Level) -> bool:
    """Whether a role may ask a row of this level."""
    return role in _LEVELS[level]


def check_power(caller: Caller, act: Act, target: bytes, *roles: Role) -> None:
    """Refuse what the caller may not do to the account `target`, whose role is, or becomes, one of `roles`.

    Refusal yourself: nobody uses a role's power on himself. Refusal role: the target is not below.
    """
    check(caller, act)
    if caller.is_member and caller.account == target:
        raise Refusal("yourself")
    if caller.role != "owner" and any(RANKS[role] >= RANKS[caller.role] for role in roles):
        raise Refusal("role")
