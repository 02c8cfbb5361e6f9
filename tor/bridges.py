"""Bridges: their torrc lines and the programs that disguise the traffic to them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from appliance.errors import Refusal

PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "obfs4": ("lyrebird", "obfs4proxy"),
    "meek_lite": ("lyrebird", "obfs4proxy"),
    "webtunnel": ("lyrebird", "webtunnel-client"),
    "snowflake": ("snowflake-client", "lyrebird"),
}
"""The programs that speak each transport, the preferred one first."""

_FOLDERS: Final = ("/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin")
_ADDRESS = re.compile(r"^(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]):\d{1,5}$")


def clean(line: str) -> str:
    """A bridge line without a leading "Bridge"; Refusal bad_setting if it is not one line of that form."""
    text = re.sub(r"^bridge\s+", "", line.strip(), flags=re.IGNORECASE)
    fields = text.split()
    # A control character would start another torrc line.
    if not text.isprintable() or "#" in text or not any(_ADDRESS.match(field) for field in fields[:2]):
        raise Refusal("bad_setting", setting="bridges")
    return text


def transport(line: str) -> str | None:
    """The transport a clean bridge line names; None for a plain bridge."""
    first = line.split()[0]
    return None if _ADDRESS.match(first) else first


def torrc(bridges: Sequence[str], plugins: Sequence[str], beside: Path) -> tuple[list[str], list[str]]:
    """(torrc lines, problems); without `plugins` (ClientTransportPlugin lines) programs are looked for."""
    if not bridges:
        return [], []
    lines = [clean(line) for line in bridges]
    given = [re.sub(r"^ClientTransportPlugin\s+", "", plugin.strip()) for plugin in plugins]
    if not all(plugin.isprintable() for plugin in given):
        raise Refusal("bad_setting", setting="bridge_transports")
    problems: list[str] = []
    if not given:
        given, problems = _discover({name for line in lines if (name := transport(line))}, beside)
    return [
        "UseBridges 1",
        *(f"ClientTransportPlugin {plugin}" for plugin in given),
        *(f"Bridge {line}" for line in lines),
    ], problems


def _discover(names: Iterable[str], beside: Path) -> tuple[list[str], list[str]]:
    plugins, problems = [], []
    path = os.pathsep.join([str(beside), os.environ.get("PATH", ""), *_FOLDERS])
    for name in sorted(names):
        programs = PROGRAMS.get(name, ())
        found = next((place for program in programs if (place := shutil.which(program, path=path))), None)
        if found is not None:
            plugins.append(f"{name} exec {found}")
        elif programs:
            problems.append(
                f"{name} bridges need the program {' or '.join(programs)}, which is not installed."
            )
        else:
            problems.append(f"No program for {name} bridges is known; name it in bridge_transports.")
    return plugins, problems
