"""First thing to run in the frozen program: undoes what being one file does to a long-lived process.

The one-file starter unpacks the program into a folder of its own, starts it there as a child, and removes
the folder when the child ends. So, before the program proper:
- its children must not look for their libraries in that folder (a system Tor would take our OpenSSL);
- it must end when the starter is killed, or a box would go on that nobody can see or stop;
- folders of boxes that were killed (power cut, SIGKILL) are still there: the next start removes them.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
MARK = "island.lock"


def restore_library_path() -> None:
    """Give child processes the search path that the person had."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if before is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = before


def follow_starter() -> None:
    """End at once when the one-file starter ends: a box started anew wants the data folder now."""
    starter = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != starter:
        os._exit(1)


def remove_dead_folders(own: Path) -> None:
    """Mark this program's folder as in use, and remove marked siblings that no living program holds."""
    held = os.open(own / MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(held, fcntl.LOCK_SH)  # kept open, so held until this process ends
    for mark in own.parent.glob(f"_MEI*/{MARK}"):
        if mark.parent == own or mark.parent.stat().st_uid != os.geteuid():
            continue
        try:
            other = os.open(mark, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(mark.parent, ignore_errors=True)
        except OSError:
            pass  # its program lives
        finally:
            os.close(other)


restore_library_path()
follow_starter()
remove_dead_folders(Path(getattr(sys, "_MEIPASS")))  # noqa: B009 (known to PyInstaller alone)
