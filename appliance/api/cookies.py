"""The two cookies of a sign-in: one sent with every request, one only where it is exchanged for new ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from appliance.service.sign_in import Issued

ACCESS: Final = "island_access"
REFRESH: Final = "island_refresh"
REFRESH_PATH: Final = "/v1/session/refresh"
SECONDS: Final = 7 * 24 * 3600
"""Both are kept so long: a client that shows an old access token is told to refresh, not to sign in."""

Header = tuple[bytes, bytes]


def tokens_of(headers: Iterable[Header]) -> tuple[str, str]:
    """The access and the refresh token of a request, each "" without one."""
    found: dict[str, str] = {}
    for key, value in headers:
        if key == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                name, _, token = pair.strip().partition("=")
                found.setdefault(name, token.strip('"'))
    return found.get(ACCESS, ""), found.get(REFRESH, "")


def given(issued: Issued) -> list[Header]:
    """The headers that hand the tokens of a sign-in over."""
    return _set(issued.access, issued.refresh, SECONDS)


def cleared() -> list[Header]:
    """The headers that take the tokens back."""
    return _set("", "", 0)


def _set(access: str, refresh: str, seconds: int) -> list[Header]:
    return [
        (b"set-cookie", f"{name}={token}; Max-Age={seconds}; Path={path}; HttpOnly; SameSite=Strict".encode())
        for name, token, path in ((ACCESS, access, "/"), (REFRESH, refresh, REFRESH_PATH))
    ]
