"""Claim links, passphrases, and QR codes in a terminal."""

from __future__ import annotations

import io

import pytest

from appliance.commands.identity import draw, read_passphrase, token_of
from appliance.commands.shell import Failure


@pytest.mark.parametrize(
    ("link", "token"),
    [
        (None, ""),
        ("", ""),
        ("s3cret-tok_en", "s3cret-tok_en"),
        ("http://127.0.0.1:8717/#claim=s3cret", "s3cret"),
        ("http://127.0.0.1:8717/claim#s3cret", "s3cret"),
        ("http://127.0.0.1:8717/claim?token=s3cret", "s3cret"),
        ("http://127.0.0.1:8717/claim/s3cret", "s3cret"),
    ],
)
def test_the_token_in_a_link(link: str | None, token: str) -> None:
    assert token_of(link) == token


def test_a_passphrase_from_a_file_is_its_first_line() -> None:
    assert read_passphrase(io.StringIO("correct horse \nrest"), confirm=True) == "correct horse "


def test_an_address_fits_a_small_terminal() -> None:
    lines = draw("a" * 56 + ".onion", 80)
    assert len(lines) < 24
    assert all(set(line) <= set(" ▀▄█\x1b[0123456789m") for line in lines)


def test_a_longer_text_wants_a_large_one() -> None:
    with pytest.raises(Failure):
        draw("ABCDEFGH" * 350, 80)
    assert draw("ABCDEFGH" * 350, 200)
