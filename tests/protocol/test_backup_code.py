"""Backup codes: the vectors, every code, and what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import backup_code
from tests.vectors.checks import check_backup_code

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "backup_code.json").read_text())


def test_vectors() -> None:
    check_backup_code(VECTORS)


@given(st.binary(min_size=16, max_size=16))
def test_every_code_reads_back(code: bytes) -> None:
    text = backup_code.write(code)
    assert len(text.replace("-", "")) == backup_code.LENGTH
    assert backup_code.read(text) == code == backup_code.read(text.lower().replace("-", " "))


@given(st.text(max_size=40))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = backup_code.read(text)
    except Refusal as error:
        assert error.code == "malformed"
    else:
        assert backup_code.read(backup_code.write(code)) == code


def test_two_codes_share_no_key() -> None:
    one, other = backup_code.keys(bytes(16)), backup_code.keys(bytes(15) + b"\1")
    assert len({one.authentication, one.wrapping, other.authentication, other.wrapping}) == 4


def test_a_longer_text_is_no_code() -> None:
    with pytest.raises(Refusal, match="malformed"):
        backup_code.read("0" * 27)
