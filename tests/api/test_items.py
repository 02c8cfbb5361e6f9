"""Files in and out: raw uploads, downloads that a browser only saves."""

from __future__ import annotations

import json

import pytest

from appliance.api.call import Download, download_headers

UPLOAD = "/v1/outbox/abc/content"
RAW = {"content-type": "application/octet-stream"}


async def test_a_piece_of_a_file_is_taken(house):
    async with house() as h:
        data = bytes(range(256)) * 4096
        status, _, body = await h.ask("PUT", UPLOAD + "?offset=512", kind="control", body=data, headers=RAW)
        assert (status, json.loads(body)["offset"]) == (200, 512 + len(data))
        assert h.box.outbox.uploads == [("abc", 512, data)]


async def test_a_piece_that_is_too_large_or_has_no_place_is_refused(house):
    async with house() as h:
        data = b"x" * (1024 * 1024 + 1)
        status, _, body = await h.ask("PUT", UPLOAD + "?offset=0", kind="control", body=data, headers=RAW)
        assert (status, h.code(body)) == (413, "too_large")
        status, _, body = await h.ask("PUT", UPLOAD, kind="control", body=b"x", headers=RAW)
        assert (status, h.code(body)) == (400, "malformed")
        assert h.box.outbox.uploads == []


async def test_a_download_is_saved_and_never_shown(house):
    async with house() as h:
        status, headers, body = await h.ask("GET", "/v1/inbox/abc/content", kind="control")
        assert status == 200
        assert body == h.box.inbox.file
        assert headers["content-type"] == "application/octet-stream"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("sandbox;")
        assert headers["content-disposition"].startswith("attachment; ")


@pytest.mark.parametrize(
    "name",
    ["", "a.txt", 'a"; filename="b', "a\r\nx: y", "ю.txt", "../../etc/passwd", "a\x00b", "\ud800", "a;b,c"],
)
def test_no_name_breaks_out_of_its_header(name):
    headers = dict(download_headers(Download(name, 1, iter(()))))
    value = headers[b"content-disposition"].decode("ascii")
    assert value.isprintable()
    assert value.count('"') == 2
    assert "/" not in value and "\\" not in value
    assert (
        value.split("filename*=UTF-8''")[1]
        .replace("%", "")
        .replace(".", "")
        .replace("_", "")
        .replace("-", "")
        .isalnum()
        or not name
    )


async def test_a_download_that_breaks_off_ends_its_connection_only(house):
    async with house() as h, h.bystander("control"), await h.dial("control") as stream:
        h.box.inbox.breaks_after = 100_000
        await stream.send_all(b"GET /v1/inbox/i/content HTTP/1.1\r\nhost: localhost\r\n\r\n")
        data = await h.ended(stream)
        assert b"content-length: 300000" in data
        assert 100_000 < len(data) < 200_000
        assert sum(h.box.faults.values()) == 1
