"""Relays of a box: joined, renewed, lost and joined again, left without losing what waits there."""

from __future__ import annotations

from base64 import b32encode
from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.desk import NewGrant, UsedRelay
from appliance.protocol.keys import SigningKey
from appliance.protocol.route import Route
from appliance.service.invitation import read_invitation
from tests.acts import Shifted, deposit, lodge, ready, until_held
from tests.boxes import Net, Running, running, until
from tests.phones import Phone, both_routes
from tests.services import envelope

ADDRESS = onion.address(SigningKey(bytes(range(32))).public)


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


async def far_route(phone: Phone) -> Route:
    """The route at the only relay, once it is made."""
    routes = await until(lambda: both_routes(phone))
    return next(one for one in routes if onion.address(one.onion) != phone.box.ready.onion)


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
            assert (await only(bob, "ready")).mailboxes == 0
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
        await relay.desk.change_settings({"relay_peers": bob.ready.onion})
        await bob.desk.use_relay(relay.ready.onion)
        await only(bob, "ready")
        assert [grant.origin for grant in (await relay.desk.load()).grants] == ["peer"]


async def test_each_handle_has_a_mailbox_of_its_own_until_dropped(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "bob") as bob,
    ):
        await lodge(bob, relay)
        phone = await Phone.of(bob)

        async def mailboxes(number: int) -> None:
            async def there() -> bool:
                (row,) = await bob.desk.relays()
                (grant,) = (await relay.desk.load()).grants
                return row.mailboxes == grant.mailboxes == number

            await until(there)

        await mailboxes(0)
        await phone.routes()
        await mailboxes(1)
        await phone.drop()
        await mailboxes(0)


async def test_what_waits_at_a_relay_is_collected_before_it_is_left(tmp_path: Path) -> None:
    """Left at the moment when letters wait there and the collection sleeps."""
    net = Net()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "bob", collect_seconds=10_000) as bob,
    ):
        await lodge(bob, relay)
        phone = await Phone.of(bob)
        there = await far_route(phone)
        letters = [envelope() for _ in range(5)]
        await deposit(net, there, *letters)
        await bob.desk.leave_relay(relay.ready.onion)
        await until(lambda: both_routes(phone, 1))
        await phone.until_waiting(*letters)

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
        assert await far_route(phone) != there


async def test_left_and_used_again_at_once_it_serves(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "bob") as bob,
    ):
        await lodge(bob, relay)
        phone = await Phone.of(bob)
        await far_route(phone)
        await bob.desk.leave_relay(relay.ready.onion)
        await bob.desk.use_relay(relay.ready.onion)
        await until(lambda: ready(bob.desk, 1))
        sent = envelope()

        async def held() -> bool:
            there = await far_route(phone)
            try:
                return [one.state for one in await deposit(net, there, sent)] == ["held"]
            except Refusal:
                return False

        await until(held)
        await phone.until_waiting(sent)


async def test_a_grant_is_renewed_and_its_mailboxes_move_along(tmp_path: Path) -> None:
    net, clock = Net(), Shifted()
    async with (
        running(net, tmp_path / "relay", clock=clock, relay_policy="open", grant_days=10) as relay,
        running(net, tmp_path / "bob", clock=clock) as bob,
    ):
        await lodge(bob, relay)
        phone = await Phone.of(bob)
        there = await far_route(phone)
        for _ in range(4):  # forty days
            clock.pass_hours(9 * 24)
            await bob.desk.use_relay(relay.ready.onion)  # what the hourly look does
            await until(lambda: ready(bob.desk, 1))

            async def moved() -> bool:
                rows = (await relay.desk.load()).grants
                return max((row.expires, row.mailboxes) for row in rows)[1] == 1

            await until(moved)
        sent = envelope()
        (outcome,) = await deposit(net, there, sent)
        assert outcome.state == "held"
        await (await Phone.of(bob, phone.device)).until_waiting(sent)


async def test_mailboxes_that_a_relay_lost_are_made_again_under_a_new_invitation(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "relay") as relay, running(net, tmp_path / "bob") as bob:
        invitation = await relay.desk.grant(NewGrant(label="Bob"))
        await bob.desk.use_relay(invitation.code)
        await only(bob, "ready")
        phone = await Phone.of(bob)
        await far_route(phone)
        await relay.desk.revoke(invitation.id)
        row = await only(bob, "refused")
        assert "grant is not valid" in row.words
        await bob.desk.use_relay((await relay.desk.grant(NewGrant(label="Bob again"))).code)
        await only(bob, "ready")
        there = await far_route(phone)
        bob.stop.cancel()
        await deposit(net, there, envelope())
        await until_held(relay.desk, 1)


async def test_a_full_grant_is_followed_by_another(tmp_path: Path) -> None:
    """Over real HTTP: a relay for strangers that gives two mailboxes at a time."""
    net = Net()
    async with (
        running(net, tmp_path / "relay", relay_policy="open", grant_mailboxes=2) as relay,
        running(net, tmp_path / "bob") as bob,
    ):
        await lodge(bob, relay)
        for _ in range(5):
            await (await Phone.of(bob)).routes()

        async def made() -> bool:
            (row,) = await bob.desk.relays()
            counts = sorted(one.mailboxes for one in (await relay.desk.load()).grants)
            return (row.state, row.mailboxes, row.waiting) == ("ready", 5, 0) and counts == [1, 2, 2]

        await until(made)


async def test_where_room_lacks_it_is_said_and_a_second_invitation_adds_its_own(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "relay") as relay, running(net, tmp_path / "bob") as bob:
        small = await relay.desk.grant(NewGrant(label="Bob", mailboxes=1))
        await bob.desk.use_relay(small.code)
        await only(bob, "ready")
        for _ in range(3):
            await (await Phone.of(bob)).routes()

        async def lacking() -> UsedRelay | None:
            (row,) = await bob.desk.relays()
            return row if (row.mailboxes, row.waiting) == (1, 2) else None

        row = await until(lacking)
        assert row.state == "ready"
        assert row.words == "2 mailboxes wait for room there: ask its owner for a larger invitation."
        larger = await relay.desk.grant(NewGrant(label="Bob too", mailboxes=5))
        await bob.desk.use_relay(larger.code)

        async def made() -> bool:
            (row,) = await bob.desk.relays()
            counts = {one.label: one.mailboxes for one in (await relay.desk.load()).grants}
            return (row.mailboxes, row.waiting, counts) == (3, 0, {"Bob": 1, "Bob too": 2})

        await until(made)


async def test_a_collection_is_told(tmp_path: Path) -> None:
    net, clock = Net(), Shifted()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "bob", clock=clock) as bob,
    ):
        await lodge(bob, relay)
        await far_route(await Phone.of(bob))
        now = int(clock())

        async def told() -> bool:
            (row,) = await bob.desk.relays()
            return (row.last_collected or 0) >= now

        await until(told)
