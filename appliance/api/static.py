"""The web client's files and the page that strangers see, with headers that allow nothing else."""

from __future__ import annotations

import hashlib
import html
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from appliance.api.call import Headers
from appliance.api.gate import RawHeaders, header
from appliance.errors import Refusal

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; worker-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS: Final[Headers] = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        # The camera reads QR codes, the microphone records voice messages; the browser still asks.
        b"accelerometer=(), camera=(self), geolocation=(), gyroscope=(), microphone=(self), "
        b"payment=(), usb=()",
    ),
]
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".map": "application/json",
}
_HASHED = re.compile(r"^assets/.+-[\w-]{8,}\.\w+$")

Shown = Literal["client", "visitor", "closed"]
"""The client, or one sentence: of a relay, or of a box that nobody has claimed."""

CLOSED_WORDS: Final = "Nothing is here yet."
VISITOR_WORDS: Final = "A private island. It keeps sealed envelopes for its people."
UNBUILT_WORDS: Final = (
    "The web client is not built. Run “make web” in the checkout, or use the command line: island --help."
)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the site."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    packed: bytes | None
    tag: str
    media: str
    lasting: bool


def site_folder() -> Path:
    """Where the built client lies: inside the frozen executable, or web/dist in a checkout."""
    frozen = getattr(sys, "_MEIPASS", None)
    if frozen is not None:
        return Path(frozen) / "web"
    return Path(__file__).resolve().parents[2] / "web" / "dist"


class Site:
    """All files of the built client, read once: they are few, and a path can then never lead elsewhere."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, _File] = {}
        if not (folder / "index.html").is_file():
            return
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in _TYPES:
                self._files[path.relative_to(folder).as_posix()] = _load(path, folder)

    def find(self, start: str, end: str) -> str:
        """The address of the one file whose name begins and ends so; "" when the client is not built."""
        return next((f"/{name}" for name in self._files if name.startswith(start) and name.endswith(end)), "")

    def page(self, shown: Shown, path: str, headers: RawHeaders) -> Page:
        """The client where people live, one neutral page elsewhere; Refusal not_found."""
        if shown != "client":
            if path:
                raise Refusal("not_found")
            return _words(VISITOR_WORDS if shown == "visitor" else CLOSED_WORDS)
        if path.startswith("v1/"):
            raise Refusal("not_found")
        if not self._files and not path:
            return _words(UNBUILT_WORDS)
        file = self._files.get(path or "index.html")
        if file is None:
            raise Refusal("not_found")
        return _serve(file, headers)


def _load(path: Path, folder: Path) -> _File:
    body = path.read_bytes()
    packed = path.with_name(path.name + ".gz")
    return _File(
        body=body,
        packed=packed.read_bytes() if packed.is_file() else None,
        tag=hashlib.blake2b(body, digest_size=12).hexdigest(),
        media=_TYPES[path.suffix],
        lasting=_HASHED.match(path.relative_to(folder).as_posix()) is not None,
    )


def _serve(file: _File, headers: RawHeaders) -> Page:
    codings = {word.partition(";")[0].strip() for word in header(headers, b"accept-encoding").split(",")}
    packed = file.packed if "gzip" in codings else None
    tag = f'"{file.tag}{"-gz" if packed is not None else ""}"'
    lasting = "public, max-age=31536000, immutable" if file.lasting else "no-cache"
    answer: Headers = [
        (b"content-type", file.media.encode()),
        (b"etag", tag.encode()),
        (b"cache-control", lasting.encode()),
        (b"vary", b"accept-encoding"),
        *_PAGE_HEADERS,
    ]
    if tag in [word.strip().removeprefix("W/") for word in header(headers, b"if-none-match").split(",")]:
        return Page(304, answer, b"")
    body = file.body
    if packed is not None:
        body = packed
        answer.append((b"content-encoding", b"gzip"))
    answer.append((b"content-length", str(len(body)).encode()))
    return Page(200, answer, body)


def _words(words: str) -> Page:
    """A page of one sentence that tells nothing of the box, its owner or its software."""
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Island</title></head><body><p>{html.escape(words)}</p></body></html>\n"
    ).encode()
    headers: Headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *_PAGE_HEADERS,
    ]
    return Page(200, headers, body)
