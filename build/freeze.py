"""Freezing: one executable with Python, the box, its page, Tor and every licence; see `make freeze`."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import bundle
import licenses
import stamps

LARGEST: Final = 32 * 1024 * 1024


def version() -> str:
    """Return the version that the program names itself."""
    found = re.search(
        r'^__version__ = "(.+)"', (stamps.ROOT / "appliance/__init__.py").read_text(), re.MULTILINE
    )
    if found is None:
        sys.exit("freeze: appliance/__init__.py names no version")
    return found[1]


def freeze() -> Path:
    """Build dist/island-VERSION-MACHINE with the Python that runs this, and return its path."""
    machine = platform.machine()
    name = f"island-{version()}-{machine}"
    work = stamps.CACHE / f"freeze-{machine}"
    parts = work / "parts"
    bundle.collect(parts / "tor")
    (parts / "licenses.txt").write_text(licenses.text())
    environment = {
        **os.environ,
        "ISLAND_PARTS": str(parts),
        "ISLAND_NAME": name,
        # The same sources give the same bytes: time stamps from the commit, sets in one order.
        "SOURCE_DATE_EPOCH": stamps.commit_time(),
        "PYTHONHASHSEED": "0",
        "PYINSTALLER_CONFIG_DIR": str(work / "pyinstaller"),
    }
    folders = ["--workpath", str(work / "work"), "--distpath", str(stamps.ROOT / "dist")]
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level=WARN", *folders]
    if subprocess.run([*command, str(stamps.ROOT / "build" / "island.spec")], env=environment).returncode:
        sys.exit("freeze: PyInstaller failed (its words are above)")
    return stamps.ROOT / "dist" / name


if __name__ == "__main__":
    executable = freeze()
    size = executable.stat().st_size
    print(f"freeze: {executable.relative_to(stamps.ROOT)} {size / 2**20:.1f} MiB")
    if size > LARGEST:
        sys.exit(f"freeze: larger than {LARGEST // 2**20} MiB")
