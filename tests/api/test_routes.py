"""The table itself: every row keeps its promises about who may ask where."""

from __future__ import annotations

import json
import re

from appliance.api.routes import ROUTES
from appliance.errors import REFUSALS


def _filled(path: str) -> str:
    return re.sub(r"{\w+}", "x", path)


def test_no_two_rows_are_alike():
    keys = [(row.method, row.path) for row in ROUTES]
    assert len(keys) == len(set(keys))


def test_no_owner_row_is_open_to_strangers():
    for row in ROUTES:
        assert not (row.who == "owner" and "onion" in row.entrances), row.path


async def test_owner_rows_need_a_session_and_do_not_exist_on_the_onion(house):
    async with house(circuit_requests=1000) as h:
        for row in ROUTES:
            if "onion" in row.entrances:
                continue
            path = _filled(row.path)
            body = b"{}" if row.request else None
            status, _, answer = await h.ask(row.method, path, kind="onion", body=body)
            assert (status, h.code(answer)) == (404, "not_found"), row.path
            if row.who != "anyone":
                status, _, answer = await h.ask(row.method, path, body=body)
                assert (status, h.code(answer)) == (401, "sign_in"), row.path


async def test_every_row_that_takes_a_message_refuses_a_bad_one(house):
    async with house() as h:
        for row in ROUTES:
            if row.request in (None, bytes):
                continue
            status, _, body = await h.ask(
                row.method,
                _filled(row.path),
                kind="control",
                body=b'{"nothing":1}',
                headers={"cookie": "island_access=good"},
            )
            assert (status, h.code(body)) == (400, "malformed"), row.path
        assert not h.box.faults


async def test_the_table_of_refusals_is_served(house):
    async with house() as h:
        _, _, body = await h.ask("GET", "/v1/errors", kind="onion")
        rows = json.loads(body)["errors"]
        assert {row["code"]: (row["status"], row["message"]) for row in rows} == dict(REFUSALS)
