"""Boards over HTTP, at a whole box: rights, bounds, cursors, news, and feeds at both entrances."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pytest

from appliance.client.entrance import loopback, onion
from appliance.client.http import Http
from appliance.protocol import board as wire
from appliance.protocol.account import BindDevice, Invite, NewInvite, Session
from appliance.protocol.codec import CBOR, to_text
from appliance.protocol.directory import Published
from appliance.protocol.log import WatchLogs
from appliance.protocol.onion import public_key
from appliance.protocol.post import Events
from tests.boxes import Net, Running, running
from tests.households import Person as Newcomer
from tests.persons import Person
from tests.services import refused

GARDEN = b"G" * 16
PATH = f"/v1/boards/{to_text(GARDEN)}"
ATOM = "{http://www.w3.org/2005/Atom}"


@dataclass
class Guest:
    """Somebody who is signed in at the box and has an identity there."""

    http: Http
    person: Person

    async def ask(self, kind: Any, path: str, value: Any = None, method: str = "") -> Any:
        method = method or ("GET" if value is None else "POST")
        return await self.http.call(method, path, kind, value, media=CBOR)

    def sign(self, kind: type[wire.Word], **fields: Any) -> wire.Submit:
        common = {"v": 1, "id": os.urandom(16), "board": GARDEN, "sent": 1, "name": self.person.name}
        common |= {"onion": self.person.box, "identity": self.person.identity.public}
        return wire.Submit(wire.write(self.person.identity, kind(**(common | fields))))  # type: ignore[arg-type]

    async def submit(self, kind: type[wire.Word], **fields: Any) -> int:
        submitted = await self.ask(wire.Submitted, f"{PATH}/entries", self.sign(kind, **fields))
        return int(submitted.number)


@dataclass
class Place:
    """A box with a board, its owner, and a member."""

    box: Running
    net: Net
    owner: Guest
    member: Guest


async def settle(http: Http) -> Guest:
    session = await http.call("GET", "/v1/session", Session, media=CBOR)
    person = Person(session.name, public_key(session.onion), session.account)
    device = BindDevice(person.devices[0].id)
    await http.call("POST", "/v1/session/device", dict, device, media=CBOR)
    guest = Guest(http, person)
    await guest.ask(Published, "/v1/prekeys", person.publication(1))
    return guest


@pytest.fixture
async def place(tmp_path) -> AsyncIterator[Place]:
    net = Net()
    async with running(net, tmp_path / "box") as box:
        made = await box.desk.http.call("POST", "/v1/invites", Invite, NewInvite(uses=1))
        async with Http(loopback(box.ready.url.removeprefix("http://").rstrip("/"))) as http:
            await http.call("POST", "/v1/accounts", Session, Newcomer("ben").register(made.code))
            owner = await settle(box.desk.http)
            await owner.ask(wire.Board, "/v1/boards", wire.NewBoard(GARDEN, "Garden", "All that grows"))
            yield Place(box, net, owner, await settle(http))


async def test_boards_are_the_owners_and_posts_everybodys(place: Place) -> None:
    owner, member = place.owner, place.member
    for path, value, method in (
        ("/v1/boards", wire.NewBoard(os.urandom(16), "Mine"), "POST"),
        (PATH, wire.ChangeBoard(closed=True), "PATCH"),
        (PATH, None, "DELETE"),
    ):
        with refused("role"):
            await member.ask(wire.Board, path, value, method)
    thread = member.sign(wire.Post, subject="Hello", body="*words*")
    number = (await member.ask(wire.Submitted, f"{PATH}/entries", thread)).number
    id = wire.value_of(thread.signed).id
    await owner.submit(wire.Post, thread=id, body="an answer")
    await owner.submit(wire.Moderation, target=id, act="pin")
    with refused("role"):
        await member.submit(wire.Moderation, target=id, act="unpin")
    await member.submit(wire.Edit, target=id, previous=wire.digest(thread.signed), body="better words")
    await member.submit(wire.Notice, subject="chess/move", data=b"e4")
    threads = await owner.ask(wire.Threads, f"{PATH}/threads")
    assert [(row.subject, row.posts, row.pinned) for row in threads.pinned] == [("Hello", 2, True)]
    page = await owner.ask(wire.Posts, f"{PATH}/threads/{to_text(id)}?after={number}&limit=1")
    assert [wire.read(view.post).value.body for view in page.posts] == ["an answer"]
    versions = await owner.ask(wire.Versions, f"{PATH}/posts/{to_text(id)}")
    assert [wire.read(one).value.body for one in versions.versions] == ["*words*", "better words"]
    events = await owner.ask(wire.Notices, f"{PATH}/events")
    assert [wire.read(one.signed).value.data for one in events.notices] == [b"e4"]
    assert (await owner.ask(wire.Held, f"{PATH}/held")).entries == []
    changed = await owner.ask(wire.Board, PATH, wire.ChangeBoard(closed=True), "PATCH")
    assert changed.closed
    with refused("board_closed"):
        await member.submit(wire.Post, subject="Late", body="x")
    await owner.ask(dict, PATH, None, "DELETE")
    with refused("no_board"):
        await member.ask(wire.Threads, f"{PATH}/threads")
    assert (await member.ask(wire.Boards, "/v1/boards")).boards == []


async def test_what_cannot_be_read_is_refused(place: Place) -> None:
    member = place.member
    for path in (
        f"{PATH}/threads?limit=0",
        f"{PATH}/threads?limit=101",
        f"{PATH}/threads?before=x",
        f"{PATH}/events?limit=257",
        f"{PATH}/held?limit=0",
        "/v1/boards/short/threads",
        "/v1/search?q=" + "x" * 201,
        "/v1/search?q=x&limit=51",
        "/v1/search?q=x&board=short",
    ):
        with refused("malformed"):
            await member.ask(dict, path)
    with refused("no_thread"):
        await member.ask(wire.Posts, f"{PATH}/threads/{to_text(bytes(16))}")
    with refused("no_entry"):
        await member.ask(wire.Versions, f"{PATH}/posts/{to_text(bytes(16))}")
    with refused("malformed"):
        await member.ask(wire.Submitted, f"{PATH}/entries", wire.Submit(bytes(wire.MAX_SIGNED + 1)))
    with refused("bad_post"):
        await member.ask(wire.Submitted, f"{PATH}/entries", wire.Submit(bytes(100)))
    async with Http(onion(place.net.dial, place.box.ready.onion)) as stranger:
        for path in ("/v1/boards", f"{PATH}/threads", "/v1/search?q=x", "/v1/feeds"):
            with refused("sign_in"):
                await stranger.call("GET", path, dict)


async def test_who_watches_a_board_hears_of_posts(place: Place) -> None:
    member = place.member
    hello = await member.ask(Events, "/v1/events")
    await member.ask(dict, "/v1/logs/watch", WatchLogs([GARDEN]))
    await place.owner.submit(wire.Post, subject="News", body="heard at once")
    stream, last = to_text(hello.stream), hello.events[-1].number
    heard = []
    while not heard:
        page = await member.ask(Events, f"/v1/events?stream={stream}&after={last}")
        heard = [event.log for event in page.events if event.log is not None]
        last = max([last, *(event.number for event in page.events)])
    assert wire.read(heard[0].entries[0].body).value.body == "heard at once"


async def test_a_feed_leads_back_to_the_entrance_it_was_asked_at(place: Place) -> None:
    await place.member.submit(wire.Post, subject="A & B", body="<b>x</b> *soon*\n\x00")
    secret = (await place.member.ask(wire.FeedLink, "/v1/feeds")).secret
    path = f"/v1/feeds/{secret}/{to_text(GARDEN)}"
    async with Http(onion(place.net.dial, place.box.ready.onion)) as reader:
        answer = await reader.exchange("GET", path)
        with refused("no_board"):
            await reader.exchange("GET", f"/v1/feeds/{secret}/{to_text(bytes(16))}")
    feed = ElementTree.fromstring(answer.body)
    assert feed.findtext(f"{ATOM}title") == "Garden"
    (entry,) = feed.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == "A & B"
    assert "<em>soon</em>" in (entry.findtext(f"{ATOM}content") or "")
    assert entry.find(f"{ATOM}link").attrib["href"].startswith(f"http://{place.box.ready.onion}/#/boards/")
    fresh = (await place.member.ask(wire.FeedLink, "/v1/feeds", None, "POST")).secret
    assert fresh != secret
    async with Http(onion(place.net.dial, place.box.ready.onion)) as reader:
        with refused("not_found"):
            await reader.exchange("GET", path)
