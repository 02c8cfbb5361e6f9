"""A person's address, `name@<onion>`: who is meant, and which box knows them."""

from __future__ import annotations

from typing import Final, NamedTuple

from appliance.errors import Refusal
from appliance.protocol import codec, onion
from appliance.protocol.account import AccountName

MAX_ADDRESS: Final = 128


class Address(NamedTuple):
    """A name and the public key of its box."""

    name: str
    box: bytes

    def __repr__(self) -> str:
        return "<Address>"


def read(text: str) -> Address:
    """The address in a text of any letter case; Refusal bad_address."""
    name, at, host = text.strip().lower().partition("@")
    if len(text) > MAX_ADDRESS or not at or not text.isascii():
        raise Refusal("bad_address")
    try:
        codec.convert(name, AccountName)
    except Refusal as error:
        raise Refusal("bad_address") from error
    return Address(name, onion.public_key(host))


def write(address: Address) -> str:
    """The address in its one spelling."""
    return f"{address.name}@{onion.address(address.box)}"
