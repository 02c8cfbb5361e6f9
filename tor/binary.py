"""Which tor executable runs: the newest of the machine's own and the one that came with the box.

The age of a tor is counted from the date of its file, which packagers set to the day they built it: close to
the release, never before it. A bundled tor lies in an archive that forgets file dates, so the build writes
that day beside it, into `tor.date` (ISO).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Literal

Source = Literal["system", "bundled"]

OLDEST: Final = "0.4.7.1"
"""Older ones cannot keep an onion service on today's network."""
VERSION_SECONDS = 10.0
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin")
_VERSION = re.compile(r"Tor version (\d+(?:\.\d+){2,3}(?:-[A-Za-z0-9.]+)?)")


@dataclass(frozen=True, slots=True)
class Binary:
    """A tor executable as it was found; `problems` (sentences) is empty when it can be used."""

    path: Path
    source: Source
    version: str
    built: date | None
    problems: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether the box may run it."""
        return not self.problems

    def age_days(self, now: float) -> int | None:
        """Days from its build to `now` (unix seconds); None when the build's day is unknown."""
        if self.built is None:
            return None
        return max(0, (datetime.fromtimestamp(now, UTC).date() - self.built).days)

    def environment(self) -> dict[str, str]:
        """What it runs with: our library folder must not reach the machine's tor, nor the reverse."""
        kept = dict(os.environ)
        path = kept.pop("LD_LIBRARY_PATH", "")
        path = kept.pop("LD_LIBRARY_PATH_ORIG", path)  # PyInstaller keeps the person's own one here
        if self.source == "system":
            unpacked = getattr(sys, "_MEIPASS", None)
            folders = [folder for folder in path.split(os.pathsep) if folder and folder != unpacked]
            if folders:
                kept["LD_LIBRARY_PATH"] = os.pathsep.join(folders)
        return kept


def inspect(path: Path, source: Source = "system") -> Binary:
    """Ask one executable for its version; it blocks for a few milliseconds."""
    if not path.is_file():
        return Binary(path, source, "", None, (f"There is no tor at {path}.",))
    bare = Binary(path, source, "", _built(path, source), ())
    try:
        done = subprocess.run(
            [str(path), "--version"],
            env=bare.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else "it does not answer"
        return Binary(path, source, "", bare.built, (f"The tor at {path} cannot run: {reason}.",))
    found = _VERSION.search(done.stdout.decode("utf-8", "replace"))
    if done.returncode != 0 or found is None:
        return Binary(path, source, "", bare.built, (f"The program at {path} is not a working tor.",))
    version = found[1]
    problems: tuple[str, ...] = ()
    if order(version) < order(OLDEST):
        problems = (f"Tor {version} at {path} is too old; {OLDEST} is needed at least.",)
    return Binary(path, source, version, bare.built, problems)


def order(version: str) -> tuple[int, ...]:
    """A key that sorts versions; an alpha or release candidate comes before the release of its number."""
    numbers, _, tag = version.partition("-")
    parts = [int(part) for part in numbers.split(".")]
    return (*parts, *[0] * (4 - len(parts)), 0 if re.match("alpha|beta|rc|dev", tag) else 1)


def candidates(setting: str) -> list[tuple[Path, Source]]:
    """Where a tor may be; `setting` is "auto" or a path, which is then the only one."""
    if setting != "auto":
        return [(Path(setting).expanduser(), "system")]
    system = shutil.which("tor") or shutil.which("tor", path=os.pathsep.join(_SYSTEM_FOLDERS))
    found: list[tuple[Path, Source]] = [] if system is None else [(Path(system), "system")]
    bundled = bundled_folder()
    return found if bundled is None else [*found, (bundled / "tor", "bundled")]


def choose(setting: str) -> tuple[Binary | None, tuple[str, ...]]:
    """The newest usable tor (the machine's own when equal) and the problems of those passed over; blocks."""
    found = [inspect(path, source) for path, source in candidates(setting)]
    problems = tuple(problem for one in found for problem in one.problems)
    usable = [one for one in found if one.usable]
    if not usable:
        return None, problems or ("Tor is not installed on this machine.",)
    return max(usable, key=lambda one: (order(one.version), one.source == "system")), problems


def bundled_folder() -> Path | None:
    """The folder of the tor that came with this program; `ISLAND_TOR_FOLDER` names another."""
    unpacked = getattr(sys, "_MEIPASS", None)
    places = [Path(os.environ["ISLAND_TOR_FOLDER"])] if "ISLAND_TOR_FOLDER" in os.environ else []
    places += [Path(unpacked) / "tor"] if unpacked else []
    return next((place for place in places if (place / "tor").is_file()), None)


def _built(path: Path, source: Source) -> date | None:
    if source == "bundled":
        try:
            return date.fromisoformat((path.parent / "tor.date").read_text().strip())
        except (OSError, ValueError):
            return None
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
