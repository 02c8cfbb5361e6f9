"""`island completion`, `openapi` and `licenses`: texts about the program itself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import click
from click.shell_completion import get_completion_class

from appliance.api import openapi as description
from appliance.api.entrance import Kind
from appliance.commands.shell import columns

PROJECT: Final = "private-island"
GATHERED: Final = "licenses.txt"
"""What the build puts inside the executable: a list of the parts, then a rule and every text."""

RULE: Final = "=" * 20
_TEXT: Final = re.compile(r"^(licen[cs]e|copying|copyright|notice|authors)", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Part:
    """One Python package: its licence in a few words, and the texts that come with it."""

    name: str
    version: str
    license: str
    texts: tuple[str, ...]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script, for example: eval "$(island completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(kind(context.find_root().command, {}, "island", "_ISLAND_COMPLETE").source())


@click.command("openapi")
@click.option(
    "--entrance",
    type=click.Choice(["control", "loopback", "onion"]),
    default="loopback",
    show_default=True,
    help="The onion shows strangers only the relay.",
)
def openapi(entrance: Kind) -> None:
    """Print the HTTP API as an OpenAPI document in JSON."""
    click.echo(json.dumps(description.document(entrance), indent=2, ensure_ascii=False))


@click.command("licenses")
@click.option("--full", is_flag=True, help="With every licence text.")
def licenses(full: bool) -> None:
    """List the licences of everything in this program, which itself is AGPL-3.0-or-later."""
    unpacked = getattr(sys, "_MEIPASS", None)
    text = (Path(unpacked) / GATHERED).read_text() if unpacked else gather()
    click.echo((text if full else text.partition(RULE)[0]).rstrip())


def gather() -> str:
    """The list of installed parts and their texts; Tor and the page's parts are not bundled here."""
    parts = sorted(python_parts(), key=lambda part: part.name.casefold())
    rows = [[part.name, part.version, part.license] for part in parts]
    index = columns(["name", "version", "licence"], rows, "Nothing is installed.")
    chapters = [
        "\n".join([RULE * 4, f"{part.name} {part.version}", RULE * 4, "", *part.texts]) for part in parts
    ]
    return "\n".join([*index, "", *chapters])


def python_parts() -> Iterator[Part]:
    """This program, Python, and every package it needs, by their installed metadata."""
    yield Part("Python", ".".join(map(str, sys.version_info[:3])), "PSF-2.0", ())
    waiting, seen = [PROJECT], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            # Wanted on other systems or with extras only.
            continue
        yield describe(found)
        waiting += [_canonical(line) for line in found.requires or () if "extra ==" not in line]


def describe(found: metadata.Distribution) -> Part:
    """One installed package by its own metadata: the licence it states and the texts it carries."""
    about = found.metadata
    stated = [*(about.get_all("License-Expression") or []), *(about.get_all("License") or [])]
    short = [words for words in stated if len(words) < 60 and "\n" not in words]
    words = short[0] if short else _classified(about.get_all("Classifier") or []) or "see its text"
    files = [f for f in found.files or () if _TEXT.search(f.name) and ".dist-info" in str(f)]
    texts = tuple(text for f in files if (text := f.read_text()))
    return Part(about["Name"], found.version, words, texts)


def _classified(classifiers: list[str]) -> str:
    names = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    return ", ".join(name for name in names if name != "OSI Approved")


def _canonical(requirement: str) -> str:
    match = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", match.group()).lower() if match else ""
