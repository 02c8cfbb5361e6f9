"""Two whole boxes: one mirrors a board of the other, reads it while that is off, and writes nothing there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from appliance.client.entrance import loopback
from appliance.client.http import Http
from appliance.protocol import board as wire
from appliance.protocol import mirror, prekeys
from appliance.protocol.codec import to_text
from appliance.protocol.desk import Health
from appliance.protocol.keys import SigningKey
from appliance.protocol.moderation import NewReport, Thank
from appliance.protocol.onion import public_key
from appliance.protocol.room import RoomAddress, write_address
from appliance.protocol.search import Hits
from tests.api.test_boards import GARDEN, PATH, Guest, Place, place, settle  # noqa: F401 (a fixture)
from tests.boxes import Net, Running, running, until
from tests.services import refused

PULL = f"/v1/mirrors/{to_text(GARDEN)}/pull"


@dataclass
class Far:
    """Another box, and its owner."""

    box: Running
    owner: Guest
    address: str
    """Of the home's board."""

    async def state(self) -> mirror.Mirror:
        (found,) = (await self.owner.ask(mirror.Mirrors, "/v1/mirrors")).mirrors
        return found

    async def threads(self) -> list[wire.Thread]:
        return list((await self.owner.ask(wire.Threads, f"{PATH}/threads")).threads)

    async def pull(self) -> None:
        await self.owner.ask(dict, PULL, None, "POST")


@pytest.fixture
async def far(place: Place, tmp_path: Any) -> AsyncIterator[Far]:  # noqa: F811
    async with running(place.net, tmp_path / "far") as box:
        address = write_address(RoomAddress(public_key(place.box.ready.onion), GARDEN))
        yield Far(box, await settle(box.desk.http), address)


async def trust(place: Place, *boxes: Running) -> None:  # noqa: F811
    peers = [public_key(box.ready.onion) for box in boxes]
    await place.owner.ask(wire.Board, PATH, wire.ChangeBoard(peers=peers), "PATCH")


async def mirrored(place: Place, far: Far) -> wire.Board:  # noqa: F811
    """A thread at home, and a mirror that has read it."""
    await place.member.submit(wire.Post, subject="Hello", body="*words*")
    await trust(place, far.box)
    made: wire.Board = await far.owner.ask(wire.Board, "/v1/mirrors", mirror.NewMirror(far.address, days=30))
    await until(far.threads)
    return made


async def test_a_mirror_is_made_by_its_address(place: Place, far: Far) -> None:  # noqa: F811
    look = mirror.LookAtRoom(far.address)
    with refused("no_room"):
        await far.owner.ask(mirror.RoomOffer, "/v1/mirrors/look", look)
    for address, code in (
        ("nonsense", "bad_room"),
        (write_address(RoomAddress(public_key(far.box.ready.onion), GARDEN)), "own_card"),
        (write_address(RoomAddress(SigningKey(b"n" * 32).public, GARDEN)), "unreachable"),
    ):
        with refused(code):
            await far.owner.ask(wire.Board, "/v1/mirrors", mirror.NewMirror(address))
    made = await mirrored(place, far)
    offer = await far.owner.ask(mirror.RoomOffer, "/v1/mirrors/look", look)
    assert (offer.title, offer.about, offer.threads, offer.posts) == ("Garden", "All that grows", 1, 1)
    assert (made.id, made.home, made.days) == (GARDEN, public_key(place.box.ready.onion), 30)
    again = await far.owner.ask(wire.Board, "/v1/mirrors", mirror.NewMirror(far.address))
    assert (again.id, again.days) == (GARDEN, 30)
    # Its address over there is nobody's: only a home gives a board away.
    with refused("own_card"):
        await place.owner.ask(mirror.RoomOffer, "/v1/mirrors/look", look)


async def test_people_read_and_search_a_mirror(place: Place, far: Far) -> None:  # noqa: F811
    await mirrored(place, far)
    (thread,) = await far.threads()
    page = await far.owner.ask(wire.Posts, f"{PATH}/threads/{to_text(thread.thread)}")
    value = wire.read(page.posts[0].post).value
    assert (value.name, value.onion, value.body) == (
        place.member.person.name,
        public_key(place.box.ready.onion),
        "*words*",
    )
    (entry,) = [prekeys.read_entry(one) for one in page.authors]
    assert (entry.name, entry.identity) == (value.name, place.member.person.identity.public)

    async def found() -> Any:
        return (await far.owner.ask(Hits, "/v1/search?q=words")).hits

    assert [hit.board for hit in await until(found)] == [GARDEN]
    answer = place.owner.sign(wire.Post, thread=thread.thread, body="an answer")
    await place.owner.ask(wire.Submitted, f"{PATH}/entries", answer)
    await far.pull()

    async def answered() -> bool:
        return (await far.threads())[0].posts == 2

    await until(answered)
    assert (await far.state()).behind == 0


async def test_a_mirror_is_there_while_its_home_is_not(tmp_path: Any) -> None:
    net = Net()
    async with running(net, tmp_path / "far") as box:
        owner = await settle(box.desk.http)
        async with running(net, tmp_path / "home") as home:
            keeper = await settle(home.desk.http)
            await keeper.ask(wire.Board, "/v1/boards", wire.NewBoard(GARDEN, "Garden"))
            address = write_address(RoomAddress(public_key(home.ready.onion), GARDEN))
            far = Far(box, owner, address)
            await mirrored(Place(home, net, keeper, keeper), far)
            before = await far.state()
            assert (before.problem, before.skipped) == (None, 0) and before.heard is not None
        state = await until(partial(troubled, far))
        assert (state.problem, state.heard) == ("unreachable", before.heard)
        assert [one.subject for one in await far.threads()] == ["Hello"]
        health = await owner.ask(Health, "/v1/health")
        (row,) = [row for row in health.rows if row.name == "Mirrors"]
        assert row.state == "warning"


async def troubled(far: Far) -> mirror.Mirror | None:
    """Read now; how it goes, once it goes wrong."""
    await far.pull()
    state = await far.state()
    return state if state.problem else None


async def test_a_home_that_trusts_no_more_gives_no_more(place: Place, far: Far) -> None:  # noqa: F811
    await mirrored(place, far)
    await trust(place)
    await place.member.submit(wire.Post, subject="Later", body="not for them")

    assert (await until(partial(troubled, far))).problem == "no_room"
    assert [one.subject for one in await far.threads()] == ["Hello"]
    await trust(place, far.box)

    async def caught_up() -> bool:
        await far.pull()
        return len(await far.threads()) == 2

    await until(caught_up)
    assert (await far.state()).problem is None


async def test_nobody_writes_on_a_mirror(place: Place, far: Far) -> None:  # noqa: F811
    await mirrored(place, far)
    (thread,) = await far.threads()
    with refused("mirrored"):
        await far.owner.submit(wire.Post, thread=thread.thread, body="from far away")
    with refused("mirrored"):
        await far.owner.ask(dict, "/v1/thanks", Thank(GARDEN, thread.thread))
    with refused("mirrored"):
        report = NewReport(id=b"r" * 16, why="other", words="x", log=GARDEN, entry=thread.thread)
        await far.owner.ask(dict, "/v1/reports", report)
    await far.owner.ask(dict, PATH, None, "DELETE")
    assert (await far.owner.ask(mirror.Mirrors, "/v1/mirrors")).mirrors == []


async def test_mirrors_are_the_admins_affair(place: Place) -> None:  # noqa: F811
    for path, value in (
        ("/v1/mirrors", mirror.NewMirror("x")),
        ("/v1/mirrors/look", mirror.LookAtRoom("x")),
        (PULL, None),
    ):
        with refused("role"):
            await place.member.ask(dict, path, value, "POST")
    with refused("no_board"):
        await place.owner.ask(dict, PULL, None, "POST")
    assert (await place.member.ask(mirror.Mirrors, "/v1/mirrors")).mirrors == []


async def test_a_mirror_is_read_without_scripts_and_by_feed(place: Place, far: Far) -> None:  # noqa: F811
    await mirrored(place, far)
    (thread,) = await far.threads()
    home = place.box.ready.onion
    async with Http(loopback(far.box.ready.url.removeprefix("http://").rstrip("/"))) as browser:
        browser.cookies = dict(far.owner.http.cookies)

        async def read(path: str) -> str:
            return (await browser.exchange("GET", path)).body.decode()

        page = await read(f"/plain/boards/{to_text(GARDEN)}")
        assert home in page and "/new" not in page
        page = await read(f"/plain/boards/{to_text(GARDEN)}/{to_text(thread.thread)}")
        name = place.member.person.name
        assert "<em>words</em>" in page and f"@{home[:8]}" in page and f"Signed by {name}" in page
        assert "<textarea" not in page and "/report" not in page
        secret = (await far.owner.ask(wire.FeedLink, "/v1/feeds")).secret
        assert f"<name>{name}@{home}</name>" in await read(f"/v1/feeds/{secret}/{to_text(GARDEN)}")
