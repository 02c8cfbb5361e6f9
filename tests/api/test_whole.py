"""The entrances of a whole box: real services, a real store, real sockets; only Tor is stood in for."""

from __future__ import annotations

import statistics
import time
from base64 import b32decode

import pytest

from appliance.client.desk import Desk
from appliance.client.entrance import loopback, onion
from appliance.client.relay import Relay
from appliance.client.stream import open_stream
from appliance.errors import Refusal
from appliance.protocol.desk import NewGrant
from appliance.protocol.envelope import SIZES, envelope_id
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK, mailbox_id, sign_request
from appliance.protocol.messages import Deposit, DepositGroup, Fetch
from appliance.protocol.stream import nonce, write_request
from tests.api.wires import Socket
from tests.boxes import PASSPHRASE, Net, running, until

KEY = SigningKey(b"k" * 32)
CAPABILITY = b"c" * 32


def envelopes(count: int, size: int = SIZES[1]) -> list[bytes]:
    return [b"\x01" + number.to_bytes(4, "big") + bytes(size - 5) for number in range(count)]


def batch(items: list[bytes]) -> Deposit:
    return Deposit([DepositGroup(mailbox_id(KEY.public), CAPABILITY, 24, items)])


async def invited(box, net: Net) -> None:
    """Give KEY a mailbox at the box."""
    code = (await box.desk.grant(NewGrant(label="them"))).code
    secret = code.partition("/")[2]
    grant = b32decode(secret.upper() + "=" * (-len(secret) % 8))
    async with Relay(onion(net.dial, box.ready.onion), box.ready.onion) as relay:
        await relay.create(KEY, CAPABILITY, grant)


async def test_an_envelope_goes_through_the_stream_and_is_looked_for(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box", contact_envelopes=1000, contact_octets=10_000_000) as box:
        await invited(box, net)
        entrance = onion(net.dial, box.ready.onion)
        async with (
            open_stream(entrance, box.ready.onion) as reader,
            open_stream(entrance, box.ready.onion) as writer,
        ):
            await reader.subscribe(KEY)
            waits = []
            for one in envelopes(40):
                start = time.perf_counter()
                await writer.deposit(batch([one]))
                assert await reader.looks() == {mailbox_id(KEY.public)}
                waits.append(time.perf_counter() - start)
            assert statistics.median(waits) < 0.1
            fetched = await reader.fetch(KEY, limit=1000)
            assert [found.envelope for found in fetched.envelopes] == envelopes(40)
            ids = [envelope_id(found.envelope) for found in fetched.envelopes]
            assert (await reader.acknowledge(KEY, ids)).removed == 40
            assert (await reader.fetch(KEY)).envelopes == []


async def test_a_reader_that_was_cut_finds_everything_when_it_comes_back(tmp_path):
    net = Net()
    settings = {"write_seconds": 0.3, "contact_envelopes": 1000, "contact_octets": 20_000_000}
    async with running(net, tmp_path / "box", **settings) as box:
        host = box.ready.onion
        await invited(box, net)
        items = envelopes(300, SIZES[3])
        async with open_stream(onion(net.dial, host), host) as writer:
            for start in range(0, 300, 100):
                await writer.deposit(batch(items[start : start + 100]))
        async with await net.dial(host, 80, "lazy") as connection:
            lazy = await Socket.open(connection, host)
            for number in range(1, 20):
                fetch = Fetch(mailbox_id(KEY.public), BLANK, 1000)
                signed = sign_request(KEY, host, nonce(lazy.prefix, number), fetch)
                await lazy.send(write_request(number, signed))

            async def cut() -> bool:
                return "stream too_slow" in " ".join((await box.desk.health()).refusals)

            await until(cut)
        found: list[bytes] = []
        async with open_stream(onion(net.dial, host), host) as back:
            more, after = True, 0
            while more:
                fetched = await back.fetch(KEY, after=after, limit=100)
                found += [one.envelope for one in fetched.envelopes]
                more, after = fetched.more, fetched.envelopes[-1].number
        assert found == items


async def test_a_box_is_claimed_by_its_link_and_then_opens_to_strangers(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box", claim=False) as box:
        assert box.ready.claim_url is not None
        page, _, fragment = box.ready.claim_url.partition("#claim=")
        port = int(page.rstrip("/").rpartition(":")[2])
        async with Relay(onion(net.dial, box.ready.onion), box.ready.onion) as relay:
            with pytest.raises(Refusal, match="not_claimed"):
                await relay.info()
            async with Desk(loopback(f"127.0.0.1:{port}")) as desk:
                with pytest.raises(Refusal, match="wrong_token"):
                    await desk.claim("wrong", "Ann", PASSPHRASE)
                with pytest.raises(Refusal, match="weak_passphrase"):
                    await desk.claim(fragment, "Ann", "short")
                assert (await desk.claim(fragment, "Ann", PASSPHRASE)).role == "owner"
                assert (await desk.identity()).name == "Ann"
            async with Desk(loopback(f"127.0.0.1:{port}")) as desk:
                with pytest.raises(Refusal, match="invite"):
                    await desk.claim(fragment, "Eve", PASSPHRASE)
                with pytest.raises(Refusal, match="sign_in"):
                    await desk.relays()
                with pytest.raises(Refusal, match="wrong_sign_in"):
                    await desk.sign_in("not this one", "ann")
                await desk.sign_in(PASSPHRASE, "ann")
                assert await desk.relays() == []
                state = await desk.state()
                assert (state.name, state.role, state.signed_in) == ("ann", "owner", True)
            assert (await relay.info()).policy == "invite"
