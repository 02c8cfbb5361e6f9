"""The OpenAPI 3.1 document, made from the route table and the message types."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from appliance.api.cookies import ACCESS
from appliance.api.entrance import Kind
from appliance.api.routes import ROUTES, Row
from appliance.errors import REFUSALS
from appliance.protocol import codec
from appliance.protocol.stream import Problems

_REFERENCE = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"{(\w+)}")


@lru_cache(maxsize=4)
def document(kind: Kind) -> dict[str, Any]:
    """All routes of one entrance. The result is shared: do not change it."""
    rows = [row for row in ROUTES if kind in row.entrances]
    types = {kind for row in rows for kind in (row.request, row.response) if kind}
    ordered = sorted(types, key=lambda entry: entry.__name__)
    refs, components = msgspec.json.schema_components([*ordered, Problems], ref_template=_REFERENCE)
    schemas = dict(zip([*ordered, Problems], refs, strict=True))
    paths: dict[str, Any] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Private Island",
            "version": "1",
            "description": "Bodies are application/cbor or application/json; in JSON, bytes are unpadded "
            "base64url. Refusals: " + ", ".join(sorted(REFUSALS)) + ".",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                who: {"type": "apiKey", "in": "cookie", "name": ACCESS}
                for who in ("member", "admin", "owner")
            },
        },
    }


def _operation(row: Row, schemas: dict[type, Any]) -> dict[str, Any]:
    words = re.findall(r"\w+", row.path.removeprefix("/v1"))
    operation: dict[str, Any] = {
        "operationId": "_".join([row.method.lower(), *words]),
        "summary": row.summary,
        "responses": {
            "200": {"description": "Done", **_content(row.response, schemas)},
            "default": {"description": "Refused", **_content(Problems, schemas)},
        },
    }
    parameters = [_parameter(name, "path", "string") for name in _PARAMETER.findall(row.path)]
    parameters += [_parameter(name, "query", "integer") for name in row.query]
    if parameters:
        operation["parameters"] = parameters
    if row.request is not None:
        operation["requestBody"] = {"required": True, **_content(row.request, schemas)}
    if row.who != "anyone":
        operation["security"] = [{row.who: []}]
    return operation


def _parameter(name: str, place: str, kind: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": kind}}


def _content(kind: type | None, schemas: dict[type, Any]) -> dict[str, Any]:
    if kind is None:
        return {}
    return {"content": {media: {"schema": schemas[kind]} for media in (codec.JSON, codec.CBOR)}}
