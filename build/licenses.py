"""The licences of everything inside the executable, gathered into one text for `island licenses`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

import bundle
import python
import stamps

LICENCE_NAME: Final = re.compile(r"^(licen[cs]e|copying|notice|copyright|authors)", re.IGNORECASE)
COMMON: Final = re.compile(r"/usr/share/common-licenses/[A-Za-z0-9.+-]*[A-Za-z0-9+]")
RULE: Final = "=" * 100


class Part(NamedTuple):
    """One piece of the executable: what it is, the licence it names, and the texts that come with it."""

    name: str
    licence: str
    texts: tuple[str, ...]


def text() -> str:
    """Return the whole document: a list of the parts, then each licence text once."""
    parts = [_own(), _interpreter(), *_python_parts(), *_web_parts(), *_debian_parts()]
    owners: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        for licence in part.texts:
            owners[licence.strip()].append(part.name)
    bare = [part.name for part in parts if not part.texts and not part.licence]
    if bare:
        sys.exit(f"licenses: nothing is known of {', '.join(bare)}")
    index = "\n".join(f"  {part.name:<48} {part.licence}" for part in parts)
    chapters = [f"{RULE}\n{', '.join(names)}\n{RULE}\n\n{licence}\n" for licence, names in owners.items()]
    return "\n".join(["Private Island and the parts it is made of\n", index, "", *chapters])


def _own() -> Part:
    return Part("Private Island", "AGPL-3.0-or-later", ((stamps.ROOT / "LICENSE").read_text(),))


def _interpreter() -> Part:
    """Return Python itself, whose licence lies beside its library or in Debian's documents."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    places = [
        Path(sysconfig.get_path("stdlib")) / "LICENSE.txt",
        Path(f"/usr/share/doc/python{version}/copyright"),
        Path(f"/usr/share/doc/libpython{version}-minimal/copyright"),
    ]
    texts = [place.read_text() for place in places if place.is_file()]
    return Part(f"Python {sys.version.split()[0]}", "PSF-2.0", tuple(texts[:1]))


def _python_parts() -> Iterator[Part]:
    """Yield the locked Python packages and PyInstaller, whose starter is in the executable too."""
    locked = (python.LOCKS / "requirements.lock").read_text()
    names = re.findall(r"^([A-Za-z0-9._-]+)==", locked, re.MULTILINE)
    for name in [*names, "pyinstaller"]:
        found = metadata.distribution(name)
        texts = [
            place.read_text(errors="replace")
            for file in found.files or []
            if ".dist-info/" in str(file) and LICENCE_NAME.match(file.name)
            if (place := Path(str(found.locate_file(file)))).is_file()
        ]
        yield Part(f"{found.name} {found.version}", _declared(found.metadata), tuple(texts))


def _declared(described: metadata.PackageMetadata) -> str:
    """Return the licence a Python package names for itself, in one line."""
    named = [*(described.get_all("License-Expression") or []), *(described.get_all("License") or []), ""]
    expression = str(named[0])
    classifiers = described.get_all("Classifier") or []
    classified = [row.rpartition("::")[2].strip() for row in classifiers if row.startswith("License ::")]
    first = expression.strip().splitlines()[0] if expression.strip() else ""
    return first if first and len(first) < 60 else ", ".join(classified)


def _web_parts() -> Iterator[Part]:
    """Yield the npm packages that the page may contain: all but those for development."""
    web = stamps.ROOT / "web"
    locked = json.loads((web / "package-lock.json").read_text())["packages"]
    for place, row in sorted(locked.items()):
        folder = web / place
        if not place or row.get("dev") or row.get("devOptional") or not folder.is_dir():
            continue
        described = json.loads((folder / "package.json").read_text())
        texts = [file.read_text() for file in sorted(folder.iterdir()) if LICENCE_NAME.match(file.name)]
        yield Part(
            f"{described['name']} {described['version']}", str(described.get("license", "")), tuple(texts)
        )


def _debian_parts() -> Iterator[Part]:
    """Yield Tor and its libraries by Debian package, with the common licences that they refer to."""
    binaries = bundle.programs()
    packages = {_package(file) for file in [*binaries, *bundle.libraries(binaries).values()]}
    for name, version in sorted(packages):
        document = Path(f"/usr/share/doc/{name}/copyright").read_text(errors="replace")
        yield Part(f"{name} {version}", "see its text", (document, *_common(document)))


def _common(document: str) -> Iterable[str]:
    places = {Path(found.rstrip(".")) for found in COMMON.findall(document)}
    return [place.read_text() for place in sorted(places) if place.is_file()]


def _package(file: Path) -> tuple[str, str]:
    """Return name and version of the Debian package that owns a file (/lib may be a link to /usr/lib)."""
    for place in (str(file), str(file).removeprefix("/usr")):
        found = subprocess.run(["dpkg-query", "--search", place], capture_output=True, text=True)
        if found.returncode == 0:
            name = found.stdout.partition(":")[0]
            shown = ["dpkg-query", "--show", "--showformat=${Version}\n", name]
            version = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
            return name, version.splitlines()[0]
    sys.exit(f"licenses: no Debian package owns {file}")


if __name__ == "__main__":
    print(text())
