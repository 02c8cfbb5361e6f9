"""Who gets a grant: by work, as a peer, or not at all."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import trio

from appliance.protocol import onion
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import prove_peer
from appliance.protocol.messages import GrantRequest, WorkChallenge, WorkSolution
from appliance.protocol.work import is_solved
from appliance.service import admission as admission_module
from appliance.service import puzzle as puzzle_module
from appliance.service.admission import Admission
from appliance.service.puzzle import WORK_SECONDS
from appliance.store import grants
from appliance.store.schema import GRANTS
from tests.services import Holder, House, Time, envelope, refused, states

EASY = {"work_bits": 2, "work_memory_kib": 64}
FRIEND = SigningKey(bytes(range(32)))


def admission(house: House, policy: str, **settings: object) -> Admission:
    peers = (onion.address(FRIEND.public),)
    config = replace(house.config, relay_policy=policy, relay_peers=peers, **EASY, **settings)
    return Admission(house.store, config, house.clock, house.relay())


def solve(challenge: WorkChallenge | None, *, wrong: bool = False) -> GrantRequest:
    assert challenge is not None
    number = 0
    while is_solved(challenge, number.to_bytes(8, "big")) == wrong:
        number += 1
    return GrantRequest(work=WorkSolution(challenge.challenge, number.to_bytes(8, "big")))


def peer(who: Admission, key: SigningKey, *, host: str = "", nonce: bytes = b"") -> GrantRequest:
    relay = who._relay
    return GrantRequest(peer=prove_peer(key, host or relay.host, nonce or relay.nonces(1).nonces[0]))


async def test_work_buys_a_grant_that_keeps_mailboxes(house: House, clock: Time) -> None:
    open_ = admission(house, "open", grant_mailboxes=2, grant_octets=2000, grant_days=3)
    info = open_.info()
    assert info.work is not None and info.work.bits == 2
    grant = await open_.grant(solve(info.work))
    assert (grant.mailboxes, grant.octets, grant.expires_hour) == (2, 2000, clock.hour + 72)
    holder = Holder(open_._relay)
    await holder.create(grant.secret)
    assert states(await holder.deposit(envelope())) == ["held"]
    kept = house.store.read(lambda txn: list(txn.range(GRANTS)))
    assert grant.secret not in b"".join(key + value for key, value in kept), "only its hash is kept"


async def test_work_is_good_once_and_for_a_while(house: House, clock: Time) -> None:
    open_ = admission(house, "open")
    request = solve(open_.info().work)
    await open_.grant(request)
    with refused("work"):
        await open_.grant(request)
    stale = solve(open_.info().work)
    clock.now += WORK_SECONDS + 1
    with refused("work"):
        await open_.grant(stale)


async def test_wrong_work_buys_nothing(house: House) -> None:
    open_ = admission(house, "open")
    with refused("work"):
        await open_.grant(solve(open_.info().work, wrong=True))
    mine = open_.info().work
    assert mine is not None
    with refused("work"):
        await open_.grant(solve(replace_challenge(mine, os.urandom(32))))  # no challenge of ours
    with refused("work"):
        await open_.grant(solve(admission(house, "open").info().work))  # of another box
    assert not house.store.read(grants.list_all)


def replace_challenge(challenge: WorkChallenge, token: bytes) -> WorkChallenge:
    return WorkChallenge(token, challenge.memory_kib, challenge.passes, challenge.bits, challenge.seconds)


async def test_one_solution_sent_twice_at_once_buys_one_grant(house: House) -> None:
    open_ = admission(house, "open")
    request = solve(open_.info().work)
    bought: list[bytes] = []

    async def buy() -> None:
        try:
            bought.append((await open_.grant(request)).secret)
        except Exception as error:
            assert getattr(error, "code", "") == "work"

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(buy)
    assert len(bought) == 1


async def test_a_flood_of_solutions_is_put_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(puzzle_module, "MAX_CHECKS", 2)
    open_ = admission(house, "open")
    codes: list[str] = []

    async def buy() -> None:
        try:
            await open_.grant(solve(open_.info().work))
            codes.append("bought")
        except Exception as error:
            codes.append(getattr(error, "code", "?"))

    async with trio.open_nursery() as nursery:
        for _ in range(12):
            nursery.start_soon(buy)
    assert set(codes) == {"bought", "busy"}


async def test_strangers_have_so_many_grants(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "MAX_GRANTS", 2)
    open_ = admission(house, "open")
    for _ in range(2):
        await open_.grant(solve(open_.info().work))
    with refused("relay_full"):
        await open_.grant(solve(open_.info().work))


@pytest.mark.parametrize("policy", ["invite", "closed", "peers"])
async def test_only_an_open_relay_takes_work(house: House, policy: str) -> None:
    request = solve(admission(house, "open").info().work)
    shut = admission(house, policy)
    assert shut.info().work is None
    with refused("policy"):
        await shut.grant(request)
    with refused("policy"):
        await shut.grant(GrantRequest())


@pytest.mark.parametrize("policy", ["peers", "open"])
async def test_who_is_named_as_a_peer_is_one(house: House, policy: str) -> None:
    peers = admission(house, policy)
    grant = await peers.grant(peer(peers, FRIEND))
    await Holder(peers._relay).create(grant.secret)
    (record,) = house.store.read(grants.list_all)
    assert record.origin == "peer"


@pytest.mark.parametrize("policy", ["invite", "closed"])
async def test_elsewhere_a_peer_is_a_stranger(house: House, policy: str) -> None:
    shut = admission(house, policy)
    with refused("policy"):
        await shut.grant(peer(shut, FRIEND))


async def test_a_proof_serves_once_and_at_one_relay(house: House, clock: Time) -> None:
    peers = admission(house, "peers")
    request = peer(peers, FRIEND)
    await peers.grant(request)
    with refused("nonce"):
        await peers.grant(request)
    with refused("signature"):
        await peers.grant(peer(peers, FRIEND, host="x" * 56 + ".onion"))
    with refused("nonce"):
        await peers.grant(peer(peers, FRIEND, nonce=bytes(32)))
    stale = peer(peers, FRIEND)
    clock.now += 61
    with refused("nonce"):
        await peers.grant(stale)


async def test_without_proof_nobody_learns_who_is_a_contact(house: House) -> None:
    """A name alone gets the same answer whether it is a contact's or not."""
    peers = admission(house, "peers")
    for claimed in (FRIEND, SigningKey(bytes(32))):
        true = peer(peers, claimed).peer
        assert true is not None
        lie = GrantRequest(peer=type(true)(true.identity, true.nonce, bytes(64)))
        with refused("signature"):
            await peers.grant(lie)
    with refused("policy"):
        await peers.grant(peer(peers, SigningKey(bytes(32))))


async def test_a_new_policy_holds_at_once(house: House) -> None:
    relay = admission(house, "open")
    request = solve(relay.info().work)
    relay.configure(replace(house.config, relay_policy="closed"))
    assert relay.info().work is None
    with refused("policy"):
        await relay.grant(request)
