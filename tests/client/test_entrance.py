"""Entrances: which of them only this machine can answer, and what is not told at the others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import trio

from appliance.client.entrance import control, loopback, onion
from appliance.client.person import Person
from tests.boxes import Net, running
from tests.clients import PASSPHRASE, QUICK, door
from tests.services import refused


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


async def test_a_box_elsewhere_cannot_ask_for_a_passphrase_that_is_cheap_to_guess(tmp_path):
    said = bytearray()

    class Heard(trio.abc.Stream):
        def __init__(self, stream):
            self._stream = stream

        async def send_all(self, data):
            said.extend(data)
            await self._stream.send_all(data)

        async def wait_send_all_might_not_block(self):
            await self._stream.wait_send_all_might_not_block()

        async def receive_some(self, max_bytes=None):
            return await self._stream.receive_some(max_bytes)

        async def aclose(self):
            await self._stream.aclose()

    async with running(
        Net(), tmp_path / "box", registration="open", kdf_memory_kib=7167, kdf_passes=9
    ) as box:
        near = door(box)

        async def connect():
            return Heard(await near.open())

        far = dataclasses.replace(near, open=connect, is_near=False)
        with refused("weak_stretching"):
            async with Person.register(far, "ada", PASSPHRASE, options=QUICK):
                pass
        async with Person.register(near, "ada", PASSPHRASE, options=QUICK):
            pass
        with refused("weak_stretching"):
            async with Person.sign_in(far, "ada", PASSPHRASE, options=QUICK):
                pass
    assert b"/v1/door" in said and b"/v1/session/parameters" in said
    assert b"/v1/accounts" not in said and b"/v1/session " not in said
