"""One row of the table of routes: what can be asked, where, by whom, with what, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from appliance.api.call import Call
from appliance.api.entrance import Kind
from appliance.service.rights import Level

if TYPE_CHECKING:
    from appliance.service.box import Box

ANYWHERE: Final[frozenset[Kind]] = frozenset({"onion", "loopback", "control"})
HOME: Final[frozenset[Kind]] = frozenset({"loopback", "control"})

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Who = Literal["anyone"] | Level
"""A member is any signed-in account; the control socket passes for an owner, not for a member."""
Handler = Callable[["Box", Call], Any]
"""Gives the answer's value, or an `Answer`, or an awaitable of one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One route. Words in braces in `path` are its parameters."""

    method: Method
    path: str
    request: type | None
    response: type | None
    handler: Handler
    summary: str
    entrances: frozenset[Kind] = HOME
    who: Who = "owner"
    query: tuple[str, ...] = ()
    hot: bool = False
    """Served by the short way past Quart (see app.py)."""


anyone = partial(Row, entrances=ANYWHERE, who="anyone")
"""A row that needs no sign-in."""
member = partial(Row, entrances=ANYWHERE, who="member")
"""A row for whoever is signed in; the handler takes `call.member`."""
moderator = partial(Row, entrances=ANYWHERE, who="moderator")
"""A row for owners, admins and moderators."""
admin = partial(Row, entrances=ANYWHERE, who="admin")
"""A row for owners and admins."""
