"""Writes the generated parts of README.md from the code: settings, errors, exit codes, commands, tasks.

`python build/readme.py` writes them; with --check it only says whether they are up to date (the tests do).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from appliance.__main__ import COMMANDS
from appliance.commands.exits import EXITS
from appliance.config import choices, declarations
from appliance.errors import REFUSALS

README = ROOT / "README.md"


def write_settings() -> str:
    """A row per setting."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, default, unit, meaning, live in declarations():
        value = {True: "yes", False: "no", "": "—"}.get(default, default)
        allowed = choices(name)
        words = meaning if live else f"{meaning} Needs a restart."
        if allowed:
            words += " One of " + ", ".join(f"`{word}`" for word in allowed) + "."
        rows.append(f"| `{name}` | {value}{f' {unit}' if unit else ''} | {words} |")
    return "\n".join(rows)


def write_errors() -> str:
    """A row per refusal."""
    rows = ["| code | HTTP | what a person reads |", "|---|---|---|"]
    rows += [f"| `{code}` | {row.status} | {row.message} |" for code, row in REFUSALS.items()]
    return "\n".join(rows)


def write_exits() -> str:
    """A row per exit code."""
    rows = ["| exit code | meaning |", "|---|---|"]
    rows += [f"| {code} | {meaning} |" for code, meaning in EXITS.items()]
    return "\n".join(rows)


def write_commands() -> str:
    """A row per command."""
    rows = ["| command | what it does |", "|---|---|"]
    rows += [f"| `island {name}` | {words} |" for name, (_, words) in COMMANDS.items()]
    return "\n".join(rows)


PARTS: dict[str, Callable[[], str]] = {
    "commands": write_commands,
    "exits": write_exits,
    "settings": write_settings,
    "errors": write_errors,
}


def render(text: str) -> str:
    """The README with every generated part as the code has it now."""
    for name, write in PARTS.items():
        pattern = re.compile(f"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"README.md has no part “{name}”")
        before, body, after = pattern.split(text)[0], write(), pattern.split(text)[-1]
        text = f"{before}<!-- {name} -->\n{body}\n<!-- /{name} -->{after}"
    return text


def main() -> None:
    """Write the README, or check it."""
    text = README.read_text()
    fresh = render(text)
    if "--check" in sys.argv[1:]:
        if fresh != text:
            raise SystemExit("README.md is out of date: run python build/readme.py")
        return
    README.write_text(fresh)


if __name__ == "__main__":
    main()
