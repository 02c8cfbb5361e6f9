"""Twelve people on one box: three in browsers at three levels of safety, nine at programs of their own."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio

from appliance.client.person import Options, Person
from appliance.client.person.channel_timeline import ChannelMessage
from appliance.demo.actor import Actor
from appliance.demo.scene import Scene
from appliance.protocol.moderation import NewReport
from tests.browsers import PLAY_SECONDS, browsers_tor, converse
from tests.services import refused

ACT_SECONDS = 300.0
POLL_SECONDS = 0.2
PASSPHRASE = "copper finch nine harbour"
OPTIONS = Options(label="test", patience=2.0, stock=5, pauses=(0.1, 0.3, 1.0))
PROGRAMS = ["dora", "emil", "finn", "gita", "hugo", "ines", "jan", "kira", "lars"]
"""They are guests of the same box, with the Python client."""


@pytest.mark.tor
@pytest.mark.browser
@pytest.mark.slow
async def test_a_group_of_twelve(private_network, tmp_path):
    async with (
        Scene(tmp_path, private_network.torrc_path) as scene,
        browsers_tor(tmp_path / "browser", private_network.torrc) as socks,
    ):
        box = scene.cast("group")
        await scene.start("group")
        assert box.ready is not None
        command = [
            *("node", "e2e/twelve.mjs", "--claim", box.ready.claim_url or ""),
            *("--onion", f"http://{box.onion}", "--socks", str(socks)),
            *("--out", str(tmp_path / "shots"), "--names", ",".join(PROGRAMS)),
        ]
        with trio.fail_after(PLAY_SECONDS):
            async with AsyncExitStack() as doors:
                report = await converse(command, Crowd(box, doors).act)
        assert report["problems"] == []


class Crowd:
    """The nine; they do what the story asks of them."""

    def __init__(self, box: Actor, doors: AsyncExitStack) -> None:
        self.people: dict[str, Person] = {}
        self._channels: dict[str, bytes] = {}
        """By title, once somebody has seen them."""
        self._box, self._doors = box, doors

    async def act(self, wish: dict[str, Any]) -> Any:
        """One act of one person, up to where its effect is seen."""
        if wish["ask"] == "come":  # what stays open may not begin within a deadline that ends before it
            return await self._come(wish["who"], wish["code"])
        with trio.fail_after(ACT_SECONDS):
            match wish:
                case {"ask": "join", "who": name, "title": title}:
                    await self.people[name].channels.join(await self._channel(name, title))
                case {"ask": "say", "who": name, "title": title, "text": text}:
                    await self.people[name].channels.send(await self._channel(name, title), text)
                case {"ask": "reads", "who": name, "title": title, "texts": texts}:
                    return await self._reads(name, title, texts)
                case {"ask": "is out", "who": name, "title": title}:
                    await self._is_out(name, title)
                case {"ask": "answer", "who": name, "board": board, "text": text}:
                    await self._answer(name, board, text)
                case {"ask": "report", "who": name, "board": board, "text": text}:
                    await self._report(name, board, text)
                case _:
                    raise AssertionError(wish)
        return None

    async def _come(self, name: str, code: str) -> None:
        entering = Person.register(self._box.page, name, PASSPHRASE, invite=code, options=OPTIONS)
        self.people[name] = await self._doors.enter_async_context(entering)

    async def _channel(self, name: str, title: str) -> bytes:
        """The channel of this title, as soon as they see it: a private one's title comes with its key."""
        while True:
            for row in await self.people[name].channels.all():
                if row.title == title:
                    self._channels[title] = bytes.fromhex(row.id)
                    return self._channels[title]
            await trio.sleep(POLL_SECONDS)

    async def _reads(self, name: str, title: str, texts: list[str]) -> list[str]:
        """Wait until all of these can be read; everything that somebody reads there, oldest first."""
        channel = await self._channel(name, title)
        while True:
            found = await self.people[name].channels.read(channel, 200)
            if set(texts) <= {one.text for one in found}:
                return [shown(one) for one in found]
            await trio.sleep(POLL_SECONDS)

    async def _is_out(self, name: str, title: str) -> None:
        """Somebody who was put out: it is not in their list, and the box reads them nothing of it."""
        channels = self.people[name].channels
        while any(row.member and row.title == title for row in await channels.all()):
            await trio.sleep(POLL_SECONDS)
        with refused("not_member"):
            await channels.read(self._channels[title])

    async def _answer(self, name: str, board: str, text: str) -> None:
        desk = self.people[name].boards
        found = next(one for one in await desk.all() if one.title == board)
        thread = (await desk.threads(found.id)).threads[0]
        await desk.post(found.id, text, thread=thread.thread)

    async def _report(self, name: str, board: str, text: str) -> None:
        desk = self.people[name].boards
        found = next(one for one in await desk.all() if one.title == board)
        thread = (await desk.threads(found.id)).threads[0]
        post = next(one for one in await desk.posts(found.id, thread.thread) if text in one.body)
        assert post.proof == "signed"
        report = NewReport(os.urandom(16), "abuse", "This hurts.", log=found.id, entry=bytes.fromhex(post.id))
        await self.people[name].moderation.report(report)


def shown(message: ChannelMessage) -> str:
    """What somebody reads of a message: its words, or why there are none."""
    return message.text or f"({message.trouble})"
