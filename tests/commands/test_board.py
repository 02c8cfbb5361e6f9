"""Boards from the command line, against a real box: what is signed here is verified there."""

from __future__ import annotations

import pytest
import trio

from appliance.client.entrance import loopback
from appliance.client.http import Http
from appliance.client.person import Person
from appliance.commands import exits
from appliance.protocol import board as wire
from appliance.protocol import onion
from appliance.protocol.account import ChangeMember, Member
from appliance.protocol.codec import to_text
from appliance.protocol.keys import SigningKey
from appliance.protocol.room import RoomAddress, write_address
from appliance.service import feeds
from tests.boxes import Net, running
from tests.clients import QUICK
from tests.commands.test_message import Terminal
from tests.services import refused


@pytest.fixture
def net():
    return Net()


@pytest.fixture
async def place(tmp_path, net):
    async with running(net, tmp_path / "box", registration="open") as box:
        yield box


@pytest.fixture
async def terminals(tmp_path, place):
    ada = Terminal(tmp_path / "a", str(tmp_path / "box"))
    bob = Terminal(tmp_path / "b", place.ready.url)
    await ada.enter("sign-up", "ada")
    await bob.enter("sign-up", "bob")
    await place.desk.http.call("POST", "/v1/boards", wire.Board, wire.NewBoard(b"g" * 16, "Garden"))
    return ada, bob


async def test_two_people_talk_on_a_board(terminals):
    ada, bob = terminals
    (row,) = await ada.ask("board", "list")
    assert (row["title"], row["threads"], row["days"]) == ("Garden", 0, 90)
    shown = await ada.type("board", "threads", "Garden")
    assert "No threads yet" in shown.stdout
    first = await ada.ask(
        "board", "post", "garden", "-", "--subject", "Tomatoes", text="When are they *ripe*?\n"
    )
    answer = await bob.ask(
        "board", "post", "Garden", "In August.", "--thread", "tomatoes", "--reply", first["id"]
    )
    (thread,) = await bob.ask("board", "threads", "Garden")
    assert (thread["subject"], thread["posts"], thread["last_name"]) == ("Tomatoes", 2, "bob")
    one, two = await bob.ask("board", "read", "Garden", first["id"][:6])
    assert (one["name"], one["subject"], one["body"], one["proof"]) == (
        "ada",
        "Tomatoes",
        "When are they *ripe*?",
        "signed",
    )
    assert (two["name"], two["reply"], two["own"], two["proof"]) == ("bob", first["id"], True, "signed")

    await bob.ask("board", "edit", "Garden", answer["id"], "In September.")
    told = await ada.type("board", "read", "Garden", "Tomatoes")
    assert "bob:  [edited]\n    In September." in told.stdout
    refusal = await ada.type("board", "edit", "Garden", answer["id"], "mine now")
    assert refusal.exit_code == exits.FAILED and "Traceback" not in refusal.output

    with trio.fail_after(30):
        while [hit["id"] for hit in await ada.ask("board", "search", "septem")] != [answer["id"]]:
            await trio.sleep(0.1)
    await bob.ask("board", "delete", "Garden", answer["id"])
    (_, gone) = await ada.ask("board", "read", "Garden", "Tomatoes")
    assert (gone["removed"], gone["body"], gone["proof"]) == ("author", "", "")
    assert "Nothing found." in (await ada.type("board", "search", "septem")).stdout
    for words in (
        ("post", "Garden", "x"),
        ("post", "Garden", "x", "--subject", "s", "--thread", "t"),
        ("delete", "Garden", "zz"),
    ):
        assert (await ada.type("board", *words)).exit_code == exits.USAGE
    assert (await bob.type("board", "make", "Mine")).exit_code == exits.FAILED


async def test_admins_say_which_boxes_may_read_a_board(terminals, place):
    ada, bob = terminals
    peer = onion.address(SigningKey(b"p" * 32).public)
    assert (await bob.type("board", "peers", "Garden", "--add", peer)).exit_code == exits.FAILED
    shown = await bob.ask("board", "peers", "Garden")
    assert shown == {
        "room": write_address(RoomAddress(onion.public_key(place.ready.onion), b"g" * 16)),
        "peers": [],
    }
    async with Person.open(ada.profile, options=QUICK) as me:
        await place.desk.http.call(
            "PATCH", f"/v1/members/{to_text(me._core.session.account)}", Member, ChangeMember(role="admin")
        )
    for _ in range(2):
        assert (await ada.ask("board", "peers", "Garden", "--add", peer))["peers"] == [peer]
    told = await bob.type("board", "peers", "Garden")
    assert peer in told.stdout and shown["room"] in told.stdout
    assert (await ada.type("board", "peers", "Garden", "--add", "nonsense")).exit_code == exits.FAILED
    assert (await ada.ask("board", "peers", "Garden", "--remove", peer[:8]))["peers"] == []
    assert "No other box" in (await ada.type("board", "peers", "Garden")).stdout


async def test_a_board_of_another_box_is_mirrored_and_read(terminals, place, net, tmp_path):
    ada, _ = terminals
    await ada.ask("board", "post", "Garden", "In *August*.", "--subject", "Tomatoes")
    async with running(net, tmp_path / "far", registration="open") as far:
        eve = Terminal(tmp_path / "e", str(tmp_path / "far"))
        await eve.enter("sign-up", "eve")
        (member,) = [one for one in await far.desk.members() if one.name == "eve"]
        await far.desk.change_member(member.account, ChangeMember(role="admin"))
        await place.desk.http.call(
            "PATCH",
            f"/v1/boards/{to_text(b'g' * 16)}",
            wire.Board,
            wire.ChangeBoard(peers=[onion.public_key(far.ready.onion)]),
        )
        room = (await ada.ask("board", "peers", "Garden"))["room"]
        made = await eve.ask("board", "mirror", room, "--days", "30")
        assert (made["title"], made["days"]) == ("Garden", 30)
        with trio.fail_after(60):
            while not await eve.ask("board", "threads", "Garden"):
                await trio.sleep(0.1)
        told = await eve.type("board", "read", "Garden", "Tomatoes")
        assert f"ada@{place.ready.onion}:" in told.stdout and "NOT GENUINE" not in told.stdout
        (post,) = await eve.ask("board", "read", "Garden", "Tomatoes")
        assert (post["proof"], post["body"], post["own"]) == ("signed", "In *August*.", False)
        assert "mirror" in (await eve.type("board", "list")).stdout
        refusal = await eve.type("board", "post", "Garden", "x", "--thread", "Tomatoes")
        assert refusal.exit_code == exits.FAILED and "write on it there" in refusal.output
        assert (await eve.ask("board", "peers", "Garden"))["room"] == room


async def test_what_the_box_makes_up_is_not_shown(terminals, place, tmp_path):
    ada, bob = terminals
    await ada.ask("board", "post", "Garden", "true words", "--subject", "True")
    async with Person.open(bob.profile, options=QUICK) as me:
        boards = me.boards
        (thread,) = (await boards.threads(b"g" * 16)).threads
        page = await me._core.member.get(
            f"/v1/boards/{to_text(b'g' * 16)}/threads/{to_text(thread.thread)}", wire.Posts
        )
        [view] = page.posts
        identities = boards._identities(page.authors, boards.onion)
        good = boards._verified(b"g" * 16, thread.thread, view, identities, boards.onion)
        assert (good.proof, good.body) == ("signed", "true words")
        swapped = boards._verified(
            b"g" * 16, thread.thread, view, identities | {"ada": bytes(32)}, boards.onion
        )
        moved = boards._verified(b"h" * 16, thread.thread, view, identities, boards.onion)
        other = boards._verified(b"g" * 16, b"t" * 16, view, identities, boards.onion)
        for one in (swapped, moved, other):
            assert (one.proof, one.body, one.subject, one.name) == ("false", "", "", "")
        assert boards._verified(b"g" * 16, thread.thread, view, {}, boards.onion).proof == "former"


async def test_a_feed_needs_its_secret_and_nothing_else(terminals, place):
    ada, _ = terminals
    await ada.ask("board", "post", "Garden", "<script>alert(1)</script> *soon*", "--subject", "A & B")
    async with Person.open(ada.profile, options=QUICK) as me:
        link = await me._core.member.get("/v1/feeds", wire.FeedLink)
        assert (await me._core.member.get("/v1/feeds", wire.FeedLink)).secret == link.secret
        path = f"/v1/feeds/{link.secret}/{to_text(b'g' * 16)}"
        async with Http(loopback(place.ready.url.removeprefix("http://").rstrip("/"))) as anybody:
            answer = await anybody.exchange("GET", path)
            assert answer.media == feeds.MEDIA.partition(";")[0]
            text = answer.body.decode()
            assert "<title>A &amp; B</title>" in text and "&lt;em&gt;soon&lt;/em&gt;" in text
            assert "<script" not in text and "&lt;script" not in text
            with refused("not_found"):
                await anybody.exchange("GET", f"/v1/feeds/{to_text(bytes(24))}/{to_text(b'g' * 16)}")
            fresh = await me._core.member.post("/v1/feeds", wire.FeedLink, None)
            assert fresh.secret != link.secret
            with refused("not_found"):
                await anybody.exchange("GET", path)
