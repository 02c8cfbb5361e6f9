"""Names people give to themselves and to files: what may stand in one, and how a strange one is cleaned."""

from __future__ import annotations

import re
from typing import Final

MAX_NAME: Final = 64
"""Characters (code points) of a person's or box's name."""
MAX_FILE_NAME: Final = 255
"""Characters (code points) of a file's name."""

# Controls, line and paragraph separators, and the marks that turn the direction of text around: with
# these "exe.gnp" can be shown as "png.exe". Joiners stay: several scripts and many emoji need them.
_CONTROLS: Final = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def is_plain(name: str, limit: int = MAX_NAME) -> bool:
    """True when a name is short enough and holds nothing invisible that could deceive."""
    return len(name) <= limit and _CONTROLS.search(name) is None


def clean_file_name(name: str) -> str:
    """The last path component without controls, at most MAX_FILE_NAME long; "file" when nothing is left."""
    last = re.split(r"[/\\]", _CONTROLS.sub("", name))[-1].strip()
    if last in ("", ".", ".."):
        return "file"
    if len(last) <= MAX_FILE_NAME:
        return last
    stem, dot, ending = last.rpartition(".")
    if not dot or len(ending) > 16:
        return last[:MAX_FILE_NAME]
    return stem[: MAX_FILE_NAME - 1 - len(ending)] + dot + ending
