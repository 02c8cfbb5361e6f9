"""The relay client and its stream against a real box on loopback."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from appliance.client.desk import Desk
from appliance.client.entrance import Entrance, loopback
from appliance.client.relay import Relay
from appliance.client.stream import open_stream
from appliance.demo.actor import PASSPHRASE, Actor
from appliance.demo.scene import Scene
from appliance.errors import Refusal
from appliance.protocol.desk import NewGrant
from appliance.protocol.envelope import envelope_id
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import mailbox_id
from appliance.protocol.messages import Deposit, DepositGroup, GrantRequest

CAPABILITY = bytes(range(32))


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Actor]:
    async with Scene(tmp_path, tmp_path / "none", tor="off") as scene:
        actor = scene.cast("relay")
        await actor.start()
        await scene.claim("relay")
        yield actor


def entrance(box: Actor) -> Entrance:
    assert box.ready is not None
    return loopback(box.ready.url.partition("//")[2].rstrip("/"))


async def grant(box: Actor) -> bytes:
    async with box.desk() as desk:
        code = (await desk.grant(NewGrant(label="a client"))).code
    secret = code.partition("/")[2].upper()
    return base64.b32decode(secret + "=" * (-len(secret) % 8))


def envelopes(count: int) -> list[bytes]:
    return [b"\x01" + secrets.token_bytes(1983) for _ in range(count)]


def batch(key: SigningKey, sealed: list[bytes]) -> Deposit:
    group = DepositGroup(
        mailbox=mailbox_id(key.public), capability=CAPABILITY, ttl_hours=24, envelopes=sealed
    )
    return Deposit(groups=[group])


async def test_the_life_of_a_mailbox_over_http(box: Actor) -> None:
    key = SigningKey(secrets.token_bytes(32))
    sealed = envelopes(3)
    async with Relay(entrance(box), box.onion) as relay:
        assert (await relay.info()).policy == "invite"
        await relay.create(key, CAPABILITY, await grant(box))
        deposited = await relay.deposit(batch(key, sealed))
        assert [o.state for o in deposited.groups[0]] == ["held"] * 3
        again = await relay.deposit(batch(key, sealed[:1]))
        assert [o.state for o in again.groups[0]] == ["already held"]
        first = await relay.fetch(key, limit=2)
        assert [f.envelope for f in first.envelopes] == sealed[:2]
        assert first.more
        rest = await relay.fetch(
            key, after=first.envelopes[-1].number, acknowledge=[envelope_id(e) for e in sealed[:2]]
        )
        assert ([f.envelope for f in rest.envelopes], rest.removed, rest.more) == (sealed[2:], 2, False)
        assert (await relay.acknowledge(key, [envelope_id(sealed[2])])).removed == 1
        assert (await relay.fetch(key)).envelopes == []
        await relay.delete(key)
        with pytest.raises(Refusal) as caught:
            await relay.fetch(key)
        assert caught.value.code == "no_mailbox"


async def test_a_relay_by_invitation_gives_no_grant_for_work(box: Actor) -> None:
    async with Relay(entrance(box), box.onion) as relay:
        with pytest.raises(Refusal) as caught:
            await relay.grant(GrantRequest())
    assert caught.value.code == "policy"


async def test_the_stream_deposits_fetches_and_looks(box: Actor) -> None:
    key = SigningKey(secrets.token_bytes(32))
    sealed = envelopes(64)
    async with Relay(entrance(box), box.onion) as relay:
        await relay.create(key, CAPABILITY, await grant(box))
    async with (
        open_stream(entrance(box), box.onion) as sender,
        open_stream(entrance(box), box.onion) as receiver,
    ):
        await receiver.subscribe(key)
        async with trio.open_nursery() as nursery:
            for envelope in sealed:
                nursery.start_soon(sender.deposit, batch(key, [envelope]))
        with trio.fail_after(5):
            assert await receiver.looks() == {mailbox_id(key.public)}
        found = await receiver.fetch(key, limit=100)
        assert {f.envelope for f in found.envelopes} == set(sealed)
        removed = await receiver.acknowledge(key, [envelope_id(e) for e in sealed])
        assert removed.removed == 64
        with pytest.raises(Refusal) as caught:
            await sender.deposit(batch(SigningKey(bytes(32)), sealed[:1]))
        assert caught.value.code == "no_mailbox"


async def test_the_owner_signs_in_on_loopback(box: Actor) -> None:
    async with Desk(entrance(box)) as desk:
        assert not (await desk.state()).signed_in
        with pytest.raises(Refusal) as caught:
            await desk.identity()
        assert caught.value.code == "sign_in"
        await desk.sign_in(PASSPHRASE, "relay")
        assert (await desk.identity()).address == box.onion
