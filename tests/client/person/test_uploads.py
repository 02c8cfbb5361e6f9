"""Files whose sender is killed in the middle: they go on from the sealed copy, or from the same file."""

from __future__ import annotations

import signal
import subprocess
from contextlib import asynccontextmanager

import trio

from appliance.client.person import Person, profile
from appliance.demo.actor import program
from tests.boxes import Net, running
from tests.clients import QUICK, befriend, door, hear, joining, once

DATA = bytes(range(256)) * 80_000
"""Twenty megabytes: some forty requests, whose chunks have an index."""


@asynccontextmanager
async def killed(folder):
    """Ada's command is killed in the middle of a file; Bob has its message."""
    kept, path = folder / "ada", folder / "film.mkv"
    path.write_bytes(DATA)
    async with (
        running(Net(), folder / "box", registration="open") as box,
        joining(box, "bob") as bob,
    ):
        async with joining(box, "ada", profile=kept) as ada:
            await befriend(ada, bob)
        command = [*program(), "message", "file", "bob", str(path), "--profile", str(kept)]
        sending = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL)
        (message,) = await hear(bob)
        sending.send_signal(signal.SIGKILL)
        assert await sending.wait() == -signal.SIGKILL
        assert [one.stat().st_size > len(DATA) for one in profile.sealed(kept).iterdir()] == [True]
        yield box, bob, kept, path, message


async def is_sent(me: Person, message) -> bool:
    found = await me.find(me.contacts()[0].address, message.id)
    return found.attachment is not None and not found.attachment.unsent


async def test_a_killed_command_goes_on_at_the_next_start(tmp_path):
    async with killed(tmp_path) as (box, _bob, kept, path, message):
        path.unlink()
        async with Person.open(kept, door(box), options=QUICK) as ada:
            await once(ada, lambda: not list(profile.sealed(kept).iterdir()), 60)
            assert await is_sent(ada, message)
        assert await message.content() == DATA


async def test_without_the_copy_it_says_so_and_the_same_file_goes_on(tmp_path):
    async with killed(tmp_path) as (box, bob, kept, path, message):
        for one in profile.sealed(kept).iterdir():
            one.unlink()
        async with Person.open(kept, door(box), options=QUICK) as ada:
            assert not await is_sent(ada, message)
            assert (await ada.send_file(bob.address, path)).id == message.id
            assert await is_sent(ada, message)
        assert await message.content() == DATA
        assert [one.id for one in await bob.history(bob.contacts()[0].address) if one.attachment] == [
            message.id
        ]
