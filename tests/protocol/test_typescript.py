"""What the TypeScript implementation wrote: this one makes and reads the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.vectors.checks import CHECKS

FILE = Path(__file__).parents[1] / "vectors" / "typescript.json"
VECTORS = json.loads(FILE.read_text())


def test_every_check_has_its_vectors() -> None:
    assert CHECKS.keys() == VECTORS.keys() - {"about"}


@pytest.mark.parametrize("name", [name for name in VECTORS if name != "about"])
def test_vectors_of_the_other_implementation(name: str) -> None:
    CHECKS[name](VECTORS[name])
