"""Words in any language."""

from __future__ import annotations

import pytest

from appliance.service.words import MAX_WORD, MAX_WORDS, weights, words_of

CASES = [
    ("Hello, World! don't", ["hello", "world", "don", "t"]),
    ("Größe STRASSE Straße", ["grosse", "strasse", "strasse"]),
    ("Café cafe\u0301 CAFÉ", ["cafe", "cafe", "cafe"]),
    ("Привет, Ёлка", ["привет", "елка"]),
    ("Ὀδυσσεύς", ["οδυσσευσ"]),
    ("שָׁלוֹם", ["שלום"]),
    ("مُحَمَّد", ["محمد"]),
    ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
    ("東京都に行く", ["東京", "京都", "都に", "に行", "行く"]),
    ("水", ["水"]),
    ("한국어", ["한국", "국어"]),
    ("ภาษา", ["ภา", "าษ", "ษา"]),
    ("x86水pump", ["x86", "水", "pump"]),
    ("ＦＵＬＬ ﬁne ²", ["full", "fine", "2"]),
    ("a_b-c", ["a", "b", "c"]),
    ("\U0001f44d\u200d …", []),
    ("İstanbul", ["istanbul"]),
]


@pytest.mark.parametrize(("text", "found"), CASES, ids=[found[0] if found else "none" for _, found in CASES])
def test_words(text: str, found: list[str]) -> None:
    assert words_of(text) == found


@pytest.mark.parametrize("text", ["Größe", "東京", "café", "한국어", "हिन्दी", "Ёлка"])
def test_a_query_becomes_the_words_of_the_text(text: str) -> None:
    for written in (text, text.upper(), text.lower(), f"…{text}!"):
        assert words_of(written) == words_of(text)


def test_words_and_posts_have_bounds() -> None:
    assert words_of("x" * 100 + " y") == ["x" * MAX_WORD, "y"]
    assert words_of("ü" * 100) == ["u" * MAX_WORD]
    assert len(weights(" ".join(f"w{number}" for number in range(5000)))) == MAX_WORDS


def test_weight_rises_with_use_and_falls_with_length() -> None:
    short, long = weights("tor relay"), weights("tor " + "word " * 500)
    assert short["tor"] > long["tor"]
    assert weights("tor tor tor relay")["tor"] > weights("tor relay other relay")["tor"]
    assert all(1 <= weight <= 255 for weight in (*short.values(), *long.values()))
