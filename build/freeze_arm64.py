"""Freezing for 64-bit ARM without such a machine: a small arm64 Debian under qemu, in .cache/debian-aarch64.

Debian 12's, since its C library (2.36) is the oldest that a Raspberry Pi with a present system has. The first
time takes about ten minutes, most of it Debian setting itself up under emulation; later times only freeze.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import debian
import python
import stamps

SUITE: Final = "bookworm"
SYSTEM: Final = stamps.CACHE / "debian-aarch64"
WHEELS: Final = stamps.CACHE / "wheels-aarch64"
CHECKOUT: Final = "/island"  # where this checkout is seen from inside
PACKAGES: Final = [
    "python3",
    "python3-venv",
    "libpython3.11",
    "binutils",
    "patchelf",
    "gcc",
    "libc6-dev",
    "tor",
]
# How the kernel knows an arm64 program, and that qemu stays open (F), so that it works inside the system too.
EMULATION: Final = (
    r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    r":/usr/bin/qemu-aarch64-static:OCF"
)
KERNEL_LIST: Final = Path("/proc/sys/fs/binfmt_misc")
PLATFORMS: Final = [f"manylinux_2_{minor}_aarch64" for minor in (17, 24, 26, 28, 31, 34, 35)]


def register_emulation() -> None:
    """Tell the kernel to run arm64 programs by qemu, unless it does."""
    if not (KERNEL_LIST / "register").exists():
        _run("mount", "-t", "binfmt_misc", "binfmt_misc", str(KERNEL_LIST))
    if not (KERNEL_LIST / "qemu-aarch64").exists():
        (KERNEL_LIST / "register").write_text(EMULATION)


def make_system() -> None:
    """Set up the arm64 Debian, unless it is there with the same packages."""
    key = stamps.digest([SUITE, *PACKAGES, *_package_sources()])
    stamp = SYSTEM.parent / "stamps" / SYSTEM.name
    if stamps.fresh(stamp, key):
        return
    print(f"freeze: setting up {SYSTEM.relative_to(stamps.ROOT)}; this takes minutes", flush=True)
    shutil.rmtree(SYSTEM, ignore_errors=True)
    chosen = ["--foreign", "--arch=arm64", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    _run("debootstrap", *chosen, SUITE, str(SYSTEM))
    _run("chroot", str(SYSTEM), "/debootstrap/debootstrap", "--second-stage")
    _take_newest_tor()
    stamps.write(stamp, key)


def fetch_wheels() -> None:
    """Fetch every locked package for arm64, by hash; what comes as source only is fetched as source."""
    locks = [python.LOCKS / name for name in ("requirements-freeze.lock", python.BUILD_LOCK)]
    key = stamps.digest(locks)
    if stamps.fresh(WHEELS / ".stamp", key):
        return
    shutil.rmtree(WHEELS, ignore_errors=True)
    WHEELS.mkdir(parents=True)
    built_here = "|".join(python.BUILT_HERE)
    for lock in locks:
        text = lock.read_text()
        for source in (True, False):
            pins = _pins(text, rf"(?:{built_here})==" if source else rf"(?!(?:{built_here})==)[A-Za-z0-9]")
            if pins:
                _download(pins, source)
    stamps.write(WHEELS / ".stamp", key)


def freeze_inside() -> None:
    """Freeze inside the arm64 system, with this checkout mounted there and no network."""
    inside = " && ".join(
        [
            f"cd {CHECKOUT}",
            "python3 build/setup.py freeze-here",
            ".cache/freeze-venv-aarch64/bin/python build/freeze.py",
        ]
    )
    mounts = " && ".join(
        [
            f"mkdir -p {SYSTEM}{CHECKOUT}",
            f"mount -t proc proc {SYSTEM}/proc",
            f"mount --rbind /dev {SYSTEM}/dev",
            f"mount --bind {stamps.ROOT} {SYSTEM}{CHECKOUT}",
            f"exec chroot {SYSTEM} sh -c '{inside}'",
        ]
    )
    environment = {
        "PATH": debian.SYSTEM_PATH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"{CHECKOUT}/{WHEELS.relative_to(stamps.ROOT)}",
        "SOURCE_DATE_EPOCH": stamps.commit_time(),
    }
    _run("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mounts, environment=environment)


def _package_sources() -> list[Path]:
    """Return this machine's own apt settings, where they are for the suite that is built on."""
    release = Path("/etc/os-release")
    if not release.is_file() or f"VERSION_CODENAME={SUITE}" not in release.read_text():
        return []
    apt = Path("/etc/apt")
    found = [apt / "sources.list", *apt.glob("sources.list.d/debian*.*"), *apt.glob("apt.conf.d/99*")]
    return [file for file in sorted(found) if file.is_file()]


def _take_newest_tor() -> None:
    """Bring Tor to the newest that this machine's own package sources offer: its age matters most."""
    sources = _package_sources()
    if not sources:
        return
    for file in sources:
        shutil.copy(file, SYSTEM / file.relative_to("/"))
    shutil.copy("/etc/resolv.conf", SYSTEM / "etc" / "resolv.conf")
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "tor"]):
        _run("chroot", str(SYSTEM), "apt-get", *words)


def _pins(lock: str, first: str) -> str:
    """Return the entries of a lock file whose first line matches."""
    entries = re.split(r"\n(?=\S)", lock)
    return "\n".join(entry for entry in entries if re.match(first, entry))


def _download(pins: str, source: bool) -> None:
    wanted = WHEELS / "wanted.lock"
    wanted.write_text(pins + "\n")
    if source:
        kind = ["--no-binary=:all:", "--no-build-isolation"]
    else:
        abis = ["--implementation=cp", "--python-version=311", "--abi=cp311", "--abi=abi3", "--abi=none"]
        kind = ["--only-binary=:all:", *abis, *(f"--platform={name}" for name in PLATFORMS)]
    pip = [str(python.FREEZING / "bin" / "python"), "-m", "pip", "download", "--quiet", "--no-deps"]
    _run(*pip, "--require-hashes", *kind, "--dest", str(WHEELS), "-r", str(wanted))
    wanted.unlink()


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    """Run one step and end with its command line if it fails."""
    surroundings = {**os.environ, "PATH": debian.SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(command, env=environment or surroundings, stdin=subprocess.DEVNULL).returncode:
        sys.exit(f"freeze: failed (its words are above): {' '.join(command)}")


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("freeze: run `make freeze-arm64` as root; it mounts and changes the root folder")
    register_emulation()
    make_system()
    fetch_wheels()
    freeze_inside()
