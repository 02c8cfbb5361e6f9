"""JSON for people and curl: the codec's data model, with bytes as text where the type says bytes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, Final, NoReturn

import msgspec

from appliance.errors import Refusal

MAX_DEPTH: Final = 16
"""Lists and maps inside one another, in CBOR and JSON alike."""
MAX_VALUES: Final = 65_536
"""Values in one large message; one that is mostly tiny values would cost memory for nothing."""


def to_text(data: bytes) -> str:
    """Bytes as unpadded base64url, as ids and JSON carry them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """Bytes from unpadded base64url in its one spelling; Refusal malformed."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise Refusal("malformed") from error
    if to_text(data) != text:
        raise Refusal("malformed")
    return data


def decode_json(data: bytes) -> Any:
    """Builtins from JSON text, bytes still as text; Refusal malformed."""
    if len(data) > MAX_VALUES and _is_crowded(data):
        raise Refusal("malformed")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant)
        _check(value, MAX_DEPTH)
    except (ValueError, RecursionError) as error:
        raise Refusal("malformed") from error
    return value


def _is_crowded(data: bytes) -> bool:
    """True with more than MAX_VALUES values, told from the marks outside strings."""
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') > 4 * MAX_VALUES:
        return True
    outside = bare.split(b'"')[::2]
    return sum(piece.count(b",") + piece.count(b"[") + piece.count(b"{") for piece in outside) > MAX_VALUES


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def _check(value: Any, depth: int) -> None:
    if isinstance(value, (list, dict)):
        if depth == 0:
            raise ValueError("too deep")
        for key in value if isinstance(value, dict) else ():
            key.encode()
        for entry in value.values() if isinstance(value, dict) else value:
            _check(entry, depth - 1)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, float) or (isinstance(value, int) and not -(1 << 64) <= value < 1 << 64):
        raise ValueError("number")


def with_texts(value: Any) -> Any:
    """Builtins as JSON can say them: bytes become base64url."""
    if isinstance(value, dict):
        return {key: with_texts(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_texts(entry) for entry in value]
    return to_text(bytes(value)) if isinstance(value, bytes | bytearray | memoryview) else value


@lru_cache(maxsize=256)
def bytes_reader(kind: Hashable) -> Callable[[Any], Any]:
    """What turns base64url back into bytes wherever this type holds bytes."""
    return _reader(msgspec.inspect.type_info(kind)) or _same


def _same(value: Any) -> Any:
    return value


def _reader(info: msgspec.inspect.Type) -> Callable[[Any], Any] | None:
    """What turns base64url into bytes wherever this type holds bytes; None where it holds none."""
    if isinstance(info, msgspec.inspect.BytesType):
        return lambda value: from_text(value) if isinstance(value, str) else value
    if isinstance(info, msgspec.inspect.UnionType):
        readers = [reader for entry in info.types if (reader := _reader(entry))]
        return readers[0] if len(readers) == 1 else None
    if isinstance(info, msgspec.inspect.ListType):
        each = _reader(info.item_type)
        if each is None:
            return None
        return lambda value: [each(entry) for entry in value] if isinstance(value, list) else value
    if isinstance(info, msgspec.inspect.StructType):
        fields = {field.encode_name: reader for field in info.fields if (reader := _reader(field.type))}
        if not fields:
            return None
        return lambda value: (
            {key: fields.get(key, _same)(entry) for key, entry in value.items()}
            if isinstance(value, dict)
            else value
        )
    return None
