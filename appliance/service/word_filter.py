"""The word filter: which words and phrases are not wanted, found in any case and with any accents.

An entry is a word or a phrase; a star at its beginning or end stands for the rest of a word. There are no
patterns beyond that, so that the time a text takes depends on its length only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

MOST_ENTRIES: Final = 500
LONGEST_ENTRY: Final = 64

_WORD: Final = re.compile(r"\w+")


class WordFilter:
    """Made anew when the list changes."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._needles = [needle for entry in entries if (needle := _needle(entry))]

    def finds(self, texts: Iterable[str]) -> bool:
        """Whether any text holds something from the list."""
        if not self._needles:
            return False
        return any(needle in flat for flat in map(_flat, texts) for needle in self._needles)


def _flat(text: str) -> str:
    """Lower case, without accents, its words between single spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(one for one in plain if not unicodedata.combining(one))
    return f" {' '.join(_WORD.findall(bare))} "


def _needle(entry: str) -> str:
    """What is looked for in a flat text; a star lets the word go on. "" for an entry without a word."""
    entry = entry.strip()
    flat = _flat(entry)
    if not flat.strip():
        return ""
    if entry.startswith("*"):
        flat = flat[1:]
    return flat[:-1] if entry.endswith("*") else flat
