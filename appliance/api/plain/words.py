"""The words of the pages, in the reader's language; the catalogues are words_en.py and words_de.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from appliance.api.plain.words_de import GERMAN
from appliance.api.plain.words_en import ENGLISH
from appliance.errors import Refusal

CATALOGUES: Final[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "de": GERMAN}
LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
LONGEST_WISH: Final = 512
"""Characters of an Accept-Language header that are looked at."""


class Words:
    """One catalogue: `words(key, name=value)` gives its sentence; a missing key is a fault."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._catalogue = CATALOGUES[language]

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of a key, with its values put in."""
        sentence = self._catalogue[key]
        return sentence.format_map(values) if values else sentence

    def __contains__(self, key: str) -> bool:
        return key in self._catalogue

    def count(self, key: str, number: int) -> str:
        """The sentence for one or for many."""
        return self(f"{key}.one" if number == 1 else f"{key}.other", n=number)

    def refusal(self, refusal: Refusal) -> str:
        """Why something was refused, and what to do."""
        key = f"refusal.{refusal.code}"
        if key not in self:
            return self("refusal.other", code=refusal.code)
        details = refusal.details
        seconds = details.get("seconds", details.get("retry_after", 5))
        return self(key, seconds=seconds, least=details.get("least", 8), limit=details.get("limit", ""))

    def day(self, seconds: float) -> str:
        """A date, in UTC."""
        when = datetime.fromtimestamp(seconds, UTC)
        return self("date.day", day=when.day, month=self(f"date.month{when.month}"), year=when.year)

    def hour(self, hour: int) -> str:
        """A date with its hour, in UTC; `hour` counts from 1970."""
        return self("date.hour", day=self.day(hour * 3600), hour=f"{hour % 24:02d}")

    def moment(self, seconds: float) -> str:
        """A date with hour and minute, in UTC."""
        when = datetime.fromtimestamp(seconds, UTC)
        return self("date.moment", day=self.day(seconds), time=f"{when:%H:%M}")


def choose(cookie: str, accept: str) -> Words:
    """The language that somebody chose, else the first that the browser asks for and we have."""
    if cookie in CATALOGUES:
        return Words(cookie)
    wished: list[tuple[float, int, str]] = []
    for at, part in enumerate(accept[:LONGEST_WISH].split(",")):
        name, _, weight = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        if language in CATALOGUES:
            wished.append((-_weight(weight), at, language))
    return Words(min(wished)[2] if wished else "en")


def _weight(text: str) -> float:
    """The q of one wish, from 0 to 1."""
    _, _, number = text.strip().partition("q=")
    try:
        return min(1.0, max(0.0, float(number))) if number else 1.0
    except ValueError:
        return 0.0
