"""Pictures of people: the vectors, and that nothing but the picture is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import picture

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "picture.json").read_text())
PICTURES = [bytes.fromhex(case["picture"]) for case in VECTORS["pictures"]]
FILES = [bytes.fromhex(case["file"]) for case in VECTORS["files"]]


@pytest.mark.parametrize("case", VECTORS["pictures"], ids=lambda case: case["why"])
def test_what_may_travel(case: dict[str, str]) -> None:
    data = bytes.fromhex(case["picture"])
    assert list(picture.read(data)) == case["size"]
    assert picture.stripped(data) == data


@pytest.mark.parametrize("case", VECTORS["files"], ids=lambda case: case["why"])
def test_what_is_stripped(case: dict[str, str]) -> None:
    assert picture.stripped(bytes.fromhex(case["file"])).hex() == case["bare"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_what_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(Refusal, match=case["code"]):
        picture.read(bytes.fromhex(case["picture"]))


@pytest.mark.parametrize("case", VECTORS["broken"], ids=lambda case: case["why"])
def test_what_is_no_jpeg(case: dict[str, str]) -> None:
    data = bytes.fromhex(case["file"])
    for act in (picture.read, picture.stripped):
        with pytest.raises(Refusal, match="malformed"):
            act(data)


@given(st.sampled_from(PICTURES + FILES), st.data())
def test_a_changed_file_is_stripped_once_or_refused(data: bytes, draw: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(changed) - 1))
        changed[at : at + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=3))
    try:
        bare = picture.stripped(bytes(changed))
    except Refusal:
        return
    assert picture.stripped(bare) == bare


@given(st.sampled_from(PICTURES), st.data())
def test_no_beginning_of_a_picture_is_one(data: bytes, draw: st.DataObject) -> None:
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]
    with pytest.raises(Refusal, match="malformed"):
        picture.read(cut)
