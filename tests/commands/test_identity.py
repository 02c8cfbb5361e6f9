"""Claim links, passphrases, cards from files, and QR codes in a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from appliance.commands.identity import draw, read_passphrase, read_text, token_of
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


def test_text_or_a_file(tmp_path: Path) -> None:
    card = tmp_path / "card.txt"
    card.write_text("ISLAND:ABC\n")
    assert read_text("ISLAND:DEF") == "ISLAND:DEF"
    assert read_text(f"@{card}") == "ISLAND:ABC"
    with pytest.raises(Failure):
        read_text(f"@{tmp_path / 'none'}")


def test_an_address_fits_a_small_terminal() -> None:
    lines = draw("a" * 56 + ".onion", 80)
    assert len(lines) < 24
    assert all(set(line) <= set(" ▀▄█\x1b[0123456789m") for line in lines)


def test_a_card_wants_a_large_one() -> None:
    # A card with a few routes is some 2,800 characters of base32, which QR's alphanumeric mode is for.
    card = "ISLAND:" + "ABCDEFGH" * 350
    with pytest.raises(Failure):
        draw(card, 80)
    assert draw(card, 200)
