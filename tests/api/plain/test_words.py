"""The catalogues of the pages: complete in each language, and every word that a template names is there."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import appliance.api.plain
from appliance.api.plain.words import CATALOGUES, Words, choose
from appliance.errors import REFUSALS, Refusal

FOLDER = Path(appliance.api.plain.__file__).parent
ENGLISH = CATALOGUES["en"]


def values(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_language_has_every_sentence_with_the_same_values():
    for language, catalogue in CATALOGUES.items():
        assert list(catalogue) == list(ENGLISH), language
        for key, sentence in catalogue.items():
            assert values(sentence) == values(ENGLISH[key]), (language, key)


def test_every_word_that_is_named_is_there_and_every_one_is_named():
    source = "\n".join(
        path.read_text()
        for path in FOLDER.iterdir()
        if path.suffix in (".html", ".py") and "words_" not in path.name
    )
    named = set(re.findall(r'"([a-z][A-Za-z]*(?:\.[A-Za-z0-9]+)+)"', source))
    starts = {f"{start}." for start in re.findall(r'"([a-z][A-Za-z.]*)\." ~', source)}
    starts |= set(re.findall(r'f"([a-z][A-Za-z]*\.)\{', source))
    starts |= {"date.month", "newCodes."}
    counted = set(re.findall(r'\.count\("([A-Za-z.]+)"', source))
    named = named - counted | {f"{key}.{form}" for key in counted for form in ("one", "other")}
    files = {path.name for path in FOLDER.iterdir()}
    for key in named - files:
        assert key in ENGLISH, key
    for key in ENGLISH:
        assert key in named or any(key.startswith(start) for start in starts), key


def test_templates_hold_no_text_of_their_own():
    for path in FOLDER.glob("*.html"):
        text = re.sub(r"{[{%#].*?[}%#]}|<[^>]*>|&\w+;", "", path.read_text(), flags=re.S)
        assert not re.search(r"[^\W\d_]{2,}", text), (path.name, text)


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_refusal_has_a_sentence(language):
    words = Words(language)
    for code in REFUSALS:
        said = words.refusal(Refusal(code, seconds=3, least=8, limit=5))
        assert said.endswith((".", ")."))
        assert "{" not in said


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        ("", "", "en"),
        ("", "de", "de"),
        ("", "DE-at,en;q=0.1", "de"),
        ("", "fr-FR, en;q=0.5, de;q=0.6", "de"),
        ("en", "de", "en"),
        ("xx", "de", "de"),
        ("", "de;q=0, en", "en"),
        ("", "de;q=nan;q=", "de"),
        ("", ",;,;q=x," * 500 + "de", "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_what_the_browser_asks_for(cookie, accept, language):
    assert choose(cookie, accept).language == language


def test_dates_are_written_as_each_language_does():
    assert Words("en").day(0) == "1 January 1970"
    assert Words("de").moment(86_399) == "1. Januar 1970, 23:59 UTC"
    assert Words("en").hour(27) == "2 January 1970, 03:00 UTC"
