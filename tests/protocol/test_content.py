"""Contents: the vectors, and what fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import codec, content, first
from tests.vectors.checks import check_content

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "content.json").read_text())
COMMON: dict[str, Any] = {"v": 1, "id": bytes(16), "sent": 1}


def test_vectors() -> None:
    check_content(VECTORS)
    assert {case["kind"] for case in VECTORS["contents"]} == set(content._KINDS)


@given(st.text(max_size=300), st.integers(0, 2**53 - 1), st.none() | st.integers(1, 1000))
def test_texts_read_back(text: str, sent: int, timer: int | None) -> None:
    value = content.Text(v=1, id=bytes(16), sent=sent, text=text, timer=timer)
    assert content.read(content.write(value)) == value


def test_every_content_fits_a_first_envelope() -> None:
    assert first.ROOM[16320] >= content.MAX_OCTETS
    with pytest.raises(Refusal, match="too_large"):
        content.write(content.Text(**COMMON, text="水" * 5000))


def test_what_nobody_could_read_is_not_written() -> None:
    for broken in (
        content.Text(**COMMON, text="x" * 8001),
        content.Profile(**COMMON, display="a\nb"),
        content.Text(**COMMON | {"id": b""}, text="x"),
    ):
        with pytest.raises(Refusal, match="bad_message"):
            content.write(broken)


def test_a_newer_kind_is_told_from_a_broken_one() -> None:
    """So that a client can say "made by a newer version" and keep the message."""
    newer = codec.encode({"v": 2, "kind": "text", "anything": [1, 2]})
    with pytest.raises(Refusal, match="unknown_version"):
        content.read(newer)


def test_words_stay_out_of_repr() -> None:
    assert repr(content.Text(**COMMON, text="secret")) == "<Text>"
