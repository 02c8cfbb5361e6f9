"""Who may come in: hosts, origins, sessions, and a box without an owner."""

from __future__ import annotations

import json

import pytest

from appliance.api.cookies import tokens_of
from appliance.protocol import codec
from appliance.protocol.account import Kdf, Register, SignIn
from tests.api.fakes import OPEN_SESAME

HOME = "a" * 55 + "d.onion"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8717",
        "",
        HOME,
        "localhost:x",
        "[::2]",
    ],
)
async def test_a_foreign_name_for_loopback_is_refused(house, host):
    async with house() as h:
        for path in ("/", "/v1/relay", "/v1/nonces", "/v1/state"):
            status, _, body = await h.ask("GET", path, headers={"host": host})
            assert (status, h.code(body)) == (421, "wrong_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8717", "127.0.0.1", "[::1]:8717"])
async def test_the_names_of_loopback_are_known(house, host):
    async with house() as h:
        assert (await h.ask("GET", "/v1/relay", headers={"host": host}))[0] == 200


async def test_the_configured_address_is_known(house):
    async with house(listen="127.0.0.7:1") as h:
        assert (await h.ask("GET", "/v1/relay", headers={"host": "127.0.0.7:1"}))[0] == 200
        assert (await h.ask("GET", "/v1/relay", headers={"host": "127.0.0.8:1"}))[0] == 421


async def test_on_the_onion_only_our_address_is_served(house):
    async with house() as h:
        for host, expected in ((HOME, 200), (HOME + ":80", 200), ("localhost", 421), ("b" + HOME, 421)):
            assert (await h.ask("GET", "/v1/relay", kind="onion", headers={"host": host}))[0] == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_what_another_site_sends_is_refused(house, headers):
    async with house() as h:
        for path in ("/v1/session", "/v1/deposit"):
            status, _, body = await h.ask("POST", path, body=b"{}", headers=headers)
            assert (status, h.code(body)) == (403, "forbidden_origin")
        stream = await h.dial()
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        await stream.send_all(
            b"GET /v1/relay/stream HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n"
            b"connection: Upgrade\r\nsec-websocket-version: 13\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + lines.encode() + b"\r\n"
        )
        assert (await h.read(stream))[0] == 403


def sign_in(key: bytes = OPEN_SESAME) -> bytes:
    return codec.write(SignIn(name="ann", authentication=key, label="test"), codec.JSON)


async def test_our_own_page_may_write(house):
    async with house() as h:
        headers = {"origin": f"http://127.0.0.1:{h.port}", "sec-fetch-site": "same-origin"}
        status, answer, _ = await h.ask("POST", "/v1/session", body=sign_in(), headers=headers)
        assert status == 200
        cookies = answer["set-cookie"].split("\n")
        assert [cookie.partition(";")[0] for cookie in cookies] == [
            "island_access=good",
            "island_refresh=fresh",
        ]
        for cookie, path in zip(cookies, ("/", "/v1/session/refresh"), strict=True):
            assert {"HttpOnly", "SameSite=Strict", f"Path={path}"} <= set(cookie.split("; "))
        socket = await h.socket(headers=f"origin: http://localhost\r\ncookie: {cookies[0]}\r\n")
        await socket.stream.aclose()


async def test_the_owner_signs_in_and_out_again(house):
    async with house() as h:
        cookies = {"": "sign_in", "island_access=bad": "session_ended", "a=b; island_access=good": 200}
        for cookie, expected in cookies.items():
            status, _, body = await h.ask("GET", "/v1/relays", headers={"cookie": cookie})
            assert expected == (status if status == 200 else h.code(body))
            _, _, body = await h.ask("GET", "/v1/state", headers={"cookie": cookie})
            assert json.loads(body)["signed_in"] is (expected == 200)
        status, headers, _ = await h.ask("DELETE", "/v1/session", headers={"cookie": "island_access=good"})
        assert status == 200
        for name in ("island_access", "island_refresh"):
            assert f"{name}=; Max-Age=0; " in headers["set-cookie"]
        status, _, body = await h.ask("POST", "/v1/session", body=sign_in(bytes(32)))
        assert (status, h.code(body)) == (403, "wrong_sign_in")


async def test_the_refresh_cookie_is_exchanged_for_new_tokens(house):
    async with house() as h:
        path = "/v1/session/refresh"
        for cookie, code in (("island_access=good", "sign_in"), ("island_refresh=old", "session_ended")):
            status, _, body = await h.ask("POST", path, headers={"cookie": cookie})
            assert (status, h.code(body)) == (401, code)
        status, headers, _ = await h.ask("POST", path, headers={"cookie": "island_refresh=fresh"})
        assert status == 200 and "island_access=good" in headers["set-cookie"]


async def test_what_each_role_may_ask(house):
    async with house() as h:
        asked = {"/v1/relays": "owner_only", "/v1/members": "role"}
        for path, code in asked.items():
            for role in ("member", "agent", "moderator", "admin"):
                status, _, body = await h.ask("GET", path, headers={"cookie": f"island_access={role}"})
                if path == "/v1/members" and role in ("moderator", "admin"):
                    assert status == 500  # the stand-in has no members: it was let through
                else:
                    assert (status, h.code(body)) == (403, code), (path, role)


async def test_a_member_is_known_on_the_onion_and_the_operator_is_no_member(house):
    async with house() as h:
        cookie = {"cookie": "island_access=member"}
        assert (await h.ask("DELETE", "/v1/session", kind="onion", headers=cookie))[0] == 200
        status, _, body = await h.ask("DELETE", "/v1/session", kind="control")
        assert (status, h.code(body)) == (401, "sign_in")


async def test_a_locked_box_says_so_to_who_was_signed_in(house):
    async with house() as h:
        h.box.lock.locked = True
        for cookie, code in (("", "sign_in"), ("island_access=old", "locked")):
            _, _, body = await h.ask("GET", "/v1/relays", headers={"cookie": cookie})
            assert h.code(body) == code


async def test_the_control_socket_needs_no_session(house):
    async with house() as h:
        assert (await h.ask("GET", "/v1/relays", kind="control"))[0] == 200
        _, _, body = await h.ask("GET", "/v1/state", kind="control")
        assert json.loads(body)["signed_in"] is True


async def test_a_session_is_worth_nothing_on_the_onion(house):
    async with house() as h:
        for path in ("/v1/relays", "/v1/state", "/v1/health", "/v1/settings"):
            status, _, body = await h.ask("GET", path, kind="onion", headers={"cookie": "island_access=good"})
            assert (status, h.code(body)) == (404, "not_found")


async def test_a_box_without_an_owner_answers_nothing_on_the_onion(house):
    async with house() as h:
        h.box.nameplate.claimed = False
        status, _, page = await h.ask("GET", "/", kind="onion")
        assert (
            status == 200
            and b"Nothing is here yet." in page
            and b"island" not in page.lower().replace(b"<title>island</title>", b"")
        )
        for path in ("/v1/relay", "/v1/nonces", "/v1/errors", "/v1/openapi.json", "/index.html"):
            status, _, body = await h.ask("GET", path, kind="onion")
            assert (status, h.code(body)) == (403, "not_claimed"), path
        status, _, body = await h.ask("GET", "/v1/relay/stream", kind="onion")
        assert (status, h.code(body)) == (403, "not_claimed")
        assert (await h.ask("GET", "/v1/relay"))[0] == 200


async def test_a_pure_relay_needs_no_owner(house):
    async with house(relay_only=True) as h:
        h.box.nameplate.claimed = False
        assert (await h.ask("GET", "/v1/relay", kind="onion"))[0] == 200


async def test_a_claim_gives_a_session(house):
    async with house() as h:
        values = {"account": b"A" * 16, "name": "ann", "kdf": Kdf(bytes(16), 8, 1), "label": "test"}
        claim = Register(**values, authentication=OPEN_SESAME, wrapped=bytes(72), invite="token")
        status, headers, body = await h.ask("POST", "/v1/accounts", body=codec.write(claim, codec.JSON))
        assert (status, json.loads(body)["name"]) == (200, "ann")
        assert headers["set-cookie"].startswith("island_access=good;")
        wrong = codec.write(Register(**values, authentication=OPEN_SESAME, wrapped=bytes(72)), codec.JSON)
        status, _, body = await h.ask("POST", "/v1/accounts", body=wrong)
        assert (status, h.code(body)) == (403, "wrong_token")
        assert (await h.ask("POST", "/v1/accounts", kind="control", body=wrong))[0] == 200


def test_the_tokens_are_found_among_other_cookies():
    assert tokens_of([(b"cookie", b'x=1; island_access="t"; island_refresh=r')]) == ("t", "r")
    assert tokens_of([(b"cookie", b"island_accesses=no")]) == ("", "")
    assert tokens_of([]) == ("", "")
