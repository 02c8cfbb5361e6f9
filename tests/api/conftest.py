"""A running server on small fakes of the services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.api.app import Application
from appliance.api.entrance import bind_loopback, bind_unix
from appliance.api.gate import Gate
from appliance.api.limits import Limits
from appliance.api.server import Server
from appliance.api.static import Site
from appliance.config import Config
from tests.api.event_wires import Door
from tests.api.fakes import FakeBox
from tests.api.wires import House
from tests.posts import Far, posts
from tests.services import Time

Open = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def house(tmp_path: Path) -> Open:
    """Open a house: `async with house(circuit_requests=5) as h`."""

    @asynccontextmanager
    async def open_house(site: Path | None = None, **settings: Any) -> AsyncIterator[House]:
        config = replace(Config(data=tmp_path, listen="127.0.0.1:0"), **settings)
        box = FakeBox(config)
        gate = Gate(box, Limits(lambda: box.config, trio.current_time))
        server = Server(box, Application(box, gate, Site(site or tmp_path / "nothing")), gate)
        loopback = bind_loopback("127.0.0.1", 0)
        doors = [loopback] + [bind_unix(kind, tmp_path / f"{kind}.sock") for kind in ("onion", "control")]
        port = loopback.listener.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, doors)
            house = House(box, server, tmp_path, port)
            yield house
            nursery.cancel_scope.cancel()
        for stream in house.dialled:
            await stream.aclose()

    return open_house


@pytest.fixture
def door(house: Open, tmp_path: Path) -> object:
    """Open a server with a post behind it: `async with door(idle_seconds=1) as d`."""

    @asynccontextmanager
    async def open_door(**settings: object) -> AsyncIterator[Door]:
        async with posts(tmp_path / "post", Time(), Far(), "home") as (home,), house(**settings) as found:
            found.box.post = home.post
            yield Door(found, home)

    return open_door
