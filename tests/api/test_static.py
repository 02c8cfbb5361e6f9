from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from appliance.api import static
from appliance.api.static import Site, site_folder
from appliance.errors import Refusal


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Desk</title>")
    (folder / "assets" / "index-a1B2c3_4.js").write_text("void 0;" * 100)
    (folder / "assets" / "index-a1B2c3_4.js.gz").write_bytes(gzip.compress(b"void 0;" * 100))
    (folder / "notes.exe").write_text("not served")
    return folder


def test_assets_last_and_the_first_page_is_asked_again(built):
    site = Site(built)
    asset = dict(site.page("client", "assets/index-a1B2c3_4.js", []).headers)
    assert asset[b"cache-control"] == b"public, max-age=31536000, immutable"
    assert asset[b"content-type"] == b"text/javascript; charset=utf-8"
    page = site.page("client", "", [])
    assert dict(page.headers)[b"cache-control"] == b"no-cache"
    assert page.body == (built / "index.html").read_bytes()


def test_a_packed_file_is_given_to_who_can_unpack_it(built):
    site = Site(built)
    page = site.page("client", "assets/index-a1B2c3_4.js", [(b"accept-encoding", b"br, gzip;q=1.0")])
    headers = dict(page.headers)
    assert headers[b"content-encoding"] == b"gzip"
    assert int(headers[b"content-length"]) == len(page.body)
    assert gzip.decompress(page.body) == b"void 0;" * 100
    plain = dict(site.page("client", "assets/index-a1B2c3_4.js", []).headers)
    assert b"content-encoding" not in plain
    assert plain[b"etag"] != headers[b"etag"]


def test_a_file_that_did_not_change_is_not_sent_again(built):
    site = Site(built)
    tag = dict(site.page("client", "", []).headers)[b"etag"]
    page = site.page("client", "", [(b"if-none-match", b'"other", W/' + tag)])
    assert (page.status, page.body) == (304, b"")


@pytest.mark.parametrize(
    "path", ["../secret", "assets", "assets/../index.html", "notes.exe", "v1/x", "assets/x.js.gz"]
)
def test_nothing_else_is_served(built, path):
    with pytest.raises(Refusal, match="not_found"):
        Site(built).page("client", path, [])


def test_the_headers_allow_nothing_but_our_own(built):
    for page in (Site(built).page("client", "", []), Site(built).page("visitor", "", [])):
        headers = dict(page.headers)
        policy = headers[b"content-security-policy"].decode()
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"referrer-policy"] == b"no-referrer"
        assert headers[b"cross-origin-opener-policy"] == b"same-origin"
        assert headers[b"cross-origin-resource-policy"] == b"same-origin"
        assert b"geolocation=()" in headers[b"permissions-policy"]


def test_a_relay_and_an_unclaimed_box_show_one_neutral_page(built):
    site = Site(built)
    assert b"keeps sealed envelopes" in site.page("visitor", "", []).body
    assert b"Nothing is here yet." in site.page("closed", "", []).body
    for shown in ("visitor", "closed"):
        with pytest.raises(Refusal, match="not_found"):
            site.page(shown, "assets/index-a1B2c3_4.js", [])


async def test_members_use_the_client_on_the_onion(house, built):
    async with house(built) as h:
        assert b"Desk" in (await h.ask("GET", "/", kind="onion"))[2]
        assert (await h.ask("GET", "/assets/index-a1B2c3_4.js", kind="onion"))[0] == 200
    async with house(built, relay_only=True) as h:
        assert b"keeps sealed envelopes" in (await h.ask("GET", "/", kind="onion"))[2]


def test_a_client_that_is_not_built_says_so(tmp_path):
    site = Site(tmp_path)
    assert b"not built" in site.page("client", "", []).body
    with pytest.raises(Refusal):
        site.page("client", "x.js", [])


def test_the_frozen_executable_brings_its_own_files(monkeypatch):
    assert site_folder().parts[-2:] == ("web", "dist")
    monkeypatch.setattr(static.sys, "_MEIPASS", "/unpacked", raising=False)
    assert site_folder() == Path("/unpacked/web")


async def test_the_client_is_served_packed_and_not_twice(house, built):
    async with house(site=built) as h:
        status, headers, body = await h.ask("GET", "/")
        assert (status, body) == (200, (built / "index.html").read_bytes())
        path = "/assets/index-a1B2c3_4.js"
        status, headers, _ = await h.ask("GET", path, headers={"accept-encoding": "gzip"})
        assert (status, headers["content-encoding"]) == (200, "gzip")
        status, headers, body = await h.ask(
            "GET", path, headers={"if-none-match": headers["etag"], "accept-encoding": "gzip"}
        )
        assert (status, body) == (304, b"")
