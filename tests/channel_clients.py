"""Members of a box that runs, over HTTP, who sign rosters as their clients do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeVar

from appliance.client.http import Http
from appliance.protocol import channel as wire
from appliance.protocol.account import BindDevice, Invite, NewInvite, Session
from appliance.protocol.codec import CBOR, to_text
from appliance.protocol.directory import Published
from appliance.protocol.log import LogPage
from appliance.protocol.onion import public_key
from tests import households
from tests.channels import CHANNEL, MESSAGE, Member
from tests.persons import Person

T = TypeVar("T")


@dataclass
class Client(Member):
    """One member with their connections."""

    http: Http

    async def ask(self, kind: type[T], path: str, value: Any = None, media: str = CBOR) -> T:
        method = "GET" if value is None else "POST"
        return await self.http.call(method, f"/v1/channels{path}", kind, value, media=media)

    async def see(self, channel: bytes = CHANNEL) -> wire.Channel:
        return await self.ask(wire.Channel, f"/{to_text(channel)}")

    async def change(self, change: Any, hour: int, channel: bytes = CHANNEL) -> wire.Appended:
        """One more entry after what one sees."""
        signed = self.sign(change, (await self.see(channel)).roster, hour, channel)
        return await self.ask(wire.Appended, "/roster", wire.AppendRoster(channel, signed))

    async def draft(self, channel: bytes = CHANNEL, **fields: Any) -> wire.PostChannel:
        """A message after what one sees."""
        seen = await self.see(channel)
        given = {"id": os.urandom(16), "sealed": MESSAGE, "roster": seen.roster.number}
        return wire.PostChannel(channel=channel, devices=seen.devices, **(given | fields))

    async def read(self, after: int = 0, channel: bytes = CHANNEL) -> LogPage:
        return await self.ask(LogPage, f"/{to_text(channel)}/entries?after={after}&limit=256")


async def settle(desk: Http, http: Http, name: str) -> Client:
    """Come in by an invite of the owner's, with a device and an identity."""
    made = await desk.call("POST", "/v1/invites", Invite, NewInvite())
    secret = households.Person(name)
    session = await http.call("POST", "/v1/accounts", Session, secret.register(made.code or ""))
    person = Person(name, public_key(session.onion), session.account)
    await http.call("POST", "/v1/session/device", dict, BindDevice(person.devices[0].id), media=CBOR)
    await http.call("POST", "/v1/prekeys", Published, person.publication(2), media=CBOR)
    return Client(person, person.caller(), secret, http)
