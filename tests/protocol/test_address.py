from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import address, onion
from appliance.protocol.keys import SigningKey

BOX = SigningKey(bytes(range(32))).public
HOST = onion.address(BOX)


@pytest.mark.parametrize("name", ["a", "ada", "a.b-c_d", "a" * 32, "0"])
def test_an_address_is_read_as_it_was_written_in_any_letter_case(name: str) -> None:
    text = address.write(address.Address(name, BOX))
    assert text == f"{name}@{HOST}"
    assert address.read(text) == address.read(f"  {text.upper()}\n") == (name, BOX)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        HOST,
        f"@{HOST}",
        f"ada@@{HOST}",
        f"-ada@{HOST}",
        f"ada.@{HOST}",
        f"{'a' * 33}@{HOST}",
        f"ädä@{HOST}",
        f"\u212a@{HOST}",
        f"ada@{HOST}@{HOST}",
        "ada@example.com",
        f"ada@b{HOST[1:]}",
        f"ada\n@{HOST}",
        f"ada@{HOST}" + " " * 64,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        address.read(text)
    assert caught.value.code == "bad_address"


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = address.read(text)
    except Refusal as refusal:
        assert refusal.code == "bad_address"
    else:
        assert address.read(address.write(found)) == found
