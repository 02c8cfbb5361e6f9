"""People without scripts: coming in, coming back, and one's own account; the client opens it all the same."""

from __future__ import annotations

import base64
import json
import re
import time

from appliance.client.person import Person
from appliance.service import totp
from tests.acts import Shifted
from tests.api.plain.acts import PASSPHRASE, codes_of, invite, join, reader, sign_in
from tests.boxes import Net, running
from tests.clients import QUICK, befriend, door, joining, texts


async def test_an_account_made_here_opens_in_the_client_by_passphrase_and_by_code(tmp_path):
    async with running(Net(), tmp_path / "box", registration="open") as box:
        who = reader(box)
        codes = await join(box, who, "ann")
        account = await who.open("/plain/account")
        assert f"ann@{box.ready.onion}" in account.words
        async with (
            joining(box, "bob") as bob,
            Person.sign_in(door(box), "ann", PASSPHRASE, options=QUICK) as ann,
        ):
            await befriend(bob, ann)
            await ann.send(bob.address, "from the client")
            await ann.settled()
        async with Person.sign_in_by_code(door(box), "ann", codes[3], options=QUICK) as ann:
            assert "from the client" in await texts(ann, bob.address)


async def test_the_archive_stays_open_when_the_passphrase_is_changed_here(tmp_path):
    fresh, third = "lantern seven pebble rope", "quiet harbour eleven stone"
    async with running(Net(), tmp_path / "box", registration="open") as box:
        async with joining(box, "ann") as ann, joining(box, "bob") as bob:
            await befriend(ann, bob)
            await ann.settled()
        who = reader(box)
        await sign_in(who, "ann", "correct horse battery")
        page = await who.open("/plain/account/passphrase")
        done = await who.send(
            page, "/plain/account/passphrase", old="correct horse battery", passphrase=fresh, again=fresh
        )
        assert (done.status, done.path) == (200, "/plain/account?done=passphrase")
        async with Person.sign_in(door(box), "ann", fresh, options=QUICK) as ann:
            assert "may I?" in await texts(ann, bob.address)
        page = await who.open("/plain/account/codes")
        codes = codes_of(await who.send(page, "/plain/account/codes", passphrase=fresh))
        other = reader(box)
        page = await other.open("/plain/code")
        back = await other.send(
            page, "/plain/code", name="ann", code=codes[0].lower(), passphrase=third, again=third
        )
        assert back.path == "/plain/account?done=code"
        assert (await who.open("/plain/account")).page.heading == "Sign in"  # every other sign-in has ended
        async with Person.sign_in(door(box), "ann", third, options=QUICK) as ann:
            assert "may I?" in await texts(ann, bob.address)
        page = await reader(box).open("/plain/code")
        again = await other.send(
            page, "/plain/code", name="ann", code=codes[0], passphrase=third, again=third
        )
        assert again.problems == {}  # the page was drawn for another browser
        page = await other.open("/plain/code")
        again = await other.send(
            page, "/plain/code", name="ann", code=codes[0], passphrase="a fourth one", again="a fourth one"
        )
        assert (again.status, list(again.problems)) == (403, ["code"])  # used up


async def test_a_box_is_claimed_by_its_pasted_link(tmp_path):
    async with running(Net(), tmp_path / "box", claim=False) as box:
        who = reader(box)
        welcome = await who.open("/plain")
        assert "/plain/claim" in welcome.page.links
        page = await who.open("/plain/claim")
        wrong = await who.send(
            page, "/plain/claim", invite="http://127.0.0.1/#claim=nonsense", name="ann",
            passphrase=PASSPHRASE, again=PASSPHRASE, protect="on",
        )  # fmt: skip
        assert (wrong.status, list(wrong.problems)) == (403, ["invite"])
        form = wrong.form("/plain/claim")
        assert (form.fields["name"], form.fields["protect"], form.fields["passphrase"]) == ("ann", "on", "")
        shown = await who.send(
            wrong, "/plain/claim", invite=f" {box.ready.claim_url}\n", passphrase=PASSPHRASE, again=PASSPHRASE
        )
        assert len(codes_of(shown)) == 8
        assert "owner" in (await who.open("/plain/account")).words
        assert (await box.desk.state()).claimed
        late = await who.open("/plain/claim")
        assert (late.status, late.page.heading) == (409, "This did not work")


async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who = reader(box)
        made = await invite(box, uses=5)
        page = await who.open("/plain/join")
        bad = await who.send(page, "/plain/join", invite=made.link, name="A B", passphrase="short", again="x")
        assert bad.status == 400
        assert set(bad.problems) == {"name", "passphrase"}
        form = bad.form("/plain/join")
        assert form.fields["invite"] == made.link
        assert form.fields["name"] == "A B"
        assert form.fields["passphrase"] == form.fields["again"] == ""
        assert bad.page.title.startswith("Error: ")
        assert {"#name", "#passphrase"} <= set(bad.page.links)
        other = await who.send(bad, "/plain/join", name="ann", passphrase=PASSPHRASE, again="another thing")
        assert set(other.problems) == {"again"}
        taken = await who.send(other, "/plain/join", name="box", passphrase=PASSPHRASE, again=PASSPHRASE)
        assert (taken.status, set(taken.problems)) == (409, {"name"})
        used = await who.send(
            taken, "/plain/join", invite="nothing", name="ann", passphrase=PASSPHRASE, again=PASSPHRASE
        )
        assert (used.status, set(used.problems)) == (403, {"invite"})
        good = await who.send(used, "/plain/join", invite=made.code, passphrase=PASSPHRASE, again=PASSPHRASE)
        assert len(codes_of(good)) == 8


async def test_a_form_that_is_sent_twice_makes_one_account(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who = reader(box)
        made = await invite(box)
        page = await who.open(f"/plain/invite/{made.code}")
        fields = {
            **page.form("/plain/join").fields,
            "name": "ann",
            "passphrase": PASSPHRASE,
            "again": PASSPHRASE,
        }
        bound = dict(who.cookies)
        first = codes_of(await who.post("/plain/join", fields))
        who.cookies = bound  # the answer was lost on the way
        second = codes_of(await who.post("/plain/join", fields))
        assert first != second
        async with Person.sign_in_by_code(door(box), "ann", second[7], options=QUICK) as ann:
            assert ann.address.startswith("ann@")


async def test_the_second_factor_is_set_up_used_and_removed(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who = reader(box)
        await join(box, who, "ann")
        page = await who.open("/plain/account/second-factor")
        scan = await who.send(page, "/plain/account/second-factor", passphrase=PASSPHRASE)
        assert re.search(r'src="data:image/png;base64,[A-Za-z0-9+/=]+"', scan.text)
        confirm = "/plain/account/second-factor/confirm"
        base32 = scan.form(confirm).fields["secret"]
        wrong = await who.send(scan, confirm, digits="12 34")
        assert wrong.problems == {"digits": "These are six digits."}
        assert wrong.form(confirm).fields["secret"] == base32  # the code can still be scanned
        secret = base64.b32decode(base32)
        step = int(time.time() // totp.STEP_SECONDS)
        done = await who.send(wrong, confirm, digits=totp.code(secret, step))
        assert "The second factor is on." in done.words

        other = reader(box)
        asked = await sign_in(other, "ann")
        assert asked.page.heading == "One more step"
        digits = "/plain/sign-in/digits"
        refused = await other.send(asked, digits, digits="000000")
        assert refused.problems == {"digits": "The name, the passphrase or the code is wrong."}
        inside = await other.send(refused, digits, digits=totp.code(secret, step + 1))
        assert inside.path == "/plain/account"
        page = await other.open("/plain/account/second-factor")
        done = await other.send(page, "/plain/account/second-factor/remove", passphrase=PASSPHRASE)
        assert "The second factor is off." in done.words
        assert (await sign_in(reader(box), "ann")).path == "/plain/account"


async def test_sign_ins_are_listed_and_ended(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who, other = reader(box), reader(box, "de")
        await join(box, who, "ann")
        await sign_in(other, "ann")
        page = await who.open("/plain/account/sign-ins")
        rows = [form for form in page.page.forms if form.action.endswith("/end")]
        assert len(rows) == 2
        assert "Browser ohne JavaScript" in page.words
        at = page.words.index("this one"), page.words.index("ohne JavaScript")
        theirs = rows[1] if at[0] < at[1] else rows[0]
        done = await who.post(theirs.action, theirs.fields)
        assert "That sign-in has ended." in done.words
        ended = await other.open("/plain/account")
        assert (ended.status, ended.page.heading) == (401, "Anmelden")
        out = await who.send(done, "/plain/sign-out")
        assert out.page.heading == "You are signed out"
        assert "island_access" not in who.cookies
        assert (await who.open("/plain/account")).status == 401


async def test_export_and_deletion(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who = reader(box)
        await join(box, who, "ann")
        page = await who.open("/plain/account/export")
        file = await who.send(page, "/plain/account/export")
        assert file.header("content-disposition") == 'attachment; filename="private-island-export.json"'
        assert json.loads(file.body)["name"] == "ann"
        page = await who.open("/plain/account/delete")
        wrong = await who.send(page, "/plain/account/delete", name="bob", passphrase="not it")
        assert set(wrong.problems) == {"name"}
        wrong = await who.send(wrong, "/plain/account/delete", name="ann", passphrase="not it")
        assert set(wrong.problems) == {"passphrase"}
        assert wrong.form("/plain/account/delete").fields["name"] == "ann"
        gone = await who.send(wrong, "/plain/account/delete", passphrase=PASSPHRASE)
        assert gone.page.heading == "Your account is deleted"
        assert "island_access" not in who.cookies
        assert set((await sign_in(reader(box), "ann")).problems) == {"passphrase"}


async def test_a_stale_sign_in_is_renewed_on_the_way_and_nothing_typed_is_lost(tmp_path):
    clock = Shifted()
    async with running(Net(), tmp_path / "box", clock=clock) as box:
        who = reader(box)
        await join(box, who, "ann")
        page = await who.open("/plain/account/delete")
        clock.pass_hours(0.3)
        wrong = await who.send(page, "/plain/account/delete", name="ann", passphrase="not it")
        assert [path.partition("?")[0] for path in wrong.visited] == [
            "/plain/account/delete",
            "/v1/session/refresh/plain",
            "/plain/account/delete",
        ]
        assert set(wrong.problems) == {"passphrase"}
        clock.pass_hours(0.3)
        assert (await who.open("/plain/account")).page.heading == "Your account"

        clock.pass_hours(0.3)
        token = who.cookies["island_refresh"]
        who.cookies["island_refresh"] = ("A" * 43, token[1])  # the sign-in has ended meanwhile
        ended = await who.send(page, "/plain/account/delete", name="ann@here", passphrase=PASSPHRASE)
        assert (ended.status, ended.page.heading) == (401, "Sign in")
        form = ended.form("/plain/sign-in")
        assert form.fields["kept.name"] == "ann@here"
        assert PASSPHRASE not in ended.text
        wrong = await who.send(ended, "/plain/sign-in", name="ann", passphrase="not it either")
        back = await who.send(wrong, "/plain/sign-in", passphrase=PASSPHRASE)
        assert back.page.heading == "Delete the account"
        assert back.form("/plain/account/delete").fields["name"] == "ann@here"
        assert "nothing you typed is lost" in back.words
        gone = await who.send(back, "/plain/account/delete", passphrase=PASSPHRASE)
        assert gone.page.heading == "Your account is deleted"


async def test_a_locked_box_is_opened_by_its_owner_here(tmp_path):
    data = tmp_path / "box"
    async with running(Net(), data, claim=False) as box:
        who = reader(box)
        page = await who.open("/plain/claim")
        await who.send(
            page, "/plain/claim", invite=box.ready.claim_url, name="ann", passphrase=PASSPHRASE,
            again=PASSPHRASE, protect="on",
        )  # fmt: skip
    async with running(Net(), data) as box:
        who.entrance = reader(box).entrance
        locked = await who.post("/plain/account/delete", {"name": "ann, yes", "passphrase": PASSPHRASE})
        assert (locked.status, locked.page.heading) == (423, "Sign in")
        assert "Its owner must unlock it" in locked.words
        assert locked.form("/plain/sign-in").fields["kept.name"] == "ann, yes"
        assert "The box is locked" in (await who.open("/plain")).words
        back = await who.send(locked, "/plain/sign-in", name="ann", passphrase=PASSPHRASE)
        assert back.form("/plain/account/delete").fields["name"] == "ann, yes"
        assert (await who.open("/plain/account")).status == 200


async def test_words_are_in_the_language_asked_for_or_chosen(tmp_path):
    async with running(Net(), tmp_path / "box") as box:
        who = reader(box, "fr, de-AT;q=0.9, en;q=0.2")
        assert (await who.open("/plain/sign-in")).page.heading == "Anmelden"
        assert (await who.open("/plain/sign-in?language=en")).page.heading == "Sign in"
        assert (await who.open("/plain/sign-in")).page.heading == "Sign in"
        assert 'data-theme="dark"' in (await who.open("/plain?look=dark")).text
        assert 'data-theme="dark"' in (await who.open("/plain/sign-in")).text
        assert "data-theme" not in (await who.open("/plain?look=system")).text
        assert 'data-accent="sea"' in (await who.open("/plain")).text
