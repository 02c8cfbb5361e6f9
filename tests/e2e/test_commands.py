"""The command line through real Tor: two boxes, everything typed as a person types it."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from click.testing import CliRunner, Result

from appliance.__main__ import cli
from appliance.commands import exits
from appliance.demo.scene import Scene

T = TypeVar("T")

pytestmark = [pytest.mark.tor, pytest.mark.slow]


class Person:
    """Somebody at the terminal of one box."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.actor = scene.actors[name]

    @property
    def profile(self) -> str:
        return str(self.actor.profile)

    async def type(self, *words: str, text: str | None = None) -> Result:
        # A command runs its own trio, so it gets a thread of its own.
        return await trio.to_thread.run_sync(lambda: CliRunner().invoke(cli, words, input=text))

    async def ask(self, *words: str, text: str | None = None) -> Any:
        """What a command of the box answers."""
        done = await self.type(*words, "--data", str(self.actor.data), "--json", text=text)
        assert done.exit_code == exits.DONE, done.output
        return json.loads(done.stdout)

    async def say(self, *words: str) -> Any:
        """What a command of the person answers."""
        done = await self.type("message", *words, "--profile", self.profile, "--json")
        assert done.exit_code == exits.DONE, done.output
        return json.loads(done.stdout)

    async def until(self, check: Callable[[], Awaitable[T]]) -> T:
        with trio.fail_after(300):
            while not (found := await check()):
                await trio.sleep(0.5)
            return found


@pytest.fixture
async def people(tmp_path: Path, private_network: Any) -> AsyncIterator[tuple[Person, Person]]:
    async with Scene(tmp_path, private_network.torrc_path) as scene:
        for name in ("ada", "bob"):
            scene.cast(name)
        await scene.start("ada", "bob")
        for name in ("ada", "bob"):
            await scene.claim(name)
        yield Person(scene, "ada"), Person(scene, "bob")


async def test_two_people_type(people: tuple[Person, Person], tmp_path: Path) -> None:
    ada, bob = people
    sent = await ada.say("send", bob.actor.address, "hello\nBob")
    (asking,) = await bob.until(lambda: bob.say("list"))
    assert (asking["address"], asking["state"]) == (ada.actor.address, "request")
    await bob.say("accept", "ada")
    (note,) = [one for one in await bob.say("read", "ada") if one["kind"] == "text"]
    assert (note["id"], note["text"], note["mine"]) == (sent["id"], "hello\nBob", False)

    async def state() -> bool:
        shown = await ada.say("read", "bob")
        return [one["state"] for one in shown if one["mine"]] == ["read"]

    await ada.until(state)

    content = secrets.token_bytes(300_000)
    (tmp_path / "map.bin").write_bytes(content)
    await ada.say("file", "bob", str(tmp_path / "map.bin"))

    async def come() -> list[Any]:
        return [one for one in await bob.say("read", "ada") if one["attachment"]]

    (file,) = await bob.until(come)
    assert file["attachment"]["name"] == "map.bin"
    save = ("message", "save", "ada", file["id"], str(tmp_path / "got.bin"), "--profile", bob.profile)

    async def saved() -> bool:
        return (await bob.type(*save)).exit_code == exits.DONE

    await bob.until(saved)  # its last pieces may still be on their way
    assert (tmp_path / "got.bin").read_bytes() == content
    again = await bob.type(*save)
    assert again.exit_code == exits.USAGE
    numbers = [(await one.say("safety", other))["digits"] for one, other in ((ada, "bob"), (bob, "ada"))]
    assert numbers[0] == numbers[1]


async def test_a_relay_and_readers(people: tuple[Person, Person]) -> None:
    ada, bob = people
    code = (await ada.ask("relay", "grant", "Bob"))["code"]
    used = await bob.ask("relay", "use", code, "--wait", "--timeout", "300")
    assert (used["address"], used["state"]) == (ada.actor.onion, "ready")

    async def lodged() -> bool:
        (row,) = [g for g in await ada.ask("relay", "grants") if g["label"] == "Bob"]
        return bool(row["mailboxes"] >= 1)

    await ada.until(lodged)
    assert (await bob.ask("relay", "leave", ada.actor.onion[:8]))["address"] == ada.actor.onion

    # Ada closes her onion to all but Bob; without his key her box cannot be seen at all.
    made = await ada.ask("reader", "add", "bob")
    assert [r["name"] for r in await ada.ask("reader")] == ["bob"]
    await bob.ask("reader", "key", "add", ada.actor.onion, "-", text=made["private_key"] + "\n")
    assert await bob.ask("reader", "key") == [ada.actor.onion]
    await bob.say("send", ada.actor.address, "only I can see you")
    await bob.ask("reader", "key", "remove", ada.actor.onion[:8])
    await ada.ask("reader", "remove", "bob")
    assert await ada.ask("reader") == []
