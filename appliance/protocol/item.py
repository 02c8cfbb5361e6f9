"""The item: a note, a file or a receipt, and the parts it is carried in, one to an envelope.

Part 0 carries the header. A small item is one part in the smallest envelope that takes it; a larger one
fills envelopes of the largest class, and its number of parts is rounded up (Padmé) with empty ones, so
that who counts envelopes learns the size only roughly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NewType

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec, sealing
from appliance.protocol.card import MAX_CARD
from appliance.protocol.envelope import SIZES
from appliance.protocol.messages import Bytes16, Bytes32, Message
from appliance.protocol.names import MAX_FILE_NAME, clean_file_name

ItemId = NewType("ItemId", bytes)
"""16 random bytes, drawn by the sender."""
ItemKind = Literal["note", "file", "receipt"]

MAX_PARTS: Final = 1 << 20
_CLASSES: Final = tuple(size for size in SIZES if size > sealing.OVERHEAD)
_LARGEST: Final = SIZES[-1]

Index = Annotated[int, msgspec.Meta(ge=0, lt=MAX_PARTS)]
Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_PARTS)]


class Header(Message):
    """What the item is. `digest` is BLAKE2b-256 of the whole content, `card` the sender's signed card."""

    kind: ItemKind
    name: Annotated[str, msgspec.Meta(max_length=MAX_FILE_NAME)]
    size: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
    digest: Bytes32
    sent_hour: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    card: Annotated[bytes, msgspec.Meta(max_length=MAX_CARD)] = b""
    reply_to: Bytes16 | None = None


class Part(Message):
    """One payload: part `index` of `count`; the header comes with part 0 and only there."""

    item: Bytes16
    index: Index
    count: Count
    data: bytes = b""
    header: Header | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How an item is cut: octets of content in part 0 and in each other, parts, envelope size."""

    size: int
    first: int
    rest: int
    count: int
    envelope_size: int

    def span(self, index: int) -> tuple[int, int]:
        """Offset and length of this part's content; a part that only pads has length 0."""
        start = 0 if index == 0 else min(self.size, self.first + (index - 1) * self.rest)
        return start, min(self.size - start, self.rest if index else self.first)


def content_digest(content: bytes) -> bytes:
    """The digest a header carries; BLAKE2b-256 also runs piece by piece."""
    return hashlib.blake2b(content, digest_size=32).digest()


def plan(header: Header) -> Plan:
    """How to cut the content this header describes; Refusal too_large beyond MAX_PARTS."""
    for envelope_size in _CLASSES:
        room = _room(envelope_size, header, 1)
        if header.size <= room:
            return Plan(header.size, header.size, 0, 1, envelope_size)
    first = _room(_LARGEST, header, MAX_PARTS)
    rest = _room(_LARGEST, None, MAX_PARTS)
    count = padme(1 + -(-(header.size - first) // rest))
    if count > MAX_PARTS:
        raise Refusal("too_large")
    return Plan(header.size, first, rest, count, _LARGEST)


def padme(count: int) -> int:
    """A count rounded up so that it tells its own magnitude and little more (at most 12 % above)."""
    if count < 2:
        return count
    exponent = count.bit_length() - 1
    dropped = (1 << (exponent - exponent.bit_length())) - 1
    return (count + dropped) & ~dropped


def cut(plan: Plan, item: bytes, header: Header, index: int, data: bytes) -> Part:
    """Part `index`, whose content the caller read at `plan.span(index)`."""
    return Part(item, index, plan.count, data, header if index == 0 else None)


def split(item: bytes, header: Header, content: bytes) -> list[Part]:
    """All parts of a content held in memory."""
    plan_ = plan(header)
    spans = [plan_.span(index) for index in range(plan_.count)]
    return [
        cut(plan_, item, header, index, content[start : start + length])
        for index, (start, length) in enumerate(spans)
    ]


def join(parts: Sequence[Part]) -> bytes:
    """The content of all parts of one item in order, checked against the header; Refusal malformed."""
    header = parts[0].header if parts else None
    if header is None or [part.index for part in parts] != list(range(parts[0].count)):
        raise Refusal("malformed")
    content = b"".join(part.data for part in parts)
    if len(content) != header.size or content_digest(content) != header.digest:
        raise Refusal("malformed")
    return content


def write_part(part: Part) -> bytes:
    """The payload of a part, for `sealing.seal`."""
    return codec.encode(part)


def read_part(payload: bytes) -> Part:
    """The part in a payload, the file name made harmless; Refusal malformed."""
    part = codec.read(payload, Part)
    if part.index >= part.count or (part.header is not None) != (part.index == 0):
        raise Refusal("malformed")
    header = part.header
    if header is None:
        return part
    if header.size > part.count * _LARGEST or (header.kind == "receipt") != (header.reply_to is not None):
        raise Refusal("malformed")
    if not header.name:
        return part
    header = msgspec.structs.replace(header, name=clean_file_name(header.name))
    return msgspec.structs.replace(part, header=header)


def _room(envelope_size: int, header: Header | None, count: int) -> int:
    """Octets of content beside everything else in one payload, the worst case of its index assumed."""
    room = sealing.capacity(envelope_size)
    blank = Part(bytes(16), count - 1, count, b"", header)
    # An empty `data` is left out; present, it costs its key and a head of at most three octets.
    return room - len(codec.encode(blank)) - len(b"\x64data") - 3
