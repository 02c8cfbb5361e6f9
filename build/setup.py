"""Setting up: brings this checkout to where a target of the Makefile can run; does nothing twice."""

from __future__ import annotations

import sys
from typing import Final

import debian
import node
import python

RUN: Final = "requirements.lock"
DEVELOP: Final = "requirements-dev.lock"
FREEZE: Final = "requirements-freeze.lock"


def main(target: str) -> None:
    """Prepare packages, environments and the page bundle for one target."""
    debian.install(target)
    if target == "freeze-here":  # inside the arm64 system, where the page is built already
        python.prepare(python.FREEZING, FREEZE, clean=True)
        return
    if target in ("freeze", "freeze-arm64"):
        python.prepare(python.FREEZING, FREEZE, clean=True)
    elif target == "run":
        python.prepare(python.DEVELOPMENT, RUN, enough=(DEVELOP,), project=True)
    else:
        python.prepare(python.DEVELOPMENT, DEVELOP, project=True)
    if target != "lock":
        node.prepare()
    if target not in ("lock", "check"):
        node.build()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in debian.TARGETS:
        sys.exit(f"usage: setup.py {'|'.join(debian.TARGETS)}")
    main(sys.argv[1])
