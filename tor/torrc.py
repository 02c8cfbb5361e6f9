"""Where a box's Tor lives while it runs, and every line of its torrc."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from appliance.config import Config


def open_folder(data: Path) -> Path:
    """An empty folder in memory for sockets, torrc and, for a moment, the onion key; only we may enter.

    /dev/shm where the machine has it (its paths are short, which unix sockets need), else the runtime folder
    of the service or of the session, else the temporary folder. One data folder gets the same one again, so
    that a killed box leaves at most one behind.
    """
    name = "island-" + hashlib.blake2b(os.fsencode(data.resolve()), digest_size=8).hexdigest()
    places = ["/dev/shm", os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("XDG_RUNTIME_DIR")]  # noqa: S108
    for place in filter(None, places):
        folder = Path(place) / name
        try:
            if _is_ours(folder):
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
        except OSError:
            continue
        return folder
    return Path(tempfile.mkdtemp(prefix="island-"))


def compose(config: Config, folder: Path, data: Path, extra: Sequence[str]) -> str:
    """The torrc of a box: `folder` is the one in memory, `data` Tor's own on disk, `extra` more lines."""
    lines = [
        f'DataDirectory "{data}"',
        f"ControlSocket {folder / 'control'}",
        "CookieAuthentication 1",
        f"CookieAuthFile {folder / 'cookie'}",
        # A socket in a folder that only we may enter: no other user can use it or take its place.
        f"SocksPort unix:{folder / 'socks'} ExtendedErrors OnionTrafficOnly",
        f"__OwningControllerProcess {os.getpid()}",
        "ClientOnly 1",
        "AvoidDiskWrites 1",  # most boxes live on an SD card
        "DormantCanceledByStartup 1",
        "Log notice stdout",
        *extra,
    ]
    if config.tor_torrc:
        lines += Path(config.tor_torrc).expanduser().read_text().splitlines()
    return "\n".join(lines) + "\n"


def _is_ours(folder: Path) -> bool:
    """Whether it exists, made by us and closed to others; a symbolic link is not."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
