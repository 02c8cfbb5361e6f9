"""Linking packets: the vectors, and who cannot open one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import link
from appliance.protocol.account import MAX_LINK_OCTETS
from tests.vectors.checks import check_link

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "link.json").read_text())
PACKET = link.LinkPacket(b"\7" * 32, "ada")


def test_vectors() -> None:
    check_link(VECTORS)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32))
def test_fragments_read_back(ident: bytes, secret: bytes) -> None:
    assert link.read_fragment(link.fragment(ident, secret)) == (ident, secret)


def test_another_id_or_secret_does_not_open() -> None:
    sealed = link.seal(bytes(16), bytes(32), PACKET, bytes(24))
    assert link.open_packet(bytes(16), bytes(32), sealed) == PACKET
    for ident, secret in ((b"\1" * 16, bytes(32)), (bytes(16), b"\1" * 32)):
        with pytest.raises(Refusal, match="not_opened"):
            link.open_packet(ident, secret, sealed)


def test_a_packet_fits_where_it_waits_and_a_larger_one_is_refused() -> None:
    assert len(link.seal(bytes(16), bytes(32), PACKET, bytes(24))) < MAX_LINK_OCTETS
    with pytest.raises(Refusal, match="not_opened"):
        link.open_packet(bytes(16), bytes(32), bytes(MAX_LINK_OCTETS + 1))
