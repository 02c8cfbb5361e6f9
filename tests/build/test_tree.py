"""The tree's rules catch what they are for, and let pass what looks like it."""

from __future__ import annotations

import pytest
import tree

PROJECT = """
[project]
dependencies = ["PyNaCl==1.6.2"]
[project.optional-dependencies]
dev = ["ruff==0.17.5"]
"""


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("appliance/long.py", "x = 1\n" * 401, "401 lines"),
        ("web/package-lock.json", '{"resolved": "https://registry.example/a.tgz"}', "names an address"),
        ("build/requirements.lock", "--extra-index-url file:///somewhere\n", "names an address"),
        ("README.md", "Look into /work/main first.", "a path of one machine"),
        ("tor/child.py", "# TODO: later\n", "is unfinished"),
    ],
)
def test_a_breach_is_named(name: str, text: str, words: str) -> None:
    (fault,) = tree.faults(name, text)
    assert words in fault


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("appliance/long.py", "x = 1\n" * 400),
        ("web/src/locales/en.ts", "'a'\n" * 900),
        ("web/package-lock.json", '{"version": "1.0.0", "funding": {"url": "https://thanks.example"}}'),
        ("build/requirements.lock", "six==1.16.0 \\\n    --hash=sha256:00\n"),
        ("README.md", "The network/work/ folder, see https://example.org/work/"),
    ],
)
def test_the_rest_passes(name: str, text: str) -> None:
    assert list(tree.faults(name, text)) == []


def test_a_lock_behind_the_project_is_named() -> None:
    locks = {"requirements-dev.lock": "pynacl==1.6.2 \\\n    --hash=sha256:00\nruff==0.17.4 \\\n"}
    (fault,) = tree.stale_locks(PROJECT, locks)
    assert "ruff==0.17.5" in fault and "make lock" in fault
