"""Posts of several boxes on real stores, joined by a stand-in for the network between them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK, capability_hash, mailbox_id, sign_request
from appliance.protocol.messages import (
    Acknowledge,
    Acknowledged,
    CreateMailbox,
    DeleteMailbox,
    Deposit,
    Deposited,
    Fetch,
    Fetched,
    MailboxState,
    RelayInfo,
)
from appliance.protocol.post import (
    Destination,
    Dispatch,
    DispatchState,
    Queued,
    RelaySignal,
    Settle,
    WantMailboxes,
)
from appliance.protocol.route import Route
from appliance.service.caller import Caller
from appliance.service.post import Post
from appliance.service.relay import Relay
from appliance.store import places
from tests.services import House, Time, opened

HANDLE = b"handle-1"
REQUESTS = bytes(8)


@dataclass
class Far:
    """Stands where `Remotes` stands: calls the other boxes' services; a box that is off does not answer."""

    boxes: dict[str, PostHouse] = field(default_factory=dict)
    off: set[str] = field(default_factory=set)
    tor_off: bool = False
    hang: bool = False
    """Boxes that are off do not even refuse."""
    purposes: list[tuple[str, str]] = field(default_factory=list)
    lose_answers: int = 0
    """So many deposits and acknowledgements take effect, but their answers are lost."""

    @asynccontextmanager
    async def at(self, address: str, purpose: str, seconds: float = 60) -> AsyncIterator[FarClient]:
        await trio.lowlevel.checkpoint()
        self.purposes.append((address, purpose))
        if self.tor_off:
            raise Refusal("tor_off")
        if address in self.off or address not in self.boxes:
            if self.hang:
                await trio.sleep_forever()
            raise Refusal("unreachable", reason="no descriptor")
        yield FarClient(self, self.boxes[address])

    def lose(self) -> None:
        if self.lose_answers:
            self.lose_answers -= 1
            raise Refusal("unreachable", reason="broken")


class FarHttp:
    def __init__(self, house: PostHouse) -> None:
        self._house = house

    async def call(self, method: str, path: str, kind: type, message: RelaySignal, media: str) -> dict:
        assert (method, path) == ("POST", "/v1/signal")
        self._house.post.signals.receive(message, 1)
        return {}


class FarClient:
    """A client of another box's relay, without the wire between."""

    def __init__(self, far: Far, house: PostHouse) -> None:
        self._far = far
        self._relay = house.relay
        self.host = house.relay.host
        self.http = FarHttp(house)

    def _sign(self, key: SigningKey, message):
        return sign_request(key, self.host, self._relay.nonces(1).nonces[0], message)

    async def info(self) -> RelayInfo:
        return self._relay.info()

    async def create(self, key: SigningKey, capability: bytes, grant: bytes, kind: str) -> MailboxState:
        blank = CreateMailbox(grant, key.public, capability_hash(capability), kind, BLANK)
        return await self._relay.create(self._sign(key, blank))

    async def delete(self, key: SigningKey) -> None:
        await self._relay.delete(self._sign(key, DeleteMailbox(mailbox_id(key.public), BLANK)))

    async def deposit(self, batch: Deposit) -> Deposited:
        answer = await self._relay.deposit(batch)
        self._far.lose()
        return answer

    async def fetch(self, key: SigningKey, *, after: int = 0, limit: int = 64, acknowledge=()) -> Fetched:
        blank = Fetch(mailbox_id(key.public), BLANK, limit, after, list(acknowledge))
        return await self._relay.fetch(self._sign(key, blank))

    async def acknowledge(self, key: SigningKey, envelopes: list[bytes]) -> Acknowledged:
        blank = Acknowledge(mailbox_id(key.public), list(envelopes), BLANK)
        answer = await self._relay.acknowledge(self._sign(key, blank))
        self._far.lose()
        return answer


@dataclass
class PostHouse:
    """One box's store, relay and post."""

    house: House
    relay: Relay
    post: Post

    @property
    def onion(self) -> bytes:
        return self.house.ring.identity.public

    async def use(self, other: PostHouse, **grant: int) -> None:
        """This box may keep mailboxes at another one."""
        secret = await other.house.grant(**grant)
        sealer = self.house.ring.require()
        row = places.Relay(other.onion, 1, "ready", secret)
        await self.house.store.write(lambda txn: places.save_relay(txn, sealer, row))

    async def leave(self, other: PostHouse) -> None:
        sealer = self.house.ring.require()
        await self.house.store.write(lambda txn: places.remove_relay(txn, sealer, other.onion))


@asynccontextmanager
async def posts(
    folder: Path, clock: Time, far: Far, *names: str, **settings: object
) -> AsyncIterator[list[PostHouse]]:
    """Open stores with their posts; no task of theirs runs but the committers."""
    async with trio.open_nursery() as nursery:
        done = trio.Event()
        found: dict[str, PostHouse] = {}

        async def hold(name: str, task_status: trio.TaskStatus[None]) -> None:
            async with opened(folder / name, clock) as house:
                house.config = replace(house.config, relay_policy="open", **settings)
                found[name] = build(house, far)
                task_status.started()
                await done.wait()

        for name in names:
            await nursery.start(hold, name)
        try:
            yield [found[name] for name in names]
        finally:
            done.set()


def build(house: House, far: Far) -> PostHouse:
    """The post of an open store."""
    relay = Relay(house.store, house.config, house.clock, house.host)
    post = Post(house.store, house.ring, house.config, house.clock, far, relay)  # type: ignore[arg-type]
    built = PostHouse(house, relay, post)
    far.boxes[onion.address(house.ring.identity.public)] = built
    return built


def member(name: str = "ada", device: bytes | None = None, session: bytes | None = None) -> Caller:
    """Somebody signed in on some box."""
    account = name.encode().ljust(16, b"-")
    return Caller(account, name, "member", session or os.urandom(16), device or account[::-1])


async def routes_of(house: PostHouse, caller: Caller, handle: bytes = HANDLE) -> list[Route]:
    (one,) = (await house.post.mailboxes.want(caller, WantMailboxes([handle]))).mailboxes
    assert one.handle == handle
    return one.routes


def dispatch(*to: list[Route], envelopes: list[bytes], id: bytes | None = None, hours: int = 100) -> Dispatch:
    """All envelopes to each list of routes."""
    numbers = list(range(len(envelopes)))
    rows = [Destination(b"peer-%3d" % n, routes, numbers) for n, routes in enumerate(to)]
    return Dispatch(id or os.urandom(16), envelopes, rows, hours)


async def waiting(house: PostHouse, caller: Caller) -> list[Queued]:
    return (await house.post.queue.read(caller, 0, 256)).envelopes


async def bodies(house: PostHouse, caller: Caller) -> list[bytes]:
    return [one.envelope for one in await waiting(house, caller)]


async def settle_all(house: PostHouse, caller: Caller) -> None:
    await house.post.queue.settle(caller, Settle([one.number for one in await waiting(house, caller)]))


async def carry(house: PostHouse) -> None:
    """One round of everything that is due."""
    carrier = house.post.carrier
    for round in carrier._due(int(house.house.clock())).values():
        await carrier.go(round)


async def state(house: PostHouse, caller: Caller, id: bytes) -> DispatchState:
    rows = (await house.post.dispatch.page(caller)).dispatches
    return next(row for row in rows if row.id == id)


class Seat:
    """A reader of a feed that counts what its feed calls."""

    def __init__(self) -> None:
        self.woken = self.taken = self.evicted = 0

    def wake(self) -> None:
        self.woken += 1

    def take(self) -> None:
        self.taken += 1

    def evict(self) -> None:
        self.evicted += 1
