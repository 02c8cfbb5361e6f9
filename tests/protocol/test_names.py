"""Names: nothing invisible, no path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocol import names


@pytest.mark.parametrize("name", ["Ann", "", "Zoë 水", "x" * 64, "👩\u200d🚀", "می\u200cخواهم"])
def test_plain_names(name: str) -> None:
    assert names.is_plain(name)


@pytest.mark.parametrize(
    "name", ["x" * 65, "a\0b", "a\nb", "a\x7fb", "a\x85b", "a\u202egnp.exe", "a\u2066b", "\u2028"]
)
def test_names_that_deceive(name: str) -> None:
    assert not names.is_plain(name)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("photo.png", "photo.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.txt", "a.txt"),
        ("a\u202egnp.exe", "agnp.exe"),
        (" \n", "file"),
        ("..", "file"),
        ("dir/", "file"),
        ("x" * 300 + ".tar", "x" * 251 + ".tar"),
        ("x" * 300, "x" * 255),
    ],
)
def test_file_names_are_cleaned(name: str, clean: str) -> None:
    assert names.clean_file_name(name) == clean


@given(st.text(st.characters(codec=None), max_size=300))
def test_a_clean_name_is_plain_and_stays_so(name: str) -> None:
    clean = names.clean_file_name(name)
    assert clean and names.is_plain(clean, names.MAX_FILE_NAME)
    assert "/" not in clean and "\\" not in clean and clean not in (".", "..")
    assert names.clean_file_name(clean) == clean
