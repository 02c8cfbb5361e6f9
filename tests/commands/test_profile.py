"""The command of one's own profile against a real box, and what the other side gets of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.commands import exits
from tests.boxes import Net, running
from tests.commands.test_message import Terminal
from tests.protocol.test_picture import FILES, PICTURES, VECTORS

WITH_CAMERA_DATA = FILES[0]
BARE = bytes.fromhex(VECTORS["files"][0]["bare"])


@pytest.fixture
async def friends(tmp_path: Path):
    """Ada and Bob, who have accepted each other."""
    async with running(Net(), tmp_path / "box", registration="open") as box:
        ada, bob = (Terminal(tmp_path / name, box.ready.url) for name in ("a", "b"))
        await ada.enter("sign-up", "ada")
        address = (await bob.enter("sign-up", "bob"))["address"]
        await ada.ask("message", "send", address, "hello")
        await bob.ask("message", "accept", "ada")
        await bob.ask("message", "send", "ada", "hello Ada")
        await ada.ask("message", "watch", "--count", "1")
        yield ada, bob


async def test_a_profile_is_shown_to_a_contact_and_taken_away(friends, tmp_path):
    ada, bob = friends
    file, got = tmp_path / "me.jpg", tmp_path / "ada.jpg"
    file.write_bytes(WITH_CAMERA_DATA)
    words = ("--name", "Ada", "--picture", str(file), "--zone", "Europe/Berlin")
    shown = await ada.ask("profile", *words)
    expected = {"display": "Ada", "picture": len(BARE), "zone": "Europe/Berlin", "zone_told": True}
    assert expected.items() <= shown.items()
    (contact,) = await bob.ask("message", "list")
    assert (contact["display"], contact["zone"], contact["picture"]) == ("Ada", "Europe/Berlin", True)
    await bob.ask("message", "picture", "ada", str(tmp_path))
    assert got.read_bytes() == BARE
    there = await bob.type("message", "picture", "ada", str(got))
    assert there.exit_code == exits.USAGE and got.read_bytes() == BARE

    plain = await ada.type("profile", "--no-picture", "--no-zone", "--name", "")
    assert "Picture    -" in plain.stdout and "Europe/Berlin, not told" in plain.stdout
    (contact,) = await bob.ask("message", "list")
    assert (contact["display"], contact["zone"], contact["picture"]) == ("", "", False)
    none = await bob.type("message", "picture", "ada")
    assert none.exit_code == exits.FAILED and "no picture" in none.stderr


async def test_what_cannot_be_shown_is_told_in_one_line(friends, tmp_path):
    ada, _ = friends
    large, other = tmp_path / "large.jpg", tmp_path / "me.png"
    large.write_bytes(PICTURES[0][:-2] + b"\1" * 9000 + PICTURES[0][-2:])
    other.write_bytes(b"\x89PNG\r\n\x1a\n")
    for file in (large, other):
        refused = await ada.type("profile", "--picture", str(file))
        assert refused.exit_code == exits.USAGE
        assert "8.0 KiB" in refused.stderr and f"convert {file}" in refused.stderr
    for wrong in (("--zone", "some where"), ("--name", "x" * 65), ("--picture", str(large), "--no-picture")):
        refused = await ada.type("profile", *wrong)
        assert refused.exit_code == exits.USAGE
    assert (await ada.ask("profile"))["picture"] == 0
