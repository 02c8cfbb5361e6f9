"""The desk's own part: what it makes of a person's name, and of the key it proves."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.client.desk import account_name
from appliance.protocol import codec
from appliance.protocol.account import NameQuery


@pytest.mark.parametrize(
    ("name", "account"),
    [("Ada", "ada"), ("Ann Smith", "ann-smith"), ("Ёлка", "owner"), ("--x--", "x"), ("a" * 40, "a" * 32)],
)
def test_a_name_becomes_an_account(name: str, account: str) -> None:
    assert account_name(name) == account


@given(st.text())
def test_every_name_becomes_one_that_the_box_takes(name: str) -> None:
    account = account_name(name)
    assert codec.read(codec.encode(NameQuery(account)), NameQuery).name == account
    assert re.fullmatch(r"[a-z0-9-]{1,32}", account)
