from dataclasses import fields
from pathlib import Path

import pytest

from appliance.config import Config, choices, convert, declarations
from appliance.errors import Refusal


def test_every_setting_has_a_meaning():
    assert all(row[3].endswith(".") for row in declarations())
    assert [row[0] for row in declarations()] == [f.name for f in fields(Config)]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("onion_pow", "off", False),
        ("ttl_max_hours", "24", 24),
        ("bridges", "a\n\n b ", ("a", "b")),
        ("relay_policy", "open", "open"),
        ("data", "/srv/x", Path("/srv/x")),
    ],
)
def test_text_becomes_a_value(name, text, value):
    assert convert(name, text) == value
    assert getattr(Config().with_values({name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("onion_pow", "maybe"),
        ("ttl_max_hours", "0"),
        ("ttl_max_hours", "721"),
        ("ttl_max_hours", True),
        ("relay_policy", "anyone"),
        ("tor", 3),
    ],
)
def test_a_bad_value_is_refused(name, text):
    with pytest.raises(Refusal) as caught:
        convert(name, text)
    assert caught.value.code == "bad_setting"


def test_an_unknown_setting_is_refused():
    with pytest.raises(Refusal) as caught:
        Config().with_values({"colour": "blue"})
    assert caught.value.code == "unknown_setting"


def test_choices_are_listed():
    assert choices("relay_policy") == ["open", "invite", "peers", "closed"]
    assert choices("tor") is None
