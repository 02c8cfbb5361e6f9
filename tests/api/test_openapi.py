from __future__ import annotations

import json
import re
from typing import Any

import pytest

from appliance.api.openapi import document
from appliance.api.routes import ROUTES


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*[references(entry) for entry in value.values()])
    if isinstance(value, list):
        return set().union(*[references(entry) for entry in value])
    return set()


def test_every_route_is_in_the_document():
    paths = document("control")["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(row.method, row.path) for row in ROUTES}


def test_the_onion_hears_nothing_of_the_desk():
    text = json.dumps(document("onion"))
    assert "/v1/deposit" in text
    for word in ("/v1/relays", "/v1/settings", "Protection", "UsedRelays"):
        assert word not in text


@pytest.mark.parametrize("kind", ["onion", "loopback"])
def test_the_document_holds_together(kind):
    whole = document(kind)
    assert whole["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(whole["info"])
    schemas = whole["components"]["schemas"]
    assert references(whole) <= {f"#/components/schemas/{name}" for name in schemas}
    names = []
    for path, methods in whole["paths"].items():
        assert path.startswith("/v1/")
        for operation in methods.values():
            names.append(operation["operationId"])
            assert operation["summary"].endswith(".")
            assert {"200", "default"} <= set(operation["responses"])
            placed = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert placed == set(re.findall(r"{(\w+)}", path))
            for place in ("requestBody", *operation["responses"]):
                holder = operation.get(place) or operation["responses"].get(place) or {}
                assert set(holder.get("content", {})) <= {
                    "application/json",
                    "application/cbor",
                    "application/octet-stream",
                }
    assert len(names) == len(set(names))


async def test_the_document_is_served_at_each_entrance(house):
    async with house() as h:
        for kind in ("onion", "loopback", "control"):
            status, headers, body = await h.ask("GET", "/v1/openapi.json", kind=kind)
            assert (status, headers["content-type"]) == (200, "application/json")
            assert json.loads(body) == document(kind)
