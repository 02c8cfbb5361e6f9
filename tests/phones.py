"""Devices of boxes' owners over HTTP, without a client's cryptography: what the post takes and gives."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import trio

from appliance.client.http import Http
from appliance.protocol import codec
from appliance.protocol.account import BindDevice
from appliance.protocol.post import (
    AllRoutes,
    Dispatches,
    DispatchState,
    DropMailboxes,
    Leg,
    Queue,
    Settle,
    Ticket,
    WantMailboxes,
)
from appliance.protocol.route import Route
from tests.api.event_wires import EventWire
from tests.boxes import PASSPHRASE, Running, until
from tests.posts import dispatch

HANDLE = b"handle-1"


@dataclass
class Phone:
    """A device of a box's owner, on loopback."""

    box: Running
    http: Http
    device: bytes = field(default_factory=lambda: os.urandom(16))

    @classmethod
    async def of(cls, box: Running, device: bytes | None = None) -> Phone:
        if device is not None:  # the box was started again
            await box.desk.sign_in(PASSPHRASE)
        phone = cls(box, box.desk.http, device or os.urandom(16))
        await phone.post("/v1/session/device", dict[str, Any], BindDevice(phone.device))
        return phone

    async def post(self, path: str, kind: Any, body: Any = None) -> Any:
        return await self.http.call("POST", path, kind, body, media=codec.CBOR)

    async def get(self, path: str, kind: Any) -> Any:
        return await self.http.call("GET", path, kind, media=codec.CBOR)

    async def routes(self) -> list[Route]:
        found = await self.post("/v1/mailboxes/mine", AllRoutes, WantMailboxes([HANDLE]))
        return found.mailboxes[0].routes

    async def drop(self) -> None:
        await self.post("/v1/mailboxes/drop", dict[str, Any], DropMailboxes([HANDLE]))

    async def send(self, routes: list[Route], *envelopes: bytes) -> bytes:
        message = dispatch(routes, envelopes=list(envelopes))
        await self.post("/v1/dispatch", DispatchState, message)
        return message.id

    async def leg(self, id: bytes) -> Leg:
        rows = (await self.get("/v1/dispatch", Dispatches)).dispatches
        return next(row for row in rows if row.id == id).legs[0]

    async def until_leg(self, id: bytes, *states: str) -> Leg:
        async def there() -> Leg | None:
            leg = await self.leg(id)
            return leg if leg.state in states else None

        return await until(there)

    async def until_waiting(self, *envelopes: bytes) -> None:
        """Wait until exactly these are in the queue, and settle them."""

        async def there() -> tuple[list[int]] | None:
            found = (await self.get("/v1/queue?after=0&limit=64", Queue)).envelopes
            same = sorted(one.envelope for one in found) == sorted(envelopes)
            return ([one.number for one in found],) if same else None

        (numbers,) = await until(there)
        await self.post("/v1/queue/settle", dict[str, Any], Settle(numbers))

    async def socket(self) -> EventWire:
        ticket = (await self.post("/v1/events/ticket", Ticket)).ticket
        wire = await EventWire.connect(self, ticket)  # type: ignore[arg-type]
        await wire.event("hello")
        return wire

    async def dial(self, kind: str) -> trio.SocketStream:
        """What the event socket's test end asks of a house."""
        port = self.box.ready.url.rstrip("/").rpartition(":")[2]
        return await trio.open_tcp_stream("127.0.0.1", int(port))


async def both_routes(phone: Phone, number: int = 2) -> list[Route] | None:
    """Its routes when there are so many."""
    routes = await phone.routes()
    return routes if len(routes) == number else None
