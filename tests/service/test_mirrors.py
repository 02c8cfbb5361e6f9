"""When a mirror's home is asked, how often again, and what bounds what it brings; over real wires."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.protocol import board as wire
from appliance.protocol import mirror
from appliance.protocol.onion import public_key
from appliance.protocol.room import RoomAddress, write_address
from appliance.service.mirrors import CALM_SECONDS, FIRST_PAUSE, LIVE_SECONDS, LONGEST_PAUSE, Mirrors
from appliance.service.remotes import Remotes
from tests.api.test_boards import GARDEN, PATH, Guest, settle
from tests.boards import Author, BoardHouse
from tests.boxes import Net, running
from tests.services import Time, opened, refused


@dataclass
class Far:
    """A box whose mirrors are read by hand, and the home of the board that it mirrors."""

    box: BoardHouse
    mirrors: Mirrors
    ben: Author
    keeper: Guest
    net: Net
    host: str
    posted: list[bytes]

    async def make(self, **fields: Any) -> wire.Board:
        address = write_address(RoomAddress(public_key(self.host), GARDEN))
        return await self.mirrors.make(self.ben.caller, mirror.NewMirror(address, **fields))

    async def step(self) -> float:
        """Read now; seconds until the next time."""
        self.mirrors.hasten(GARDEN)
        return await self.mirrors.step()

    async def state(self) -> mirror.Mirror:
        (found,) = (await self.mirrors.page()).mirrors
        return found

    async def leave(self) -> None:
        """The home is not reachable any more."""
        self.net.sockets.pop(self.host)
        await self.mirrors._remotes.__aexit__()


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Far]:
    net = Net()
    async with running(net, tmp_path / "home", posts_minute=600) as home, Remotes(net.dial) as remotes:
        keeper = await settle(home.desk.http)
        await keeper.ask(wire.Board, "/v1/boards", wire.NewBoard(GARDEN, "Garden"))
        await keeper.submit(wire.Post, subject="Hello", body="words")
        async with opened(tmp_path / "far", Time()) as house:
            box = BoardHouse(house)
            ben = await box.author("ben", "owner")
            peers = wire.ChangeBoard(peers=[house.ring.identity.public])
            await keeper.ask(wire.Board, PATH, peers, "PATCH")
            mirrors = Mirrors(
                house.store, house.ring, house.config, house.clock, remotes, box.boards, box.logs
            )
            posted: list[bytes] = []
            mirrors.on_posted = posted.append
            yield Far(box, mirrors, ben, keeper, net, home.ready.onion, posted)


async def test_a_home_is_asked_as_often_as_its_news_are_wanted(far: Far) -> None:
    assert await far.mirrors.step() == pytest.approx(CALM_SECONDS, abs=5)
    await far.make()
    pause = await far.mirrors.step()
    assert LIVE_SECONDS - 20 < pause <= LIVE_SECONDS
    assert far.posted == [GARDEN]
    assert await far.mirrors.step() <= pause, "nothing is due"
    await far.box.boards.change(far.ben.caller, GARDEN, wire.ChangeBoard(realtime=False))
    assert LIVE_SECONDS < await far.step() <= CALM_SECONDS
    assert (await far.state()).heard == int(far.box.house.clock())
    assert far.mirrors.row().state == "good"


async def test_pauses_grow_while_a_home_is_away(far: Far) -> None:
    await far.make()
    await far.step()
    await far.leave()
    expected = FIRST_PAUSE
    for _ in range(10):
        assert await far.step() == pytest.approx(expected, abs=20)
        expected = min(expected * 2, LONGEST_PAUSE)
    assert expected == LONGEST_PAUSE
    assert (await far.state()).problem == "unreachable"


async def test_a_mirror_holds_no_more_than_it_may(far: Far) -> None:
    far.mirrors.configure(replace(far.box.house.config, mirror_octets=1))
    await far.make()
    await far.step()
    await far.keeper.submit(wire.Post, subject="Later", body="more words")
    await far.step()
    assert (await far.state()).problem == "mirror_full"
    assert [one.subject for one in (await far.box.pages.threads(GARDEN)).threads] == ["Hello"]
    far.mirrors.configure(far.box.house.config)
    await far.step()
    assert (await far.state()).problem is None
    assert len((await far.box.pages.threads(GARDEN)).threads) == 2


async def test_all_pages_are_read_in_one_visit(far: Far) -> None:
    for number in range(300):
        await far.keeper.submit(wire.Notice, subject="tick", data=b"%d" % number)
    await far.make()
    await far.step()
    assert (await far.state()).behind == 0
    notices = (await far.box.pages.events(GARDEN, limit=256)).notices
    assert [wire.read(one.signed).value.data for one in notices] == [b"%d" % n for n in range(256)]  # type: ignore[union-attr]


async def test_where_boards_are_switched_off_no_home_is_asked(far: Far) -> None:
    await far.make()
    off = replace(far.box.house.config, boards=False)
    far.mirrors.configure(off)
    far.box.boards.configure(off)
    dialled = len(far.net.dialled)
    assert await far.step() > LIVE_SECONDS
    assert (len(far.net.dialled), far.posted) == (dialled, [])
    with refused("switched_off"):
        await far.make()


async def test_the_task_reads_at_once_what_was_made(far: Far) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(far.mirrors.run)
        await far.make()
        with trio.fail_after(60):
            while not far.posted:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def test_homes_are_asked_on_circuits_of_their_own(far: Far) -> None:
    await far.make()
    assert {isolation for _, isolation in far.net.dialled} == {f"{far.host}:mirror:0"}
