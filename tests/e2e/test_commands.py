"""The command line through real Tor: two boxes, everything typed as a person types it."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result

from appliance.__main__ import cli
from appliance.commands import exits
from appliance.demo.scene import Scene

pytestmark = [pytest.mark.tor, pytest.mark.slow]


class Person:
    """Somebody at the terminal of one box."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.actor = scene.actors[name]

    async def type(self, *words: str, text: str | None = None) -> Result:
        def call() -> Result:
            return CliRunner().invoke(cli, [*words, "--data", str(self.actor.data)], input=text)

        # A command runs its own trio, so it gets a thread of its own.
        return await trio.to_thread.run_sync(call)

    async def ask(self, *words: str, text: str | None = None) -> Any:
        done = await self.type(*words, "--json", text=text)
        assert done.exit_code == exits.DONE, done.output
        return json.loads(done.stdout)


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
    # By card one way, by address the other: both are on.
    card = (await bob.type("id", "--card")).output.strip()
    assert (await ada.ask("contact", "add", card))["name"] == "bob"
    assert (await bob.ask("contact", "add", ada.actor.onion, "--name", "Ada L."))["name"] == "Ada L."

    sent = await ada.ask("send", "bob", "hello\nBob", "--delivered", "--timeout", "90")
    assert sent["state"] == "delivered"
    (note,) = await bob.ask("inbox")
    assert (note["sender_name"], note["kind"], note["text"]) == ("Ada L.", "note", "hello\nBob")
    shown = await bob.type("inbox", "show", note["id"][:6])
    assert shown.output.endswith("hello\nBob\n")

    content = secrets.token_bytes(300_000)
    (tmp_path / "map.bin").write_bytes(content)
    sent = await ada.ask("send", "bob", "--file", str(tmp_path / "map.bin"), "--delivered", "--timeout", "90")
    assert sent["state"] == "delivered"
    (file,) = [item for item in await bob.ask("inbox") if item["kind"] == "file"]
    saved = await bob.ask("inbox", "save", file["id"], "--to", str(tmp_path / "got.bin"))
    assert (Path(saved["path"]).read_bytes(), file["name"]) == (content, "map.bin")
    again = await bob.type("inbox", "save", file["id"], "--to", str(tmp_path / "got.bin"))
    assert again.exit_code == exits.FAILED
    await bob.ask("inbox", "remove", file["id"])
    assert len(await bob.ask("inbox")) == 1


async def test_a_relay_and_readers(people: tuple[Person, Person]) -> None:
    ada, bob = people
    code = (await ada.ask("relay", "grant", "Bob"))["code"]
    used = await bob.ask("relay", "use", code, "--wait", "--timeout", "90")
    assert (used["address"], used["state"]) == (ada.actor.onion, "ready")
    (row,) = [g for g in await ada.ask("relay", "grants") if g["label"] == "Bob"]
    assert row["mailboxes"] >= 1
    assert (await bob.ask("relay", "leave", ada.actor.onion[:8]))["address"] == ada.actor.onion

    # Ada closes her onion to all but Bob; without his key her box cannot be seen at all.
    made = await ada.ask("reader", "add", "bob")
    assert [r["name"] for r in await ada.ask("reader")] == ["bob"]
    await bob.ask("reader", "key", "add", ada.actor.onion, "-", text=made["private_key"] + "\n")
    assert await bob.ask("reader", "key") == [ada.actor.onion]
    added = await bob.type("contact", "add", ada.actor.onion)
    assert added.exit_code == exits.DONE, added.output
    await bob.ask("reader", "key", "remove", ada.actor.onion[:8])
    await ada.ask("reader", "remove", "bob")
    assert await ada.ask("reader") == []
