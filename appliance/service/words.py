"""Words of a text in any language, as the search knows them (SPEC.md, "Boards")."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import Final

MAX_WORD: Final = 40
"""Letters of a word that count."""
MAX_WORDS: Final = 2000
"""Different words of one post that are indexed."""
QUERY_WORDS: Final = 8
AVERAGE: Final = 80
"""Words of a usual post: longer ones weigh less."""
_K1: Final = 1.2
_B: Final = 0.6

# Marks that ordinary writing leaves out: accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic.
# Marks of other scripts are letters in all but name.
_MARKS: Final = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670]"
)
_PLAIN: Final = re.compile("[a-z0-9]+")
# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, bopomofo, Han, yi; and Hangul, whose words
# have endings.
_PAIRED: Final = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u3096\u30a1-\u312f"
    "\u3400-\u9fff\ua000-\ua4cf\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]+"
)


def words_of(text: str) -> list[str]:
    """Every word of a text in order, normalised; runs of paired scripts as pairs of letters."""
    if text.isascii():
        return [word[:MAX_WORD] for word in _PLAIN.findall(text.lower())]
    plain = _normalised(text)
    found: list[str] = []
    for run in _runs(plain):
        at = 0
        for paired in _PAIRED.finditer(run):
            if paired.start() > at:
                found.append(run[at : paired.start()][:MAX_WORD])
            letters = paired.group()
            found += [letters] if len(letters) == 1 else [a + b for a, b in pairwise(letters)]
            at = paired.end()
        if at < len(run):
            found.append(run[at:][:MAX_WORD])
    return found


def weights(text: str) -> dict[str, int]:
    """Words of a post with their weights (1 to 255): how much a word says about a text of this length."""
    found = words_of(text)
    length = 1 - _B + _B * len(found) / AVERAGE
    counted = Counter(found).most_common(MAX_WORDS)
    return {word: max(1, round(255 * count / (count + _K1 * length))) for word, count in counted}


def _normalised(text: str) -> str:
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return unicodedata.normalize("NFC", plain)


def _runs(text: str) -> list[str]:
    """Stretches of letters, marks and digits."""
    return "".join(letter if _is_word(letter) else " " for letter in text).split()


@lru_cache(maxsize=8192)
def _is_word(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LNM"
