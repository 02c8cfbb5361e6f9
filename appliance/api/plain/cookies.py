"""The pages' own cookies: what binds a form from before the sign-in, the language, the look."""

from __future__ import annotations

import re
from typing import Final

from appliance.api.call import Headers
from appliance.api.gate import RawHeaders

FORM: Final = "island_form"
LANGUAGE: Final = "island_language"
LOOK: Final = "island_look"
LOOKS: Final = ("system", "light", "dark")
YEAR_SECONDS: Final = 365 * 24 * 3600
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{22,64}")


def read(headers: RawHeaders) -> dict[str, str]:
    """Every cookie of a request by name, the first of each."""
    found: dict[str, str] = {}
    for key, value in headers:
        if key == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                name, _, text = pair.strip().partition("=")
                found.setdefault(name, text)
    return found


def form_of(cookies: dict[str, str]) -> str:
    """What forms from before the sign-in are bound to, or ""."""
    value = cookies.get(FORM, "")
    return value if _FORM.fullmatch(value) else ""


def look_of(cookies: dict[str, str]) -> str:
    """The look that was chosen."""
    value = cookies.get(LOOK, "")
    return value if value in LOOKS else "system"


def bind(value: str) -> Headers:
    """Bind forms to this browser, until it is closed."""
    return [(b"set-cookie", f"{FORM}={value}; Path=/; HttpOnly; SameSite=Strict".encode())]


def loose() -> Headers:
    """Forms from before the sign-in are good no more."""
    return [(b"set-cookie", f"{FORM}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict".encode())]


def chosen(name: str, value: str) -> Headers:
    """Remember a language or a look, which is no secret."""
    cookie = f"{name}={value}; Max-Age={YEAR_SECONDS}; Path=/; HttpOnly; SameSite=Strict"
    return [(b"set-cookie", cookie.encode())]
