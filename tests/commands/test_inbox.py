"""What comes from others and is written to this disk: names and whole files only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from appliance.commands.inbox import download, file_name, title

from appliance.client.entrance import Unanswered
from appliance.commands.shell import Failure
from appliance.protocol.desk import InboxItem


def item(**fields: Any) -> InboxItem:
    values: dict[str, Any] = {
        "id": "AAECAwQFBgcICQoLDA0ODw",
        "sender": "a" * 56 + ".onion",
        "sender_name": "Ada",
        "contact": True,
        "kind": "file",
        "name": "photo.jpg",
        "size": 10,
        "parts": 1,
        "parts_here": 1,
        "complete": True,
        "seen": False,
        "received": 0,
    }
    return InboxItem(**{**values, **fields})


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        (".bashrc", "bashrc"),
        ("..", "file-AAECAwQF"),
        ("", "file-AAECAwQF"),
        ("/", "file-AAECAwQF"),
        ("a\x00b\nc", "a·b·c"),
        ("Ünïcode 日本.txt", "Ünïcode 日本.txt"),
    ],
)
def test_a_foreign_name_stays_in_its_folder(name: str, safe: str) -> None:
    assert file_name(item(name=name)) == safe


def test_a_note_gets_a_name_of_its_own() -> None:
    assert file_name(item(kind="note", name="")) == "note-AAECAwQF.txt"
    assert title(item(kind="note", text="\n first line\nsecond")) == "first line"


class FakeDesk:
    """Gives the chunks it was made with, then perhaps an error."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self.chunks = chunks
        self.error = error

    @asynccontextmanager
    async def content(self, item: str) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self.read()

    async def read(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if self.error is not None:
            raise self.error


async def test_a_whole_file_is_saved(tmp_path: Path) -> None:
    target = tmp_path / "photo.jpg"
    await download(FakeDesk(b"01234", b"56789"), item(), target)
    assert target.read_bytes() == b"0123456789"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("desk", "error"),
    [
        (FakeDesk(b"01234"), Failure),
        (FakeDesk(b"01234", error=Unanswered("broken")), Unanswered),
    ],
)
async def test_half_a_file_leaves_the_old_one(tmp_path: Path, desk: FakeDesk, error: type[Exception]) -> None:
    target = tmp_path / "photo.jpg"
    target.write_bytes(b"old")
    with pytest.raises(error):
        await download(desk, item(), target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
