"""A board of one box is read on another over real Tor, also after its home was killed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from appliance.client.person import Person
from appliance.demo.scene import Scene
from appliance.protocol import board as wire
from appliance.protocol.onion import public_key
from appliance.protocol.room import RoomAddress, write_address
from tests.boxes import until

SECONDS = 300.0


@pytest.mark.tor
@pytest.mark.slow
async def test_a_board_is_read_while_its_home_is_off(private_network: Any, tmp_path: Path) -> None:
    async with Scene(tmp_path, private_network.torrc_path) as scene:
        home, far = scene.cast("home"), scene.cast("far")
        await scene.start("home", "far")
        await scene.claim("home")
        await scene.claim("far")
        async with home.client() as ada:
            board = await ada.boards.make("Garden", "All that grows")
            await ada.boards.post(board.id, "In *August*.", subject="Tomatoes")
            await ada.boards.change(board.id, peers=[public_key(far.onion)])
        room = write_address(RoomAddress(public_key(home.onion), board.id))
        async with far.client() as ben:
            mirror = await ben.boards.mirror(room, 30)
            assert (mirror.id, mirror.home) == (board.id, public_key(home.onion))
            await until(partial(threads, ben, board.id), SECONDS)
        await home.kill()
        await far.kill()
        await far.start()
        async with far.client() as ben:
            (thread,) = await threads(ben, board.id)
            (post,) = await ben.boards.posts(board.id, thread.thread, home=mirror.home)
            assert (post.body, post.proof, post.own) == ("In *August*.", "signed", False)


async def threads(me: Person, board: bytes) -> list[wire.Thread]:
    return list((await me.boards.threads(board)).threads)
