"""Settings from text: the command line's and `island settings set`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.commands import exits
from appliance.commands.run import configured
from appliance.commands.settings import parse
from appliance.commands.shell import Failure


@pytest.mark.parametrize(
    ("text", "like", "value"),
    [
        ("yes", False, True),
        ("Off", True, False),
        ("1_000", 7, 1000),
        ("-3", 7, -3),
        ("a, b,,c ", (), ["a", "b", "c"]),
        ('["a, b", "c"]', [], ["a, b", "c"]),
        ("", [], []),
        ("open", "invite", "open"),
    ],
)
def test_text_becomes_a_value_of_the_same_kind(text: str, like: Any, value: Any) -> None:
    assert parse(text, like) == value


@pytest.mark.parametrize(("text", "like"), [("maybe", True), ("1.5", 7), ("many", 7), ("[1]", []), ("[", [])])
def test_other_text_is_a_failure(text: str, like: Any) -> None:
    with pytest.raises(Failure):
        parse(text, like)


def test_options_make_a_config(tmp_path: Path) -> None:
    changes = (
        "relay-policy=open",
        "work_bits=4",
        "onion_pow=no",
        "bridges=obfs4 1.2.3.4:5 FP,obfs4 6.7.8.9:1 FQ",
    )
    config = configured(tmp_path, {"listen": "127.0.0.1:9"}, changes)
    assert (config.data, config.listen, config.relay_policy) == (tmp_path, "127.0.0.1:9", "open")
    assert (config.work_bits, config.onion_pow) == (4, False)
    assert config.bridges == ("obfs4 1.2.3.4:5 FP", "obfs4 6.7.8.9:1 FQ")


@pytest.mark.parametrize(
    "change", ["levity=1", "data=/tmp", "work_bits=some", "relay_policy=everybody", "work_bits", "=1"]
)
def test_a_wrong_option_is_wrong_usage(tmp_path: Path, change: str) -> None:
    with pytest.raises(Failure) as caught:
        configured(tmp_path, {}, (change,))
    assert caught.value.code == exits.USAGE
