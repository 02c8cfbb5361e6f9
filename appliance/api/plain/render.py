"""Draws pages: templates with the words of the reader, and headers that allow no script at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from appliance.api.call import Headers

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final[Headers] = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer as elsewhere: with that, browsers send "Origin: null" with a form, and nothing shows
    # that it came from here.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()",
    ),
]
_TEMPLATES: Final = Path(__file__).parent


class Render:
    """The templates of this folder. What is put into one is escaped; a missing value is a fault."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def page(self, template: str, **values: Any) -> bytes:
        """A whole page."""
        return self._templates.get_template(template).render(**values).encode()


def html_headers(body: bytes) -> Headers:
    """The headers of a page."""
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *HEADERS,
    ]


def file_headers(name: str, media: str, body: bytes) -> Headers:
    """The headers of a file that is saved, never shown."""
    return [
        (b"content-type", media.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        *HEADERS,
    ]
