"""Python environments: made with venv, filled from lock files by hash, left alone while nothing changed."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

import stamps

LOCKS: Final = stamps.ROOT / "build"
BUILD_LOCK: Final = "requirements-build.lock"
DEVELOPMENT: Final = stamps.ROOT / ".venv"
FREEZING: Final = stamps.CACHE / f"freeze-venv-{platform.machine()}"
# stem comes as source only. PyInstaller's own starter wants the machine's zlib; one built here holds it.
BUILT_HERE: Final = ("stem", "pyinstaller")
STARTER: Final = {"PYINSTALLER_COMPILE_BOOTLOADER": "1", "PYI_STATIC_ZLIB": "1"}
OLDEST: Final = (3, 11)


def prepare(
    venv: Path, lock: str, *, enough: tuple[str, ...] = (), project: bool = False, clean: bool = False
) -> None:
    """Fill the environment with what the lock names, unless it or one of the `enough` locks is in already.

    `project` adds this checkout, editable; `clean` starts from nothing, so that no older package stays.
    """
    if sys.version_info < OLDEST:
        sys.exit(
            f"setup: Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {sys.version.split()[0]}"
        )
    stamp = venv / ".stamp"
    if any(stamps.fresh(stamp, _key(venv, name, project)) for name in (lock, *enough)):
        return
    print(f"setup: filling {venv.relative_to(stamps.ROOT)} from {lock}", flush=True)
    stamp.unlink(missing_ok=True)
    _create(venv, clean)
    _pip(venv, "--only-binary=:all:", "--require-hashes", "-r", str(LOCKS / BUILD_LOCK))
    # Built with the tools that were just installed by hash.
    source = [
        "--only-binary=:all:",
        f"--no-binary={','.join(BUILT_HERE)}",
        "--no-build-isolation",
        "--use-pep517",
    ]
    _pip(venv, *source, "--require-hashes", "-r", str(LOCKS / lock))
    if project:
        _pip(venv, "--no-deps", "--no-index", "--no-build-isolation", "--editable", str(stamps.ROOT))
    stamps.write(stamp, _key(venv, lock, project))


def _key(venv: Path, lock: str, project: bool) -> str:
    manifest = [stamps.ROOT / "pyproject.toml"] if project else []
    return stamps.digest(
        [sys.version, str(venv), Path(__file__), LOCKS / lock, LOCKS / BUILD_LOCK, *manifest]
    )


def _create(venv: Path, clean: bool) -> None:
    """Make the environment, anew if it belongs to another Python."""
    own = venv / "bin" / "python"
    stale = own.exists() and own.resolve() != Path(sys.executable).resolve()
    command = [sys.executable, "-m", "venv", *(["--clear"] if clean or stale else []), str(venv)]
    if subprocess.run(command).returncode:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        sys.exit(f"setup: no environment could be made in {venv}; on Debian: apt-get install {package}")


def _pip(venv: Path, *words: str) -> None:
    command = [
        str(venv / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        *words,
    ]
    environment = {**os.environ, "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore", **STARTER}
    if subprocess.run(command, env=environment, stdin=subprocess.DEVNULL).returncode:
        sys.exit(f"setup: {' '.join(command)} failed (pip's words are above)")
