"""Vectors of pictures: what may travel, what has to be stripped from a file, and what is refused."""

from __future__ import annotations

import base64

from people import Vectors

from appliance.protocol import picture

# A landscape of 16 by 12 pixels as a browser's canvas wrote it, without its colour profile.
TINY = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i"
    "Z2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj"
    "Y2NjY2NjY2P/wAARCAAMABADASIAAhEBAxEB/8QAFwAAAwEAAAAAAAAAAAAAAAAAAAMFBv/EAB8QAAICAgEFAAAAAAAAAAAAAAEC"
    "AAMEEhEFIkKx0f/EABQBAQAAAAAAAAAAAAAAAAAAAAP/xAAZEQADAAMAAAAAAAAAAAAAAAAAAQISUVL/2gAMAwEAAhEDEQA/AF5N"
    "2DTaqI9do8mVxwPspXJ0V6KjRl44fju2tA9mYPYw2MRxXQax0f/Z"
)
JFIF = TINY[2:20]
FRAME = TINY.index(b"\xff\xc0")
SCAN = TINY.index(b"\xff\xda")


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def _framed(height: int = 12, width: int = 16, kind: int = 0xC0, bits: int = 8, components: int = 3) -> bytes:
    """The same with another frame header."""
    ids = b"".join(bytes((at + 1, 0x11, 0)) for at in range(components))
    body = bytes((bits,)) + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes((components,)) + ids
    old = 2 + int.from_bytes(TINY[FRAME + 2 : FRAME + 4], "big")
    return TINY[:FRAME] + _segment(kind, body) + TINY[FRAME + old :]


def _with(*segments: bytes, at: int = 20) -> bytes:
    """The same with segments put in, behind the JFIF header if nothing else is said."""
    return TINY[:at] + b"".join(segments) + TINY[at:]


def picture_vectors() -> Vectors:
    """Pictures with their sizes, files with what is left of them, and what is refused by which of the two."""
    exif, comment = _segment(0xE1, b"Exif\0\0" + bytes(40)), _segment(0xFE, b"by ada")
    thumbnail = _segment(0xE0, JFIF[4:16] + b"\x01\x01" + bytes(3))
    bare = TINY[:2] + TINY[20:]
    table = _segment(0xDB, bytes(65))
    most = (picture.MAX_OCTETS - len(TINY)) // len(table)
    pictures = {
        "a small one": TINY,
        "without a header": bare,
        "progressive": _framed(kind=0xC2),
        "in shades of grey": _framed(components=1),
        "as large as it may be": _framed(height=256, width=256),
        "two scans": TINY[:-2] + TINY[SCAN:],
        "restarts and stuffing": TINY[:-2] + b"\xff\xd0\xff\x00\xff\xd7" + TINY[-2:],
        "nearly 8 KiB": _with(table * most),
    }
    files = {
        "camera data": _with(exif),
        "a comment": _with(comment),
        "a comment at the end": TINY[:-2] + comment + TINY[-2:],
        "a colour profile": _with(_segment(0xE2, b"ICC_PROFILE\0" + bytes(60))),
        "all of these, and much": _with(exif, comment, _segment(0xED, bytes(300))),
        "camera data before the header": _with(exif, at=2),
        "a second header": _with(JFIF),
        "a film behind it": TINY + b"ftypmp42" + bytes(50),
        "another picture behind it": TINY + TINY,
        "fill octets": _with(b"\xff\xff\xff"),
        "fill octets in a scan": TINY[:-2] + b"\xff" + TINY[-2:],
    }
    bare_files = {
        "a thumbnail in the header": TINY[:2] + thumbnail + TINY[20:],
        "a thumbnail behind the header": TINY[:2] + _segment(0xE0, b"JFXX\0" + bytes(20)) + TINY[20:],
    }
    broken = {
        "empty": b"",
        "nothing but its start": TINY[:2],
        "no start": TINY[2:],
        "cut off in a table": TINY[:60],
        "cut off in a length": TINY[:23],
        "cut off in the samples": TINY[:-20],
        "no end": TINY[:-2],
        "an end without a scan": TINY[:SCAN] + TINY[-2:],
        "an end without anything": TINY[:2] + TINY[-2:],
        "a scan without a frame": TINY[:FRAME] + TINY[SCAN:],
        "two frames": _with(TINY[FRAME:SCAN]),
        "a length of 1": _with(b"\xff\xdb\x00\x01"),
        "no marker where one must be": _with(b"\x00"),
        "a start in the middle": _with(_segment(0xD8, b"")),
        "samples of 12 bits": _framed(bits=12),
        "no height": _framed(height=0),
        "no width": _framed(width=0),
        "two components": _framed(components=2),
        "four components": _framed(components=4),
        "a frame that is too long": TINY[:FRAME] + _segment(0xC0, bytes.fromhex("08000c00100100")),
        "extended sequential": _framed(kind=0xC1),
        "lossless": _framed(kind=0xC3),
        "arithmetic codes": _framed(kind=0xC9),
        "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(30),
        "words": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    large = {
        "257 pixels high": _framed(height=257),
        "257 pixels wide": _framed(width=257),
        "more than 8 KiB": _with(table * (most + 1)),
    }
    return {
        "about": "`pictures` may travel; `files` become `bare`; `refused` when read, `broken` in itself.",
        "pictures": [
            {"why": why, "picture": data.hex(), "size": list(picture.read(data))}
            for why, data in pictures.items()
        ],
        "files": [
            {"why": why, "file": data.hex(), "bare": left.hex()}
            for left, cases in ((TINY, files), (bare, bare_files))
            for why, data in cases.items()
        ],
        "refused": [
            *({"why": why, "code": "malformed", "picture": data.hex()} for why, data in files.items()),
            *({"why": why, "code": "malformed", "picture": data.hex()} for why, data in bare_files.items()),
            *({"why": why, "code": "too_large", "picture": data.hex()} for why, data in large.items()),
        ],
        "broken": [{"why": why, "file": data.hex()} for why, data in broken.items()],
    }
