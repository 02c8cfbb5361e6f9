"""Who may come in: which Host, which Origin, how often, and what is served before the box has an owner."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from appliance.api.call import Visit
from appliance.api.limits import Limits
from appliance.errors import Refusal
from appliance.service import rights
from appliance.service.caller import OPERATOR, Caller

if TYPE_CHECKING:
    from appliance.api.row import Row
    from appliance.api.static import Shown
    from appliance.service.box import Box

SAFE_METHODS = frozenset({"GET", "HEAD"})

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")

RawHeaders = Iterable[tuple[bytes, bytes]]


def header(headers: RawHeaders, name: bytes) -> str:
    """The first header of this lower-case name, or ""."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1").strip()
    return ""


class Gate:
    """The checks that come before any route."""

    def __init__(self, box: Box, limits: Limits) -> None:
        self._box = box
        self.limits = limits

    def admit(self, visit: Visit, method: str, headers: list[tuple[bytes, bytes]]) -> None:
        """Let a request pass or raise the refusal it gets."""
        self.limits.spend(visit.circuit)
        host = header(headers, b"host").lower()
        self._check_host(visit, host)
        if method not in SAFE_METHODS:
            self.check_origin(headers, host)

    def check_origin(self, headers: list[tuple[bytes, bytes]], host: str) -> None:
        """Refuse what another site's page sends: browsers name it in Origin and Sec-Fetch-Site."""
        origin = header(headers, b"origin").lower()
        if origin and origin != f"http://{host}":
            raise Refusal("forbidden_origin")
        if header(headers, b"sec-fetch-site") in ("cross-site", "same-site"):
            raise Refusal("forbidden_origin")

    def check_open(self, visit: Visit) -> None:
        """On the onion nothing is served before the box has an owner, unless it is only a relay."""
        if visit.kind == "onion" and not self.has_opened():
            raise Refusal("not_claimed")

    def has_opened(self) -> bool:
        """Whether strangers are served."""
        return self._box.nameplate.claimed or self._box.config.relay_only

    def shown(self, visit: Visit) -> Shown:
        """What the site shows at this entrance: members use the client on the onion, too."""
        if visit.kind != "onion":
            return "client"
        if self._box.config.relay_only:
            return "visitor"
        return "client" if self._box.nameplate.claimed else "closed"

    def caller(self, visit: Visit, token: str) -> Caller | None:
        """Who asks: by the access token, or the operator by the control socket's file mode."""
        found = self._box.sign_in.caller(token) if token else None
        return OPERATOR if found is None and visit.kind == "control" else found

    def check_caller(self, row: Row, caller: Caller | None, token: str) -> None:
        """Refuse who may not ask what this row gives; an ended sign-in is told apart from none."""
        if row.who == "anyone":
            return
        if caller is None or (row.who == "member" and not caller.is_member):
            if token and self._box.lock.locked:
                raise Refusal("locked")
            raise Refusal("session_ended" if token else "sign_in")
        if not rights.reaches(caller.role, row.who):
            raise Refusal("owner_only" if row.who == "owner" else "role")

    def _check_host(self, visit: Visit, host: str) -> None:
        # A page of another site that had its name point to 127.0.0.1 still says that name here.
        if visit.kind == "control":
            return
        match = _HOST.fullmatch(host)
        name = match.group(1) if match else ""
        if visit.kind == "onion":
            known = name == self._box.relay.host
        else:
            listen = self._box.config.listen.rpartition(":")[0].lower()
            known = bool(name) and (name in _LOOPBACK_NAMES or name == listen)
        if not known:
            raise Refusal("wrong_host")
