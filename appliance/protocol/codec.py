"""The codec: deterministic CBOR and JSON in, values out, and back; the only importer of cbor2.

One data model serves both: integers of 64 bits, byte strings, text, lists, maps with text keys, true,
false and null. There are no floats, tags or other simple values. A value has exactly one CBOR encoding
(RFC 8949 §4.2.1) and only that one is read, so whatever was hashed or signed cannot be written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from threading import Lock
from typing import Any, Final, NoReturn, TypeVar, cast

import cbor2
import msgspec

from appliance.errors import Refusal
from appliance.protocol.json_form import MAX_DEPTH, MAX_VALUES, bytes_reader, decode_json, with_texts
from appliance.protocol.json_form import from_text as from_text
from appliance.protocol.json_form import to_text as to_text

CBOR: Final = "application/cbor"
JSON: Final = "application/json"

T = TypeVar("T")
_BYTES: Final = (bytes, bytearray, memoryview)
_ready: Final[set[object]] = set()
_learning: Final = Lock()


def encode(value: Any) -> bytes:
    """Deterministic CBOR of builtins or msgspec Structs; TypeError for what the data model lacks."""
    parts: list[bytes] = []
    _put(msgspec.to_builtins(value, builtin_types=_BYTES), parts.append)
    return b"".join(parts)


def decode(data: bytes) -> Any:
    """Builtins from one deterministic CBOR value; Refusal malformed for anything else."""
    try:
        if len(data) > MAX_VALUES:
            _count(data)
        value = _loads(data)
        # The shortest encoding of this value has one length: if the input has it too, every head in the
        # input was the shortest and nothing trails. That saves encoding it again to compare.
        if _length(value) != len(data):
            raise Refusal("malformed")
    except (cbor2.CBORError, ValueError, IndexError, RecursionError, OverflowError) as error:
        raise Refusal("malformed") from error
    return value


def read(data: bytes, kind: type[T], media: str = CBOR) -> T:
    """One typed value from a body; Refusal malformed, or unknown_format for another media type."""
    if media == CBOR:
        return convert(decode(data), kind)
    if media == JSON:
        return convert(bytes_reader(cast(Hashable, kind))(decode_json(data)), kind)
    raise Refusal("unknown_format")


def read_own(data: bytes, kind: type[T]) -> T:
    """The same of what `encode` wrote here and nobody can have changed since (sealed rows, values that were
    read once): that it has the one right form is not looked at again. Refusal malformed.
    """
    return convert(decode_own(data), kind)


def decode_own(data: bytes) -> Any:
    """Builtins from such data; Refusal malformed."""
    try:
        return _loads(data)
    except (cbor2.CBORError, ValueError, IndexError, RecursionError, OverflowError) as error:
        raise Refusal("malformed") from error


def convert(value: Any, kind: type[T]) -> T:
    """A typed value from decoded builtins, strictly (text never passes for bytes); Refusal malformed."""
    if kind not in _ready:
        _learn(kind)
    try:
        return msgspec.convert(value, kind, builtin_types=_BYTES)
    except msgspec.ValidationError as error:
        # Only sentences about our own types: others quote what was sent.
        reason = str(error)
        if not reason.startswith(("Expected", "Object missing")):
            reason = "unexpected value"
        raise Refusal("malformed", reason=reason) from error


def _learn(kind: Any) -> None:
    """Have msgspec learn a type, in one thread at a time.

    It does so at the first use and shows the type to other threads half learnt: whichever converts to it at
    that moment, the committer, say, crashes the process. So nothing here calls `msgspec.convert` by itself.
    """
    with _learning:
        msgspec.json.Decoder(kind)
        _ready.add(kind)


def write(value: Any, media: str = CBOR) -> bytes:
    """The body of a value; in JSON bytes are unpadded base64url. Refusal unknown_format."""
    if media == CBOR:
        return encode(value)
    if media == JSON:
        return msgspec.json.encode(with_texts(msgspec.to_builtins(value, builtin_types=_BYTES)))
    raise Refusal("unknown_format")


# Writing CBOR. By hand, since cbor2's encoder takes twice as long on batches of envelopes.


def _head(major: int, count: int) -> bytes:
    if count < 24:
        return _HEADS[major][count]
    if count < 1 << 8:
        return bytes((major << 5 | 24, count))
    if count < 1 << 16:
        return bytes((major << 5 | 25,)) + count.to_bytes(2, "big")
    if count < 1 << 32:
        return bytes((major << 5 | 26,)) + count.to_bytes(4, "big")
    if count < 1 << 64:
        return bytes((major << 5 | 27,)) + count.to_bytes(8, "big")
    raise TypeError("an integer of more than 64 bits has no place in a message")


_HEADS: Final = [[bytes((major << 5 | count,)) for count in range(24)] for major in range(8)]


@lru_cache(maxsize=1024)
def _map_plan(keys: tuple[str, ...]) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The head of a map and its keys with their encodings, in the order of those encodings."""
    plan = [(key, _head(3, len(key.encode())) + key.encode()) for key in keys]
    return _head(5, len(keys)), sorted(plan, key=lambda entry: entry[1])


def _put(value: Any, put: Callable[[bytes], None]) -> None:
    kind = type(value)
    if kind is bytes:
        put(_head(2, len(value)))
        put(value)
    elif kind is int:
        put(_head(0, value) if value >= 0 else _head(1, -1 - value))
    elif kind is str:
        text = value.encode()
        put(_head(3, len(text)))
        put(text)
    elif kind is list or kind is tuple:
        put(_head(4, len(value)))
        for entry in value:
            _put(entry, put)
    elif kind is dict:
        head, plan = _map_plan(tuple(value))
        put(head)
        for key, encoded in plan:
            put(encoded)
            _put(value[key], put)
    elif value is None:
        put(b"\xf6")
    elif value is True:
        put(b"\xf5")
    elif value is False:
        put(b"\xf4")
    elif isinstance(value, (bytearray, memoryview)):
        _put(bytes(value), put)
    else:
        raise TypeError(f"{kind.__name__} has no place in a message")


# Reading CBOR strictly.


def _refuse_tag(*_: Any) -> NoReturn:
    raise ValueError("tag")


# The tags cbor2 knows: some compile patterns or build cycles before anybody could look at the result.
_NO_TAGS: Final = dict.fromkeys(
    [*range(6), 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, *range(256, 262), 1004, 43000, 55799], _refuse_tag
)


def _loads(data: bytes) -> Any:
    return cbor2.loads(
        data,
        max_depth=MAX_DEPTH - 1,
        allow_indefinite=False,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
        tag_hook=_refuse_tag,
        semantic_decoders=_NO_TAGS,
    )


def _width(count: int) -> int:
    if count < 24:
        return 1
    return 2 if count < 1 << 8 else 3 if count < 1 << 16 else 5 if count < 1 << 32 else 9


def _length(value: Any) -> int:
    """Octets of the shortest encoding; ValueError for foreign types or keys out of order."""
    kind = type(value)
    if kind is bytes:
        size = len(value)
        return size + _width(size)
    if kind is int:
        return _width(value if value >= 0 else -1 - value)
    if kind is str:
        size = len(value.encode())
        return size + _width(size)
    if kind is list:
        total = _width(len(value))
        for entry in value:
            total += _length(entry)
        return total
    if kind is dict:
        return _map_length(value)
    if value is None or kind is bool:
        return 1
    raise ValueError(kind.__name__)


def _map_length(value: dict[Any, Any]) -> int:
    total = _width(len(value))
    before, size_before = b"", -1
    for key, entry in value.items():
        if type(key) is not str:
            raise ValueError("key")
        encoded = key.encode()
        size = len(encoded)
        # Shorter keys have smaller heads, so this is the bytewise order of the encoded keys.
        if size < size_before or (size == size_before and encoded <= before):
            raise ValueError("keys out of order")
        before, size_before = encoded, size
        total += size + _width(size) + _length(entry)
    return total


def _count(data: bytes) -> None:
    """Walk the heads only; ValueError with more than MAX_VALUES values, IndexError when cut short."""
    at, left = 0, MAX_VALUES
    end = len(data)
    while at < end:
        left -= 1
        if left < 0:
            raise ValueError("too many values")
        first = data[at]
        major, count = first >> 5, first & 31
        at += 1
        if count >= 24:
            if count > 27:
                raise ValueError("head")
            width = 1 << (count - 24)
            count = int.from_bytes(data[at : at + width], "big")
            at += width
        if major == 2 or major == 3:
            at += count
