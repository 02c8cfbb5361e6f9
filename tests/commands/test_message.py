"""The commands of a person against a real box: sign up, write, read, watch, sign out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result

from appliance.__main__ import cli
from appliance.client.person import Person
from appliance.commands import exits
from tests.boxes import Net, Running, running
from tests.clients import PASSPHRASE, QUICK, once


class Terminal:
    """Somebody's command line: their own profile, one box."""

    def __init__(self, folder: Path, box: str) -> None:
        self.profile = folder / "profile"
        self.box = box
        folder.mkdir()
        (folder / "passphrase").write_text(PASSPHRASE + "\n")

    async def type(self, *words: str, text: str | None = None, **env: str) -> Result:
        settings = {"ISLAND_PROFILE": str(self.profile), **env}

        def call() -> Result:
            return CliRunner().invoke(cli, [*words], input=text, env=settings)

        with trio.fail_after(60):
            return await trio.to_thread.run_sync(call)

    async def ask(self, *words: str, text: str | None = None) -> Any:
        done = await self.type(*words, "--json", text=text)
        assert done.exit_code == exits.DONE, done.output
        return json.loads(done.stdout)

    async def enter(self, how: str, name: str, *more: str) -> Any:
        secret = str(self.profile.parent / "passphrase")
        return await self.ask(how, name, "--box", self.box, "--passphrase-file", secret, *more)


@pytest.fixture
async def box(tmp_path: Path):
    async with running(Net(), tmp_path / "box", registration="open") as box:
        yield box


@pytest.fixture
def terminals(tmp_path: Path, box: Running) -> tuple[Terminal, Terminal]:
    # One comes by the data folder, the other by the page's address.
    return Terminal(tmp_path / "a", str(tmp_path / "box")), Terminal(tmp_path / "b", box.ready.url)


async def test_two_people_type(terminals, tmp_path):
    ada, bob = terminals
    first = await ada.enter("sign-up", "ada", "--codes")
    assert len(first["codes"]) == 8
    address = (await bob.enter("sign-up", "bob"))["address"]
    sent = await ada.ask("message", "send", address, "hello\nBob")
    assert sent["state"] in ("waiting", "box")

    (request,) = await bob.ask("message", "list")
    assert (request["address"], request["state"], request["unread"]) == (first["address"], "request", 1)
    shown = await bob.type("message", "read", "ada", "--unread")
    assert "ada: hello\n    Bob" in shown.stdout
    await bob.ask("message", "accept", "ada")
    await bob.ask("message", "react", "ada", sent["id"][:8], "👍")
    answer = await bob.ask("message", "send", "ada", "-", "--reply", sent["id"], text="hi Ada\n")

    heard = await ada.ask("message", "watch", "--count", "1")
    assert (heard["text"], heard["answers"]) == ("hi Ada", sent["id"])
    (mine, *_) = await ada.ask("message", "read", "bob")
    assert mine["reactions"] == {"👍": 1} and mine["state"] == "box"

    await bob.ask("message", "edit", "ada", answer["id"], "hi, Ada")
    assert [one["text"] for one in await ada.ask("message", "read", "bob")][-1] == "hi, Ada"
    await ada.ask("message", "delete", "bob", sent["id"])
    assert (await bob.ask("message", "read", "ada"))[0]["deleted"]

    numbers = await ada.ask("message", "safety", "bob")
    assert numbers["digits"] == (await bob.ask("message", "safety", "ada"))["digits"]

    file = tmp_path / "notes.txt"
    file.write_bytes(b"x" * 20_000)
    named = await ada.ask("message", "file", "bob", str(file), "--text", "see")
    await bob.ask("message", "save", "ada", named["id"], str(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes() == file.read_bytes()
    again = await bob.type("message", "save", "ada", named["id"], str(tmp_path / "got"))
    assert again.exit_code == exits.USAGE

    await ada.ask("message", "block", "bob")
    refused = await ada.type("message", "send", "bob", "no")
    assert refused.exit_code == exits.FAILED and "blocked" in refused.stderr


async def test_signing_in_and_out(terminals):
    ada, bob = terminals
    made = await ada.enter("sign-up", "ada", "--codes")
    nobody = await bob.type("message", "list")
    assert nobody.exit_code == exits.FAILED and "sign-in" in nobody.stderr
    assert (await bob.enter("sign-in", "ada"))["address"] == made["address"]
    assert await bob.ask("sign-out") == {"signed_out": "ada"}
    assert not bob.profile.exists()
    (bob.profile.parent / "passphrase").write_text(made["codes"][0])
    assert (await bob.enter("sign-in", "ada", "--code"))["address"] == made["address"]
    await bob.ask("sign-out")
    wrong = await bob.type("sign-in", "ada", "--box", bob.box, text="not the passphrase\n")
    assert wrong.exit_code == exits.FAILED and "wrong" in wrong.stderr


async def test_commands_work_beside_one_that_watches(terminals):
    ada, bob = terminals
    await ada.enter("sign-up", "ada")
    address = (await bob.enter("sign-up", "bob"))["address"]
    async with Person.open(ada.profile, options=QUICK) as watching:
        sent = await ada.ask("message", "send", address, "while I watch")
        assert (await bob.ask("message", "read", "ada"))[0]["id"] == sent["id"]
        await ada.ask("message", "list")

        async def seen():
            return [one.text for one in await watching.history(address)] == ["while I watch"]

        await once(watching, seen)
    assert [one.name for one in sorted(ada.profile.parent.glob("profile*"))] == [
        "profile",
        "profile-2",
        "profile-2.lock",
        "profile.lock",
    ]
    assert await ada.ask("sign-out") == {"signed_out": "ada"}
    assert not list(ada.profile.parent.glob("profile-2")) and not ada.profile.exists()


async def test_what_is_refused_is_told_in_one_line(terminals, tmp_path):
    ada, _ = terminals
    await ada.enter("sign-up", "ada")
    for words, code in (
        (["message", "send", f"ghost@{'a' * 56}.onion", "hi"], exits.FAILED),
        (["message", "read", "ghost"], exits.FAILED),
        (["message", "edit", "ghost", "00", "x"], exits.FAILED),
        (["sign-up", "bob", "--box", str(tmp_path / "nowhere"), "--passphrase-file", "-"], exits.NO_BOX),
        (["sign-in"], exits.USAGE),
    ):
        done = await ada.type(*words, text=PASSPHRASE)
        assert done.exit_code == code, (words, done.output)
        assert "Traceback" not in done.output
