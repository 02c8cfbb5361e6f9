"""The tree's own rules: short files, lock files that name no address, no path of one machine anywhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import stamps

LONGEST: Final = 400
# Catalogues of words are as long as the program has words.
CATALOGUES: Final = re.compile(r"(^|/)(locales?|i18n)/")
SOURCE: Final = {".py", ".ts", ".svelte", ".css", ".sh"}
# These name what they forbid.
SPEAK_OF_RULES: Final = {"build/tree.py", "tests/build/test_tree.py"}
EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "requirements.lock": (),
    "requirements-dev.lock": ("dev",),
    "requirements-freeze.lock": ("freeze",),
}
LOCK_NAMES: Final = re.compile(r"(^|/)(requirements[^/]*\.lock|package-lock\.json)$")
ADDRESS: Final = re.compile(r"[a-z+]+://[^\s\"']+|^--(extra-)?index-url|^--find-links", re.MULTILINE)
# What `npm` writes about where to send money is no place that anything is fetched from.
FUNDING: Final = re.compile(r'"funding": (\{[^}]*\}|\[[^\]]*\]|"[^"]*")')
MACHINE_PATH: Final = re.compile(r"(?<![\w.$/~-])/(work|farm)/")
UNFINISHED: Final = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")


def faults(name: str, text: str) -> Iterator[str]:
    """Yield one sentence for each rule that a file of this name and text breaks."""
    suffix = Path(name).suffix
    lines = text.count("\n")
    if suffix in SOURCE and lines > LONGEST and not CATALOGUES.search(name):
        yield f"{name}: {lines} lines; {LONGEST} are the most"
    if LOCK_NAMES.search(name) and (address := ADDRESS.search(FUNDING.sub("", text))):
        yield f"{name}: names an address ({address[0]}); lock files pin by version and hash alone"
    if found := MACHINE_PATH.search(text):
        yield f"{name}: names a path of one machine ({found[0]}…)"
    if suffix in SOURCE and (found := UNFINISHED.search(text)):
        yield f"{name}: is unfinished ({found[0]})"


def stale_locks(project: str, locks: dict[str, str]) -> Iterator[str]:
    """Yield one sentence for each pin of pyproject.toml that its lock (name → text) does not have."""
    described = tomllib.loads(project)["project"]
    for lock, text in locks.items():
        wanted = list(described["dependencies"])
        wanted += [pin for extra in EXTRAS[lock] for pin in described["optional-dependencies"][extra]]
        pinned = {line.split()[0] for line in text.splitlines() if "==" in line}
        for pin in wanted:
            if pin.lower() not in {entry.lower() for entry in pinned}:
                yield f"build/{lock}: lacks {pin}, which pyproject.toml names; run `make lock`"


def _every() -> Iterator[str]:
    """Yield every breach among the files that git knows or would take."""
    for name in _tracked():
        path = stamps.ROOT / name
        if not path.is_file() or name in SPEAK_OF_RULES:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        yield from faults(name, text)
    locks = {lock: (stamps.ROOT / "build" / lock).read_text() for lock in EXTRAS}
    yield from stale_locks((stamps.ROOT / "pyproject.toml").read_text(), locks)


def _tracked() -> list[str]:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=stamps.ROOT, capture_output=True, check=True).stdout.decode()
    return sorted(name for name in found.split("\0") if name and not Path(name).is_symlink())


if __name__ == "__main__":
    every = list(_every())
    print("\n".join(every) or "tree: in order")
    sys.exit(1 if every else 0)
