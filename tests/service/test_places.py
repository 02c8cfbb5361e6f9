"""Mailboxes at relays: joined, renewed, lost and made again, left without losing what waits there."""

from __future__ import annotations

from base64 import b32encode
from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.desk import NewGrant, UsedRelay
from appliance.service.invitation import read_invitation
from tests.acts import (
    Shifted,
    Stranger,
    befriend,
    card_of,
    deposit,
    lodge,
    ready,
    send_note,
    until_arrived,
    until_held,
    until_state,
)
from tests.boxes import Net, Running, running, until

ADDRESS = onion.address(Stranger().key.public)


def test_an_invitation_is_read_however_it_was_pasted() -> None:
    secret = bytes(range(32))
    text = b32encode(secret).decode().rstrip("=")
    for code in (f"{ADDRESS}/{text}", f" {ADDRESS}/{text.lower()[:20]}\n {text.lower()[20:]} "):
        assert read_invitation(code) == (onion.public_key(ADDRESS), secret)
    assert read_invitation(ADDRESS) == (onion.public_key(ADDRESS), b"")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "bad_address"),
        ("x.onion/aaaa", "bad_address"),
        (f"{ADDRESS}/a", "grant"),
        (f"{ADDRESS}/ä", "grant"),
    ],
)
def test_a_broken_invitation_is_refused(code: str, why: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_invitation(code)
    assert caught.value.code == why


async def only(bob: Running, state: str) -> UsedRelay:
    async def there() -> UsedRelay | None:
        (row,) = await bob.desk.relays()
        return row if row.state == state else None

    return await until(there)


async def test_a_relay_that_is_off_is_tried_again(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "relay", relay_policy="open") as relay:
        address = relay.ready.onion
    async with running(net, tmp_path / "bob") as bob:
        assert (await bob.desk.use_relay(address)).state == "joining"
        row = await only(bob, "unreachable")
        assert row.words == "It cannot be reached now; it is tried again."
        async with running(net, tmp_path / "relay", relay_policy="open"):
            await bob.desk.use_relay(address)
            assert (await only(bob, "ready")).mailboxes == 1
        with pytest.raises(Refusal, match="own_card"):
            await bob.desk.use_relay(bob.ready.onion)


async def test_a_peer_is_served_by_a_relay_for_peers(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "relay", relay_policy="peers") as relay,
        running(net, tmp_path / "bob") as bob,
    ):
        await bob.desk.use_relay(relay.ready.onion)
        assert "strangers" in (await only(bob, "refused")).words
        await befriend(relay, bob, mutual=False)
        await bob.desk.use_relay(relay.ready.onion)
        await only(bob, "ready")
        assert [grant.origin for grant in (await relay.desk.load()).grants] == ["peer"]


async def test_each_contact_has_a_mailbox_of_its_own_until_removed(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "alice") as alice,
        running(net, tmp_path / "bob") as bob,
    ):
        await lodge(bob, relay)

        async def mailboxes(number: int) -> None:
            async def there() -> bool:
                (row,) = await bob.desk.relays()
                (grant,) = (await relay.desk.load()).grants
                return row.mailboxes == grant.mailboxes == number

            await until(there)

        await mailboxes(1)
        await befriend(alice, bob)
        await mailboxes(2)
        await bob.desk.remove_contact(alice.ready.onion)
        await mailboxes(1)


async def test_what_waits_at_a_relay_is_collected_before_it_is_left(tmp_path: Path) -> None:
    """Left at the moment when letters wait there and the collector sleeps."""
    net = Net()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "bob", collect_seconds=10_000) as bob,
    ):
        await lodge(bob, relay)
        card = await card_of(bob)
        there = next(route for route in card.routes if route.onion != card.identity)
        letters = [Stranger(f"Writer {number}").note(card) for number in range(5)]
        await deposit(net, there, *letters)
        await bob.desk.leave_relay(relay.ready.onion)
        assert len((await card_of(bob)).routes) == 1
        await until_arrived(bob.desk, 5)

        async def given_up() -> bool:
            (grant,) = (await relay.desk.load()).grants
            return grant.mailboxes == 0

        await until(given_up)
        with pytest.raises(Refusal, match="no_mailbox"):
            await deposit(net, there, letters[0])
        with pytest.raises(Refusal, match="no_item"):
            await bob.desk.leave_relay(relay.ready.onion)
        # And back again.
        await lodge(bob, relay)
        assert len((await card_of(bob)).routes) == 2


async def test_left_and_used_again_at_once_it_serves(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "bob") as bob,
    ):
        await lodge(bob, relay)
        before = (await card_of(bob)).routes[1]
        await bob.desk.leave_relay(relay.ready.onion)
        await bob.desk.use_relay(relay.ready.onion)

        async def fresh() -> bool:
            routes = (await card_of(bob)).routes
            return len(routes) == 2 and routes[1] != before

        await until(fresh)
        card = await card_of(bob)
        await deposit(net, card.routes[1], Stranger().note(card))
        await until_arrived(bob.desk)


async def test_a_grant_is_renewed_and_its_mailboxes_move_along(tmp_path: Path) -> None:
    net, clock = Net(), Shifted()
    async with (
        running(net, tmp_path / "relay", clock=clock, relay_policy="open", grant_days=10) as relay,
        running(net, tmp_path / "bob", clock=clock) as bob,
        running(net, tmp_path / "alice", clock=clock) as alice,
    ):
        await lodge(bob, relay)
        await befriend(alice, bob)
        for _ in range(4):  # forty days
            clock.pass_hours(9 * 24)
            await bob.desk.use_relay(relay.ready.onion)  # what the hourly look does
            await until(lambda: ready(bob.desk, 1))

            async def moved() -> bool:
                rows = (await relay.desk.load()).grants
                return max((row.expires, row.mailboxes) for row in rows)[1] == 2

            await until(moved)
        card = await card_of(bob)
        (outcome,) = await deposit(net, card.routes[1], Stranger().note(card))
        assert outcome.state == "held"
        await until_arrived(bob.desk)


async def test_mailboxes_that_a_relay_lost_are_made_again_under_a_new_invitation(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "relay") as relay,
        running(net, tmp_path / "bob") as bob,
        running(net, tmp_path / "alice") as alice,
    ):
        invitation = await relay.desk.grant(NewGrant(label="Bob"))
        await bob.desk.use_relay(invitation.code)
        await only(bob, "ready")
        await relay.desk.revoke(invitation.id)
        row = await only(bob, "refused")
        assert "grant is not valid" in row.words
        assert len((await card_of(bob)).routes) == 1, "nobody is sent to a mailbox that is gone"
        await bob.desk.use_relay((await relay.desk.grant(NewGrant(label="Bob again"))).code)
        await only(bob, "ready")
        address = await befriend(alice, bob)
        bob.stop.cancel()
        item = await send_note(alice.desk, address)
        await until_state(alice.desk, item, "at_relays")
        await until_held(relay.desk, 1)
