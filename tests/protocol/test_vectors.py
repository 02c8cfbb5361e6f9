"""The vector files are exactly what their generator writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GENERATOR = Path(__file__).parents[1] / "vectors" / "generate.py"


def test_the_files_are_as_generated() -> None:
    done = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_file_has_its_generator_and_its_test() -> None:
    tests = Path(__file__).parents[1]
    text = "".join(path.read_text() for path in tests.glob("*/test_*.py"))
    for path in GENERATOR.parent.glob("*.json"):
        assert f'"{path.name}"' in text
        # What the other implementation wrote has its generator there.
        assert path.stem == "typescript" or f'"{path.stem}"' in GENERATOR.read_text()
