"""What owners do with whole boxes in one process, and strangers with their mailboxes."""

from __future__ import annotations

import time

from appliance.client.desk import Desk
from appliance.client.entrance import onion as onion_entrance
from appliance.client.relay import Relay
from appliance.protocol import onion
from appliance.protocol.desk import UsedRelay
from appliance.protocol.messages import Deposit, DepositGroup, Outcome
from appliance.protocol.route import Route
from tests.boxes import Net, Running, until


class Shifted:
    """The real clock, moved."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def pass_hours(self, hours: float) -> None:
        self.ahead += hours * 3600


async def lodge(bob: Running, *relays: Running) -> None:
    """Bob keeps mailboxes at these relays."""
    for relay in relays:
        await bob.desk.use_relay(relay.ready.onion)
    await until(lambda: ready(bob.desk, len(relays)))


async def ready(desk: Desk, number: int) -> list[UsedRelay] | None:
    found = await desk.relays()
    return found if len(found) == number and all(one.state == "ready" for one in found) else None


async def until_held(desk: Desk, count: int) -> None:
    """Wait until a relay holds exactly so many envelopes."""

    async def there() -> bool:
        return (await desk.load()).held == count

    await until(there)


async def deposit(net: Net, route: Route, *envelopes: bytes) -> list[Outcome]:
    """Leave envelopes on a route as anybody can who knows it."""
    address = onion.address(route.onion)
    async with Relay(onion_entrance(net.dial, address), address) as relay:
        group = DepositGroup(route.mailbox, route.capability, 24, list(envelopes))
        (outcomes,) = (await relay.deposit(Deposit([group]))).groups
    return outcomes
