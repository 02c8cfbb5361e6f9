"""Files, voices and codes in real browsers: killed in the middle of uploads, listening, and looking."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import wave
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.demo.actor import Actor
from tests.browsers import LIGHT, PLAY_SECONDS

WEB = Path(__file__).parents[2] / "web"
RATE = 48_000


def tone(path: Path, hertz: int, seconds: int) -> None:
    """A sound file with one tone."""
    samples = (int(12_000 * math.sin(2 * math.pi * hertz * at / RATE)) for at in range(RATE * seconds))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", one) for one in samples))


@pytest.mark.browser
@pytest.mark.slow
async def test_files_and_voices(tmp_path):
    tone(tmp_path / "tone.wav", 440, 4)
    report = await drive(tmp_path, "e2e/files.mjs", "--sound", str(tmp_path / "tone.wav"))
    assert report["problems"] == [], report


@pytest.mark.browser
@pytest.mark.slow
async def test_codes_before_a_camera_and_in_pictures(tmp_path):
    report = await drive(tmp_path, "e2e/codes.mjs")
    assert report["problems"] == [], report


async def drive(folder: Path, *script: str) -> dict[str, Any]:
    """Run the browsers at a new box; their report."""
    box = Actor("box", folder, folder / "no-torrc", tor="off", settings=LIGHT)
    try:
        await box.start()
        assert box.ready is not None
        command = [
            *("node", *script, "--base", box.ready.url, "--claim", box.ready.claim_url or ""),
            *("--out", str(folder / "shots")),
        ]
        answer = await trio.to_thread.run_sync(
            partial(subprocess.run, command, cwd=WEB, capture_output=True, text=True, timeout=PLAY_SECONDS)
        )
        assert answer.stdout, answer.stderr
        return dict(json.loads(answer.stdout.splitlines()[-1]))
    finally:
        await box.stop()
