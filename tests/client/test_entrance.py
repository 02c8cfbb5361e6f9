"""Entrances: which of them only this machine can answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from appliance.client.entrance import control, loopback, onion


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "127.3.2.1:80", "[::1]:8080", "localhost:8080"])
def test_the_machine_itself_is_near(listen: str) -> None:
    assert loopback(listen).is_near


@pytest.mark.parametrize(
    "listen", ["192.168.1.5:8080", "[fe80::1]:80", "box.example:80", "localhost.example:80"]
)
def test_other_machines_are_not(listen: str) -> None:
    assert not loopback(listen).is_near


async def test_the_control_socket_is_near_and_an_onion_is_not(tmp_path: Path) -> None:
    async def dial(address: str, port: int, isolation: str) -> trio.abc.Stream:
        raise AssertionError("nothing is dialled")

    assert control(tmp_path).is_near
    assert not onion(dial, "abc.onion").is_near
