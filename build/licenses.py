"""The licences of everything inside the executable, gathered into one text for `island licenses`."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import bundle
import python
import stamps

# The program lists its Python packages itself; here come the parts that only the executable has.
sys.path.insert(0, str(stamps.ROOT))
from appliance.commands.reference import RULE, Part, describe

TEXT_NAME: Final = re.compile(r"^(licen[cs]e|copying|notice|copyright|authors)", re.IGNORECASE)
NAMED: Final = re.compile(r"^License: *(\S.*)$", re.MULTILINE)
COMMON: Final = re.compile(r"/usr/share/common-licenses/[A-Za-z0-9.+-]*[A-Za-z0-9+]")


def text() -> str:
    """Return the whole document: a list of the parts, then each licence text once."""
    parts = [_own(), _interpreter(), *_python_parts(), *_web_parts(), *_debian_parts()]
    owners: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        for licence in part.texts:
            owners[licence.strip()].append(part.name)
    bare = [part.name for part in parts if not part.texts and not part.license]
    if bare:
        sys.exit(f"licenses: nothing is known of {', '.join(bare)}")
    index = "\n".join(f"{part.name:<34} {part.version:<26} {part.license}" for part in parts)
    chapters = [f"{RULE * 4}\n{', '.join(names)}\n{RULE * 4}\n\n{words}\n" for words, names in owners.items()]
    return "\n".join(["Private Island and the parts it is made of\n", index, "", *chapters])


def _own() -> Part:
    """Return this program with its own licence."""
    words = (stamps.ROOT / "LICENSE").read_text()
    return Part("Private Island", "", "AGPL-3.0-or-later", (words,))


def _interpreter() -> Part:
    """Return Python itself, whose licence lies beside its library or in Debian's documents."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    places = [
        Path(sysconfig.get_path("stdlib")) / "LICENSE.txt",
        Path(f"/usr/share/doc/python{version}/copyright"),
        Path(f"/usr/share/doc/libpython{version}-minimal/copyright"),
    ]
    texts = [place.read_text() for place in places if place.is_file()]
    return Part("Python", sys.version.split()[0], "PSF-2.0", tuple(texts[:1]))


def _python_parts() -> Iterator[Part]:
    """Yield the locked Python packages, and PyInstaller, whose starter is in the executable too."""
    yield from (describe(metadata.distribution(name)) for name in [*_locked(), "pyinstaller"])


def _web_parts() -> Iterator[Part]:
    """Yield the npm packages that are in the page, listed by its build as `## name - version (licence)`."""
    listed = (stamps.ROOT / "web" / "dist" / "licenses.txt").read_text()
    for section in re.split(r"^## ", listed, flags=re.MULTILINE)[1:]:
        heading, _, words = section.partition("\n")
        found = re.fullmatch(r"(\S+) - (\S+) \((.+)\)", heading)
        if found is None:
            sys.exit(f"licenses: what does the page's build mean by {heading!r}?")
        yield Part(found[1], found[2], found[3], (words.strip(),) if words.strip() else ())


def _debian_parts() -> Iterator[Part]:
    """Yield Tor and every shared library by Debian package, with the common licences that they refer to."""
    binaries = bundle.programs()
    libraries = bundle.libraries([*binaries, *_extensions()]).values()
    packages = {_package(file) for file in [*binaries, *libraries] if file.is_relative_to("/usr")}
    for name, version in sorted(packages):
        document = Path(f"/usr/share/doc/{name}/copyright").read_text(errors="replace")
        named = ", ".join(dict.fromkeys(NAMED.findall(document)))
        short = named if 0 < len(named) < 60 else "see its text"
        yield Part(name, version, short, (document, *_common(document)))


def _extensions() -> Iterator[Path]:
    """Yield the compiled modules that bring a library along: Python's own, then the packages'."""
    for name in ("_ctypes", "_ssl", "zlib"):
        found = importlib.util.find_spec(name)
        if found and found.origin and Path(found.origin).is_file():
            yield Path(found.origin)
    for name in _locked():
        files = metadata.distribution(name).files or []
        yield from (Path(str(file.locate())) for file in files if ".so" in file.suffixes)


def _locked() -> list[str]:
    words = (python.LOCKS / "requirements.lock").read_text()
    return re.findall(r"^([A-Za-z0-9._-]+)==", words, re.MULTILINE)


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
