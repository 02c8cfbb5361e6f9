"""One request as a handler sees it, and its answer: media types, bodies, refusals, headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from appliance.api.entrance import Kind
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.stream import problems
from appliance.service.caller import Caller

Headers = list[tuple[bytes, bytes]]

PLAIN_HEADERS: Headers = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a connection came in; `circuit` is Tor's number on the onion, otherwise None."""

    kind: Kind
    circuit: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted request: `body` is the parsed message.

    `caller` is who is signed in, `OPERATOR` on the control socket without a sign-in, or None; `refresh` the
    refresh cookie's token.
    """

    visit: Visit
    caller: Caller | None = field(default=None, repr=False)
    refresh: str = field(default="", repr=False)
    path: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)

    @property
    def member(self) -> Caller:
        """The signed-in account of a row that has one; Refusal sign_in."""
        if self.caller is None or not self.caller.is_member:
            raise Refusal("sign_in")
        return self.caller

    def octets(self, name: str, size: int = 16) -> bytes:
        """The octets of an id in the path (base64url); `Refusal("malformed")` for another length."""
        octets = codec.from_text(self.path[name])
        if len(octets) != size:
            raise Refusal("malformed", field=name)
        return octets

    def number(self, name: str, default: int) -> int:
        """A whole number ≥ 0 from the query; `Refusal("malformed")` for anything else."""
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise Refusal("malformed", field=name)
        return int(text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives when the value alone is not enough: headers that set or clear cookies."""

    value: Any
    headers: Headers = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is no message but a document of its own kind."""

    body: bytes = field(repr=False)
    media: str


def media_of(content_type: str) -> str:
    """The codec's media type for a Content-Type header; `Refusal("unknown_format")` for others."""
    media = content_type.partition(";")[0].strip().lower()
    if media in (codec.CBOR, codec.JSON):
        return media
    raise Refusal("unknown_format")


def wanted_media(accept: str, content_type: str) -> str:
    """The media type of the answer: what Accept names first, else what was sent, else JSON."""
    for part in accept.split(","):
        media = part.partition(";")[0].strip().lower()
        if media in (codec.CBOR, codec.JSON):
            return media
    if content_type.partition(";")[0].strip().lower() == codec.CBOR:
        return codec.CBOR
    return codec.JSON


def refusal_headers(refusal: Refusal) -> Headers:
    """Headers that belong to some refusals."""
    retry = refusal.details.get("retry_after", refusal.details.get("seconds"))
    if retry is not None:
        return [(b"retry-after", str(retry).encode())]
    if refusal.status == 503:
        return [(b"retry-after", b"5")]
    return []


def refusal_head(refusal: Refusal) -> tuple[Headers, bytes]:
    """Headers and JSON body of a refusal that ends its connection."""
    body = codec.write(problems(refusal), codec.JSON)
    headers = [
        (b"content-type", codec.JSON.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *PLAIN_HEADERS,
        *refusal_headers(refusal),
    ]
    return headers, body


def refusal_response(refusal: Refusal) -> bytes:
    """A whole HTTP/1.1 response, for a connection that never became a request."""
    headers, body = refusal_head(refusal)
    lines = [f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
