"""Pictures: the small JPEG by which a person is known to their contacts, and nothing else (SPEC section 25).

Only the structure is looked at, segment by segment up to the end of the one image; what its samples say is
the business of whoever draws it.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from appliance.errors import Refusal

MAX_OCTETS: Final = 8192
MAX_SIDE: Final = 256
"""Pixels."""

_START, _END = b"\xff\xd8", b"\xff\xd9"
_FRAMES: Final = (0xC0, 0xC2)
"""Baseline and progressive."""
_TABLES: Final = (0xC4, 0xDB, 0xDD)
"""Huffman codes, quantisation, restart interval."""
_SCAN, _ENDING, _JFIF, _COMMENT = 0xDA, 0xD9, 0xE0, 0xFE
_APPLICATIONS: Final = range(0xE0, 0xF0)
_RESTARTS: Final = range(0xD0, 0xD8)


class Size(NamedTuple):
    """Pixels."""

    width: int
    height: int


def read(picture: bytes) -> Size:
    """The size of a picture as it may travel; Refusal too_large, or malformed for anything else or more."""
    if len(picture) > MAX_OCTETS:
        raise Refusal("too_large")
    size, bare = _walk(picture)
    if bare != picture:
        raise Refusal("malformed")
    if max(size) > MAX_SIDE:
        raise Refusal("too_large")
    return size


def stripped(jpeg: bytes) -> bytes:
    """A JPEG of any size without camera data, comments, thumbnails, what follows it; Refusal malformed."""
    return _walk(jpeg)[1]


def _walk(jpeg: bytes) -> tuple[Size, bytes]:
    """The size, and all that belongs to the image itself."""
    if jpeg[:2] != _START:
        raise Refusal("malformed")
    size: Size | None = None
    kept, at, scans = [_START], 2, 0
    while True:
        marker, at = _marker(jpeg, at)
        if marker == _ENDING:
            if size is None or scans == 0:
                raise Refusal("malformed")
            return size, b"".join([*kept, _END])
        body = _body(jpeg, at)
        end = at + 2 + len(body)
        if marker in _FRAMES and size is None:
            size = _frame(body)
        elif marker == _SCAN and size is not None:
            end, scans = _scan(jpeg, end), scans + 1
        elif marker == _COMMENT or marker in _APPLICATIONS:
            if not (marker == _JFIF and len(kept) == 1 and _is_plain_jfif(body)):
                at = end
                continue
        elif marker not in _TABLES:
            raise Refusal("malformed")
        kept.append(bytes((0xFF, marker)) + jpeg[at:end])
        at = end


def _marker(jpeg: bytes, at: int) -> tuple[int, int]:
    """The marker that begins here, perhaps after fill octets, and where what follows it begins."""
    end = at
    while jpeg[end : end + 1] == b"\xff":
        end += 1
    if end == at or end == len(jpeg):
        raise Refusal("malformed")
    return jpeg[end], end + 1


def _body(jpeg: bytes, at: int) -> bytes:
    """What a segment holds behind its length."""
    length = int.from_bytes(jpeg[at : at + 2], "big")
    body = jpeg[at + 2 : at + length]
    if length < 2 or len(body) != length - 2:
        raise Refusal("malformed")
    return body


def _frame(body: bytes) -> Size:
    """The size of eight-bit samples in shades or in colours."""
    if len(body) < 6:
        raise Refusal("malformed")
    bits, height, width, components = struct.unpack_from(">BHHB", body)
    if bits != 8 or height == 0 or width == 0 or components not in (1, 3) or len(body) != 6 + 3 * components:
        raise Refusal("malformed")
    return Size(width, height)


def _scan(jpeg: bytes, at: int) -> int:
    """Where the coded samples end: at a marker that is neither a stuffed octet nor a restart."""
    while True:
        at = jpeg.find(b"\xff", at)
        if at < 0 or at + 1 == len(jpeg):
            raise Refusal("malformed")
        if jpeg[at + 1] != 0 and jpeg[at + 1] not in _RESTARTS:
            return at
        at += 2


def _is_plain_jfif(body: bytes) -> bool:
    """Whether an APP0 says how the image is to be taken, without a thumbnail."""
    return len(body) == 14 and body.startswith(b"JFIF\0") and body.endswith(b"\0\0")
