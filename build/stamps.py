"""Stamps: they remember which inputs a finished step was built from, so that a second run does nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / ".cache"


def digest(inputs: Iterable[Path | str]) -> str:
    """Return one SHA-256 (hex) over texts, and over names and contents of files."""
    total = hashlib.sha256()
    for part in inputs:
        if isinstance(part, Path):
            content = part.read_bytes()
            total.update(f"{part.name}:{len(content)}:".encode() + content)
        else:
            total.update(f"text:{len(part)}:{part}".encode())
    return total.hexdigest()


def fresh(stamp: Path, key: str) -> bool:
    """Say whether the step that left this stamp was finished with the same inputs."""
    return stamp.is_file() and stamp.read_text().strip() == key


def write(stamp: Path, key: str) -> None:
    """Record that a step has been finished with these inputs."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(key + "\n")


def commit_time() -> str:
    """Return the time of the commit that is built, in seconds, or what the caller already set."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return os.environ["SOURCE_DATE_EPOCH"]
    asked = ["git", "log", "-1", "--format=%ct"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "0"
