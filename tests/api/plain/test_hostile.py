"""What hostile pages, strangers and planted cookies try on the pages without scripts."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest

from appliance.api.plain.forms import MOST_FIELDS, Form
from appliance.api.plain.pages import CARRIED_OCTETS, PAGES, RENEW
from appliance.api.plain.row import SMALL_OCTETS
from appliance.client.entrance import onion
from appliance.client.http import Http
from appliance.client.person.entering import register
from appliance.client.person.member import Member
from tests.api.plain.acts import PASSPHRASE, invite, join, reader, sign_in
from tests.boxes import Net, running
from tests.readers import Reader, Seen

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}"
BUSY = {"circuit_requests": 1000}


def strict(seen: Seen) -> None:
    """Every answer forbids what no page of ours needs."""
    policy = seen.header("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert seen.header("referrer-policy") == "same-origin"
    assert seen.header("cache-control") == "no-store"
    assert seen.header("x-content-type-options") == "nosniff"
    assert not seen.header("access-control-allow-origin")


async def test_every_page_is_strict_and_in_both_languages(tmp_path):
    async with running(Net(), tmp_path / "box", **BUSY) as box:
        who = reader(box)
        await join(box, who, "ann")
        for row in PAGES:
            path = row.path.replace("{code}", "nothing")
            for language in ("en", "de"):
                who.language = language
                strict(await who.open(path))
        strict(await who.open("/plain/nowhere"))
        assert (await who.open("/plain/nowhere")).status == 404
        health = await box.desk.health()
        assert not health.faults
        timed = {one.route: one.requests for one in health.endpoints}
        assert timed["page /plain"] >= 2
        assert "page /plain/invite/{code}" in timed  # by the row, never by what stood in the address


async def test_a_page_of_another_site_sends_no_form(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who = reader(box)
        await join(box, who, "ann")
        page = await who.open("/plain/account/delete")
        fields = page.form("/plain/account/delete").fields | {"name": "ann", "passphrase": PASSPHRASE}
        for headers in (
            {"origin": "http://evil.onion"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:1"},
            {"sec_fetch_site": "cross-site", "origin": ""},
            {"sec_fetch_site": "same-site"},
        ):
            refused = await who.post("/plain/account/delete", fields, **headers)
            assert (refused.status, refused.page.heading) == (403, "This did not work"), headers
            strict(refused)
            assert "token" not in refused.text  # nothing of who is signed in
            assert "ann" not in refused.text

        # Also where no header tells where a form came from, its token does.
        async def bare(**more: str) -> Seen:
            sent = {**fields, **more}
            return await who.post("/plain/account/delete", sent, origin="", sec_fetch_site="")

        door = (await reader(box).open("/plain/sign-in")).form("/plain/sign-in").fields["token"]
        other = reader(box)
        await join(box, other, "bob")
        theirs = (await other.open("/plain/account/delete")).form("/plain/account/delete").fields["token"]
        for token in ("", "x", door, theirs, "é"):
            refused = await bare(token=token)
            assert (refused.status, refused.page.heading) == (403, "Delete the account")
            assert "too old or came from another sign-in" in refused.words
        assert (await bare()).page.heading == "Your account is deleted"


async def test_a_sign_in_form_needs_the_cookie_it_was_drawn_for(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who, evil = reader(box), reader(box)
        await join(box, who, "ann")
        planted = (await evil.open("/plain/sign-in")).form("/plain/sign-in").fields
        victim = reader(box)
        fields = {**planted, "name": "ann", "passphrase": PASSPHRASE}
        refused = await victim.post("/plain/sign-in", fields, origin="", sec_fetch_site="")
        assert refused.status == 403
        assert "cookie" in refused.words
        assert "island_access" not in victim.cookies
        await victim.open("/plain/sign-in")
        refused = await victim.post("/plain/sign-in", fields, origin="", sec_fetch_site="")
        assert refused.status == 403
        assert "too old" in refused.words
        assert refused.form("/plain/sign-in").fields["name"] == "ann"
        assert PASSPHRASE not in refused.text


async def test_planted_cookies_are_worth_nothing_after_the_sign_in(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        await join(box, reader(box), "ann")
        evil = reader(box)
        await join(box, evil, "eve")
        victim = reader(box)
        victim.cookies = dict(evil.cookies)  # planted by somebody who can
        await victim.open("/plain/sign-out")
        page = await victim.open("/plain/sign-in")
        inside = await victim.send(page, "/plain/sign-in", name="ann", passphrase=PASSPHRASE)
        assert inside.path == "/plain/account"
        assert victim.cookies["island_access"] != evil.cookies["island_access"]
        assert victim.cookies["island_refresh"] != evil.cookies["island_refresh"]
        assert "island_form" not in victim.cookies
        # The sign-in that was planted has ended, and nobody can use it to see the new one.
        assert (await evil.open("/plain/account")).status == 401
        assert "ann@" in (await victim.open("/plain/account")).words


async def test_bodies_that_are_no_forms_are_refused_in_words(tmp_path):
    async with running(Net(), tmp_path / "box", **BUSY) as box:
        who = reader(box)
        page = await who.open("/plain/sign-in")
        token = page.form("/plain/sign-in").fields["token"]

        async def send(body: bytes, **headers: str) -> Seen:
            seen = await who.ask("POST", "/plain/sign-in", body, **headers)
            strict(seen)
            return seen

        for media in ("application/json", "multipart/form-data; boundary=x", "text/plain", ""):
            seen = await send(f"token={token}".encode(), content_type=media)
            assert seen.status == 415, media
        ours = f"token={token}&".encode()
        for body in (
            ours + b"name=a&name=b",
            ours + b"nonsense=1",
            ours + b"name=%ff",
            ours + "name=ä".encode(),
            ours + b"name=" + b"a" * 3000,
            b"&".join(b"f%d=1" % number for number in range(MOST_FIELDS + 1)),
        ):
            assert (await send(body)).status == 400, body[:40]
        assert (await send(b"x" * (CARRIED_OCTETS + 1))).status == 413
        small = await who.ask("POST", "/plain/join", b"x" * (SMALL_OCTETS + 1))
        assert small.status == 413
        for body in (b"", b"%00", b"===&&&"):
            assert (await send(body)).status in (400, 403), body
        empty = await send(ours)
        assert set(empty.problems) == {"name", "passphrase"}
        assert (await who.ask("DELETE", "/plain/sign-in")).status == 405
        assert (await who.post("/plain", {"token": token})).status == 405
        assert not (await box.desk.health()).faults


async def test_nothing_that_is_typed_or_named_runs_anywhere(tmp_path):
    async with running(Net(), tmp_path / "box", registration="open", **BUSY) as box:
        await box.desk.rename(SCRIPT[:64])
        who = reader(box)
        made = await invite(box)
        for path in ("/plain", "/plain/sign-in", "/plain/join", "/plain/code"):
            query = urlencode(dict.fromkeys(("language", "look", "done", "then"), SCRIPT))
            seen = await who.open(f"{path}?{query}")
            assert SCRIPT[:20] not in seen.text
        for path, name in (
            ("/plain/sign-in", "name"),
            ("/plain/join", "name"),
            ("/plain/join", "invite"),
            ("/plain/code", "name"),
        ):
            page = await who.open(path)
            seen = await who.send(page, path, **{name: SCRIPT})
            assert seen.form(path).fields[name] == SCRIPT
            assert "<script" not in seen.text
            assert "{{7*7}}" in seen.text  # never evaluated
        page = await who.open("/plain/sign-in")
        fields = page.form("/plain/sign-in").fields | {"kept.name": SCRIPT, "then": f"/plain/{SCRIPT}"}
        seen = await who.post("/plain/sign-in", fields)
        assert seen.form("/plain/sign-in").fields["kept.name"] == SCRIPT
        assert "then" not in seen.form("/plain/sign-in").fields
        # A program may call its sign-in what it likes; the reader of a page fails on whatever could run.
        async with Http(reader(box).entrance) as http:
            await register(Member(http), "ann", PASSPHRASE, SCRIPT[:64], made.code or "")
        await sign_in(who, "ann")
        listed = await who.open("/plain/account/sign-ins")
        assert SCRIPT[:40] in listed.words
        assert not (await box.desk.health()).faults


@pytest.mark.parametrize(
    "to",
    [
        "//evil.onion",
        "http://evil.onion/",
        "/\\evil.onion",
        "/plain//evil.onion",
        "/v1/session",
        "/plain/\r\nx: y",
        "/plain/../v1/session",
        "javascript:alert(1)",
        "/plainer",
        "",
    ],
)
async def test_nobody_is_sent_to_another_site(tmp_path, to):
    async with running(Net(), tmp_path / "box") as box:
        who = reader(box)
        await join(box, who, "ann")
        page = await who.open("/plain/account")
        assert page.status == 200
        renewed = await who.open(f"{RENEW}?to={quote(to, safe='')}")
        assert renewed.status == 404
        assert not renewed.header("location")
        await who.send(page, "/plain/sign-out")
        page = await who.open(f"/plain/sign-in?then={quote(to, safe='')}")
        inside = await who.send(page, "/plain/sign-in", name="ann", passphrase=PASSPHRASE)
        assert inside.path == "/plain/account"


async def test_the_onion_serves_no_pages_before_there_is_an_owner_and_never_the_claim(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box", claim=False) as box:
        stranger = Reader(onion(net.dial, box.ready.onion))
        for path in (
            "/plain",
            "/plain/",
            "/plain/sign-in",
            "/plain/claim",
            "/plain/nowhere",
            "/plain/invite/x",
        ):
            seen = await stranger.open(path)
            assert (seen.status, seen.page) == (404, None)
            assert not seen.header("set-cookie")
        await box.desk.claim("", "box", "correct horse battery")
        assert (await stranger.open("/plain")).page.heading == "This is box"
        assert (await stranger.open("/plain/claim")).status == 404
        page = await stranger.open("/plain/sign-in")
        inside = await stranger.send(page, "/plain/sign-in", name="box", passphrase="correct horse battery")
        assert inside.path == "/plain/account"
    async with running(net, tmp_path / "relay", relay_only=True) as box:
        assert (await Reader(onion(net.dial, box.ready.onion)).open("/plain")).status == 404


async def test_guesses_at_a_passphrase_are_slowed_before_the_costly_part(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who = reader(box)
        await join(box, who, "ann")
        other = reader(box)
        page = await other.open("/plain/sign-in")
        for _ in range(5):
            page = await other.send(page, "/plain/sign-in", name="ann", passphrase="a guess at it")
            assert page.status == 403
        slowed = await other.send(page, "/plain/sign-in", name="ann", passphrase=PASSPHRASE)
        assert slowed.status == 429
        assert "Wait 2 seconds" in slowed.problems["passphrase"]
        assert slowed.header("retry-after") == "" or int(slowed.header("retry-after")) > 0


def test_no_value_of_a_form_says_in_a_log_what_was_typed():
    for row in PAGES:
        form = row.form(token="secret")
        assert "secret" not in repr(form)
        assert set(row.form.SECRET) <= set(row.form.__struct_fields__)
        assert issubclass(row.form, Form)


async def test_the_title_of_a_box_is_not_told_to_a_page_that_took_its_name(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        await box.desk.rename("Secret cove")
        who = reader(box)
        assert "Secret cove" in (await who.open("/plain")).words
        stolen = await who.ask("GET", "/plain", host="evil.example")
        assert stolen.status == 421
        assert "Secret cove" not in stolen.text
