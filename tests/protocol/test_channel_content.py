"""Contents of channels: the vectors, and what fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import Refusal
from appliance.protocol import channel_content, channel_message
from tests.vectors.channel_checks import check_channel_content

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "channel_content.json").read_text())
COMMON: dict[str, Any] = {"v": 1, "id": bytes(16), "sent": 1}


def test_vectors() -> None:
    check_channel_content(VECTORS)
    assert {case["kind"] for case in VECTORS["contents"]} == set(channel_content._KINDS)


def test_the_longest_text_fits() -> None:
    payload = channel_content.write(channel_content.Text(**COMMON, text="\U0001f41a" * 16_000))
    assert channel_message.message_size(len(payload)) <= channel_message.MAX_MESSAGE
    with pytest.raises(Refusal, match="bad_message"):
        channel_content.write(channel_content.Text(**COMMON, text="x" * 16_001))


def test_words_stay_out_of_repr() -> None:
    assert repr(channel_content.Text(**COMMON, text="secret")) == "<Text>"
