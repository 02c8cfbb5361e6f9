"""What goes into the executable beside Python: Tor, tor-gencert and their libraries, relocated."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import debian

PROGRAMS: Final = ("tor", "tor-gencert")
# The C library stays the machine's own: it must fit the kernel, and everything else links against it.
GLIBC: Final = re.compile(r"^(ld-linux.*|linux-vdso|lib(c|m|dl|pthread|rt|resolv|util|anl))\.so\b")
DEPENDENCY: Final = re.compile(r"^\s*(?P<name>\S+) => (?P<path>/\S+)", re.MULTILINE)


def programs() -> list[Path]:
    """Return where this machine keeps Tor and tor-gencert; ends with a message where one is missing."""
    found = [shutil.which(name, path=debian.SYSTEM_PATH) for name in PROGRAMS]
    if None in found:
        sys.exit("freeze: tor or tor-gencert is missing; `make freeze` installs them")
    return [Path(place).resolve() for place in found if place]


def libraries(binaries: Iterable[Path]) -> dict[str, Path]:
    """Return every shared library outside the C library that the programs load: name → file."""
    found: dict[str, Path] = {}
    for binary in binaries:
        listed = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True).stdout
        if "not found" in listed:
            sys.exit(f"freeze: {binary} lacks a library:\n{listed}")
        for match in DEPENDENCY.finditer(listed):
            if not GLIBC.match(match["name"]):
                found[match["name"]] = Path(match["path"]).resolve()
    return dict(sorted(found.items()))


def collect(folder: Path) -> None:
    """Fill the folder with Tor and tor-gencert, made to look for their libraries one folder up.

    PyInstaller puts the libraries there, beside Python's, so that one OpenSSL serves both. RPATH is set, not
    RUNPATH: it also holds for the libraries' own libraries and wins over a LD_LIBRARY_PATH.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in programs():
        target = folder / source.name
        shutil.copyfile(source, target)
        target.chmod(0o755)
        subprocess.run(["patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/..", str(target)], check=True)
    # The program tells the age of the Tor that it brings along; an unpacked file bears the day of unpacking.
    built = datetime.fromtimestamp(programs()[0].stat().st_mtime, UTC).date()
    (folder / "tor.date").write_text(f"{built.isoformat()}\n")


def files(folder: Path) -> Iterator[Path]:
    """Yield every file below the folder in a fixed order."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(place) / name
