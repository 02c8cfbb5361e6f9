"""Missing packages end in words that say what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import debian

BUILD = Path(debian.__file__).parent
NOBODY = 65534
ASK = f"""
import os, debian
if os.geteuid() == 0:
    os.setuid({NOBODY})
debian.TARGETS["run"] = [debian.Need("a-package", lambda: False, "a reason")]
debian.install("run")
"""


def test_what_is_there_is_seen() -> None:
    assert debian.program("sh", "env")()
    assert not debian.program("sh", "no-such-program")()
    assert debian.file("bin/sh")()
    assert not debian.file("no/such/file")()


def test_without_rights_the_person_is_told_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=BUILD,
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "a-package is missing (a reason)" in done.stdout
    assert "apt-get install --no-install-recommends a-package" in done.stderr
