"""Boards without scripts: reading, writing, changing, deleting, reporting, searching, feeds."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from appliance.client.person import Person
from appliance.protocol import codec
from appliance.protocol.board import Board, ChangeBoard, NewBoard
from appliance.protocol.codec import to_text
from appliance.protocol.moderation import Reports
from tests.acts import Shifted
from tests.api.plain.acts import PASSPHRASE, join, reader, sign_in
from tests.boxes import Net, Running, running, until
from tests.clients import QUICK, door, joining
from tests.readers import Reader, Seen
from tests.services import refused

BOARD = b"B" * 16
AT = f"/plain/boards/{to_text(BOARD)}"
ROOMY = {"posts_minute": 1000, "circuit_requests": 1000, "registration": "open"}
HOSTILE = json.loads((Path(__file__).parents[2] / "vectors" / "markdown.json").read_text())


async def board(box: Running, **more: object) -> None:
    """A board, made by those who look after the box."""
    new = NewBoard(id=BOARD, title="Harbour", about="All about boats", **more)  # type: ignore[arg-type]
    await box.desk.http.call("POST", "/v1/boards", Board, new)


async def begin(who: Reader, subject: str = "The ferry", body: str = "It leaves at *nine*.") -> Seen:
    """Begin a thread; its page."""
    page = await who.open(f"{AT}/new")
    return await who.send(page, f"{AT}/new", subject=subject, body=body, do="post")


def where(seen: Seen) -> str:
    """The address of the thread a page shows."""
    return seen.path.partition("?")[0]


async def test_a_thread_is_begun_previewed_answered_changed_and_deleted(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        ann, bob = reader(box), reader(box, "de")
        await join(box, ann, "ann")
        await join(box, bob, "bob")
        listed = await ann.open("/plain/boards")
        assert AT in listed.page.links
        assert "All about boats" in listed.words

        page = await ann.open(f"{AT}/new")
        seen = await ann.send(
            page, f"{AT}/new", subject="The <b>ferry</b>", body="It leaves at *nine*.", do="preview"
        )
        assert "<em>nine</em>" in seen.text
        assert "The &lt;b&gt;ferry&lt;/b&gt;" in seen.text
        thread = await ann.send(seen, f"{AT}/new", do="post")
        at = where(thread)
        assert "It is posted." in thread.words
        assert thread.page.heading == "The <b>ferry</b>"
        assert "the box vouches for ann" in thread.words

        theirs = await bob.open(at)
        assert "Die Box bürgt für ann" in theirs.words
        assert not [link for link in theirs.page.links if link.endswith(("/edit", "/delete"))]
        answered = await bob.send(theirs, f"{at}/reply", body="Thank *you*", do="post")
        assert "<em>you</em>" in answered.text

        mine = await ann.open(at)
        (change,) = [link for link in mine.page.links if link.endswith("/edit")]
        page = await ann.open(change)
        assert page.form(change).fields["body"] == "It leaves at *nine*."
        seen = await ann.send(page, change, body="It leaves at **ten**.", do="preview")
        assert "<strong>ten</strong>" in seen.text
        changed = await ann.send(seen, change, subject="The late ferry", do="post")
        assert changed.page.heading == "The late ferry"
        assert "changed since" in changed.words
        late = await ann.send(page, change, body="It leaves at eleven.", do="post")  # drawn before the change
        assert (late.status, set(late.problems)) == (409, {"body"})
        assert late.form(change).fields["body"] == "It leaves at eleven."

        (gone,) = [link for link in mine.page.links if link.endswith("/delete")]
        page = await ann.open(gone)
        assert "<strong>ten</strong>" in page.text
        done = await ann.send(page, gone)
        assert "The post is deleted." in done.words
        left = await bob.open(at)
        assert "Der Verfasser hat diesen Beitrag zurückgenommen." in left.words
        assert "It leaves at" not in left.words


async def test_readers_in_clients_know_who_signed_what(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        ann = reader(box)
        await join(box, ann, "ann")
        thread = await begin(ann)
        id = codec.from_text(where(thread).rpartition("/")[2])
        async with joining(box, "bob") as bob:
            (post,) = await bob.boards.posts(BOARD, id)
            assert (post.proof, post.name, post.body) == ("vouched", "ann", "It leaves at *nine*.")
            await bob.boards.post(BOARD, "from my own keys", thread=id)
            seen = await ann.open(where(thread))
            assert "Signed by bob." in seen.words
        await sign_in(ann, "bob", "correct horse battery")
        seen = await ann.open(where(thread))
        assert not [link for link in seen.page.links if link.endswith("/edit")]  # his keys are not here
        (gone,) = [link for link in seen.page.links if link.endswith("/delete")]
        denied = await ann.open(gone.replace("/delete", "/edit"))
        assert denied.status == 400
        assert "change it in the full client" in denied.words
        assert "The post is deleted." in (await ann.send(await ann.open(gone), gone)).words
        async with Person.sign_in(door(box), "ann", PASSPHRASE, options=QUICK) as client:
            posts = await client.boards.posts(BOARD, id)
            assert [(one.proof, one.removed) for one in posts] == [("vouched", ""), ("", "author")]
            # Her own keys did not sign it, so readers would take a change by them for a forgery.
            with refused("bad_post"):
                await client.boards.edit(BOARD, id, "changed by my own keys")


async def test_nobody_changes_deletes_or_reports_what_they_may_not(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        ann, bob = reader(box), reader(box)
        await join(box, ann, "ann")
        await join(box, bob, "bob")
        thread = await begin(ann)
        at = where(thread)
        mine = await ann.open(at)
        change = next(link for link in mine.page.links if link.endswith("/edit"))
        assert (await bob.open(change)).status == 403
        gone = change.replace("/edit", "/delete")
        page = await bob.open(gone)
        assert (await bob.send(page, gone)).status == 403
        report = change.replace("/edit", "/report")
        assert report in (await bob.open(at)).page.links
        assert report not in mine.page.links
        page = await ann.open(report)
        refused = await ann.send(page, report, why="spam")
        assert refused.status in (400, 403, 409)
        page = await bob.open(report)
        unsaid = await bob.send(page, report, words="too loud")
        assert set(unsaid.problems) == {"why"}
        assert unsaid.form(report).fields["words"] == "too loud"
        for _ in range(2):  # the second time as if the answer had been lost
            done = await bob.send(unsaid, report, why="abuse")
            assert "Thank you." in done.words
        queue = await box.desk.http.call("GET", "/v1/reports", Reports)
        assert [(one.why, one.words, one.about, one.reporter) for one in queue.reports] == [
            ("abuse", "too loud", "ann", "bob")
        ]
        await box.desk.http.call("PATCH", f"/v1/boards/{to_text(BOARD)}", Board, ChangeBoard(closed=True))
        seen = await ann.open(at)
        assert "This board is closed" in seen.words
        assert not [form for form in seen.page.forms if form.action.endswith("/reply")]
        fields = mine.form(f"{at}/reply").fields | {"body": "too late", "do": "post"}
        late = await ann.post(f"{at}/reply", fields)
        assert late.status == 409
        assert late.form(f"{at}/reply").fields["body"] == "too late"


async def test_no_markdown_of_anybody_runs_or_loads_anything(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        ann = reader(box)
        await join(box, ann, "ann")
        page = await ann.open(f"{AT}/new")
        texts = [text for text in _texts(HOSTILE) if text.strip() and len(text) < 60_000]
        assert len(texts) > 20
        for text in texts:
            seen = await ann.send(page, f"{AT}/new", subject="x", body=text, do="preview")
            assert seen.status == 200, text[:200]
            assert "<img" not in seen.text
        joined = "\n\n".join(texts)[:60_000]
        thread = await begin(ann, "<script>alert(1)</script>", joined)
        assert "<script" not in thread.text
        assert "<script" not in (await ann.open(AT)).text
        away = await begin(ann, "links", f'[in](#/boards/{to_text(BOARD)}) [app](#/people) <a href="#/x">')
        assert AT in away.page.links
        assert "/#/people" in away.page.links
        assert not (await box.desk.health()).faults


def _texts(value: object) -> list[str]:
    """Every text of the vectors."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    return [text for each in value for text in _texts(each)] if isinstance(value, list) else []


async def test_a_long_post_outlives_an_ended_sign_in_and_is_posted_once(tmp_path):
    clock = Shifted()
    async with running(Net(), tmp_path / "box", clock=clock, **ROOMY) as box:
        await board(box)
        ann = reader(box)
        await join(box, ann, "ann")
        long = "港" * 21_000  # 63,000 octets, 189,000 as a form sends them
        page = await ann.open(f"{AT}/new")
        token = ann.cookies["island_refresh"]
        ann.cookies["island_access"] = ("x" * 32, "/")
        ann.cookies["island_refresh"] = ("A" * 43, token[1])
        ended = await ann.send(page, f"{AT}/new", subject="Harbours", body=long, do="post")
        assert ended.status == 401
        wrong = await ann.send(ended, "/plain/sign-in", name="ann", passphrase="not this")
        back = await ann.send(wrong, "/plain/sign-in", passphrase=PASSPHRASE)
        form = back.form(f"{AT}/new")
        assert (form.fields["subject"], form.fields["body"]) == ("Harbours", long)
        clock.pass_hours(0.3)
        for _ in range(2):
            thread = await ann.send(back, f"{AT}/new", do="post")
            assert long in thread.text
        assert len([link for link in (await ann.open(AT)).page.links if link.startswith(f"{AT}/")]) == 3
        other = await ann.send(back, f"{AT}/new", body="Gone back, and written anew.", do="post")
        assert "Gone back, and written anew." in other.words

        page = await ann.open(f"{AT}/new")
        for body in ("港" * 65_536, "a" * 65_537):
            wrong = await ann.send(page, f"{AT}/new", subject="", body=body, do="post")
            assert set(wrong.problems) == {"subject", "body"}
            assert wrong.form(f"{AT}/new").fields["body"] == body
        wrong = await ann.send(page, f"{AT}/new", subject="turned \u202e round", body="  ", do="post")
        assert set(wrong.problems) == {"subject", "body"}


async def test_threads_and_posts_come_in_pages(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        async with joining(box, "bob") as bob:
            thread = bytes.fromhex(await bob.boards.post(BOARD, "post 0", subject="Long"))
            for number in range(1, 60):
                await bob.boards.post(BOARD, f"post {number}", thread=thread)
            for number in range(35):
                await bob.boards.post(BOARD, "x", subject=f"thread {number}")
        ann = reader(box)
        await join(box, ann, "ann")
        at = f"{AT}/{to_text(thread)}"
        found: list[str] = []
        page = await ann.open(at)
        while True:
            found += [word for word in page.page.words if word.startswith("post ") and word[5:].isdigit()]
            onward = [link for link in page.page.links if link.startswith(f"{at}?after=")]
            if not onward:
                break
            page = await ann.open(onward[0])
        assert found == [f"post {number}" for number in range(60)]
        back = next(link for link in page.page.links if link.startswith(f"{at}?before="))
        page = await ann.open(back)
        assert "post 49" in page.page.words
        listed = await ann.open(AT)
        assert "thread 34" in listed.page.words
        assert "Long" not in listed.page.words
        (older,) = [link for link in listed.page.links if link.startswith(f"{AT}?before=")]
        assert "Long" in (await ann.open(older)).page.words
        for query in ("?after=x", "?before=-1", "?after=99999999999999999999", "?before=0"):
            assert (await ann.open(at + query)).status == 200, query
        for path in (f"{AT}/{to_text(b'n' * 16)}", "/plain/boards/x", f"/plain/boards/{to_text(b'n' * 16)}"):
            assert (await ann.open(path)).status == 404, path


async def test_posts_are_found_and_read_by_programs(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        ann = reader(box)
        await join(box, ann, "ann")
        thread = await begin(ann, "The <i>ferry</i>", "It leaves the *harbour* at nine.")

        async def hit() -> Seen | None:
            seen = await ann.open("/plain/search?q=harb")
            return seen if "ferry" in seen.words else None

        found = await until(hit)
        assert any(link.startswith(where(thread)) for link in found.page.links)
        assert "<i>" not in found.text
        assert "Nothing was found" in (await ann.open("/plain/search?q=submarine")).words
        odd = await ann.open(f"/plain/search?q={quote(chr(34) + '><script>')}&board={to_text(BOARD)}")
        assert odd.status == 200
        assert (await ann.open("/plain/search?q=x&board=nonsense")).status == 404
        page = await ann.open("/plain/feeds")
        (link,) = [link for link in page.page.links if "/v1/feeds/" in link]
        feed = await Reader(ann.entrance).open(link[link.index("/v1/") :])
        assert feed.header("content-type").startswith("application/atom+xml")
        assert "harbour" in feed.text
        renewed = await ann.send(page, "/plain/feeds")
        assert "The old addresses have ended." in renewed.words
        assert (await Reader(ann.entrance).open(link[link.index("/v1/") :])).status == 404


async def test_words_that_are_not_wanted_are_refused_or_looked_at_first(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        ann = reader(box)
        await join(box, ann, "ann")
        await box.desk.change_settings({"filter_words": ["gull*"], "filter_action": "refuse"})
        page = await ann.open(f"{AT}/new")
        wrong = await ann.send(page, f"{AT}/new", subject="Birds", body="The gulls are loud.", do="post")
        assert (wrong.status, set(wrong.problems)) == (400, {"body"})
        assert wrong.form(f"{AT}/new").fields["body"] == "The gulls are loud."
        await box.desk.change_settings({"filter_action": "hold"})
        held = await ann.send(wrong, f"{AT}/new", do="post")
        assert "A moderator looks at it" in held.words
        assert "gulls" not in held.words


async def test_what_the_owner_says_and_switches_off_is_seen(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        ann = reader(box)
        await join(box, ann, "ann")
        rules = "Be kind.\n<script>alert(1)</script>"
        values = {"welcome": "Come in!", "policy": rules, "boards": False}
        await box.desk.change_settings(values)
        seen = await reader(box).open("/plain")
        assert "Come in!" in seen.words
        assert "Be kind. <script>" in seen.words  # as text
        assert "/plain/boards" not in (await ann.open("/plain/account")).page.links
        for path in ("/plain/boards", AT, f"{AT}/new", "/plain/search?q=x", "/plain/feeds"):
            assert (await ann.open(path)).status == 403


async def test_strangers_see_no_board(tmp_path):
    async with running(Net(), tmp_path / "box", **ROOMY) as box:
        await board(box)
        for path in ("/plain/boards", AT, f"{AT}/new", "/plain/search?q=x", "/plain/feeds"):
            seen = await reader(box).open(path)
            assert (seen.status, seen.page.heading) == (401, "Sign in"), path
            assert "Harbour" not in seen.words
