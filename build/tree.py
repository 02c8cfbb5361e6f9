"""The tree's own rules: short files, lock files that name no address, no path of one machine anywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import stamps

LONGEST: Final = 400
# Catalogues of words are as long as the program has words.
CATALOGUES: Final = re.compile(r"(^|/)(locales?|i18n)/")
SOURCE: Final = {".py", ".ts", ".svelte", ".css", ".sh"}
LOCK_NAMES: Final = re.compile(r"(^|/)(requirements[^/]*\.lock|package-lock\.json)$")
ADDRESS: Final = re.compile(r"[a-z+]+://[^\s\"']+|^--(extra-)?index-url|^--find-links", re.MULTILINE)
# What `npm` writes about where to send money is no place that anything is fetched from.
FUNDING: Final = re.compile(r'"funding": (\{[^}]*\}|\[[^\]]*\]|"[^"]*")')
MACHINE_PATH: Final = re.compile(r"(?<![\w.$/~-])/(work|farm)/")
UNFINISHED: Final = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")


def faults() -> Iterator[str]:
    """Yield one sentence for each breach of the rules among the files that git knows."""
    for name in _tracked():
        path = stamps.ROOT / name
        if not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        lines = text.count("\n")
        if path.suffix in SOURCE and lines > LONGEST and not CATALOGUES.search(name):
            yield f"{name}: {lines} lines; {LONGEST} are the most"
        if LOCK_NAMES.search(name) and (address := ADDRESS.search(FUNDING.sub("", text))):
            yield f"{name}: names an address ({address[0]}); lock files pin by version and hash alone"
        if name == "build/tree.py":
            continue
        if found := MACHINE_PATH.search(text):
            yield f"{name}: names a path of one machine ({found[0]}…)"
        if path.suffix in SOURCE and (found := UNFINISHED.search(text)):
            yield f"{name}: is unfinished ({found[0]})"


def _tracked() -> list[str]:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=stamps.ROOT, capture_output=True, check=True).stdout.decode()
    return sorted(name for name in found.split("\0") if name and not Path(name).is_symlink())


if __name__ == "__main__":
    every = list(faults())
    print("\n".join(every) or "tree: in order")
    sys.exit(1 if every else 0)
